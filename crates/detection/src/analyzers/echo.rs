//! The system prompt in the output.
//!
//! Sees: passages of the system text word for word, whatever the punctuation, case or line breaks,
//! by overlap of word shingles; and answers that use most of its unusual words in another order.
//! Cannot see: translations and summaries in other words; a short secret out of the prompt (that is
//! `system_secret`). Encoded text is decoded first (`reencoded`).
//! Known false positives: a system text that quotes what the model is meant to say. Short system
//! texts are not judged.
//! Source: containment of word n-grams, Broder, "On the resemblance and containment of documents",
//! 1997.

use std::collections::HashSet;
use std::sync::Arc;

use super::Raised;
use super::words::{Ring, Word, Words};

/// Shingles in a row that make a passage.
const RUN: usize = 12;
/// Or this share of all the system text's shingles, per cent, and at least [`MIN_TOTAL`].
const SHARE: usize = 30;
const MIN_TOTAL: usize = 10;
/// Shingles in a row that make a fragment: eleven words.
const FRAGMENT: usize = 6;
/// Shingles kept of a system text.
const MAX_SHINGLES: usize = 8_192;
/// Letters of a word that says something.
const LONG_WORD: usize = 6;
/// Long words kept of a system text and of an answer.
const MAX_WORDS: usize = 4_096;
/// Long words a system text must have, and an answer must share, before words alone are judged.
const MIN_WORDS: usize = 24;
const MIN_SHARED: usize = 18;
/// Share of the system text's long words that an answer holds, per cent.
const COVERAGE: usize = 60;
/// Share of the answer's long words that are the system text's, per cent.
const DENSITY: usize = 40;

/// The shingles and long words of a system text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known(Arc<Fingerprint>);

#[derive(Debug, Default)]
struct Fingerprint {
    shingles: HashSet<u64>,
    long: HashSet<u64>,
}

impl Known {
    /// The fingerprint of `text`.
    pub(crate) fn of(text: &str) -> Self {
        let mut print = Fingerprint::default();
        let (mut words, mut window) = (Words::default(), Ring::default());
        let mut add = |word: Word| {
            if let Some((shingle, _)) = window.add(word.hash, word.start)
                && print.shingles.len() < MAX_SHINGLES
            {
                print.shingles.insert(shingle);
            }
            if word.letters >= LONG_WORD && print.long.len() < MAX_WORDS {
                print.long.insert(word.hash);
            }
        };
        words.push(text, 0, &mut add);
        words.finish(&mut add);
        Self(Arc::new(print))
    }

    /// Whether the system text is too short to be recognised.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.shingles.is_empty()
    }
}

/// The analyzer's state in one field.
#[derive(Debug)]
pub(crate) struct Echo {
    known: Known,
    seen: HashSet<u64>,
    words: Words,
    window: Ring,
    run: usize,
    longest: usize,
    run_start: usize,
    shared: HashSet<u64>,
    distinct: HashSet<u64>,
    end: usize,
    passage: bool,
    fragment: bool,
}

impl Echo {
    /// An analyzer that looks for the text of `known`.
    pub(crate) fn new(known: Known) -> Self {
        Self {
            known,
            seen: HashSet::new(),
            words: Words::default(),
            window: Ring::default(),
            run: 0,
            longest: 0,
            run_start: 0,
            shared: HashSet::new(),
            distinct: HashSet::new(),
            end: 0,
            passage: false,
            fragment: false,
        }
    }

    /// Looks at text that stands at `at`.
    pub(crate) fn push(&mut self, text: &str, at: usize, out: &mut Vec<Raised>) {
        if self.passage || self.known.is_empty() {
            return;
        }
        let mut words = std::mem::take(&mut self.words);
        words.push(text, at, |word| self.word(word, out));
        self.words = words;
    }

    /// The field is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<Raised>) {
        let mut words = std::mem::take(&mut self.words);
        words.finish(|word| self.word(word, out));
        self.settle(out);
    }

    /// The last word was taken.
    pub(crate) fn settle(&self, out: &mut Vec<Raised>) {
        if !self.passage && self.rewords() {
            let fact = "output.system_prompt_reworded";
            out.push(Raised { fact, start: 0, end: self.end, trigger: self.end });
        }
    }

    /// How sure it is that the system text leaves: 0.5 from eleven words in a row on.
    pub(crate) fn score(&self) -> f32 {
        let run = self.longest as f32;
        let by_run = if self.longest >= FRAGMENT {
            0.5 + 0.4 * ((run - FRAGMENT as f32) / (RUN - FRAGMENT) as f32).min(1.0)
        } else {
            0.5 * run / FRAGMENT as f32
        };
        let share = self.seen.len() as f32 / self.known.0.shingles.len().max(1) as f32;
        let passage = if self.passage { 0.9 + 0.09 * share.min(1.0) } else { 0.0 };
        let reworded = if self.rewords() { 0.6 } else { 0.0 };
        by_run.max(passage).max(reworded)
    }

    fn rewords(&self) -> bool {
        let (known, shared) = (self.known.0.long.len(), self.shared.len());
        known >= MIN_WORDS
            && shared >= MIN_SHARED
            && shared * 100 >= known * COVERAGE
            && shared * 100 >= self.distinct.len() * DENSITY
    }

    /// Takes the next word.
    pub(crate) fn word(&mut self, word: Word, out: &mut Vec<Raised>) {
        if self.passage || self.known.is_empty() {
            return;
        }
        self.end = word.end;
        let judged_by_words = self.known.0.long.len() >= MIN_WORDS;
        if judged_by_words && word.letters >= LONG_WORD && self.distinct.len() < MAX_WORDS {
            self.distinct.insert(word.hash);
            if self.known.0.long.contains(&word.hash) {
                self.shared.insert(word.hash);
            }
        }
        let Some((shingle, first)) = self.window.add(word.hash, word.start) else {
            return;
        };
        if !self.known.0.shingles.contains(&shingle) {
            self.run = 0;
            return;
        }
        if self.run == 0 {
            self.run_start = first;
        }
        self.run += 1;
        self.longest = self.longest.max(self.run);
        self.seen.insert(shingle);
        let mut raise = |fact| {
            out.push(Raised { fact, start: self.run_start, end: word.end, trigger: word.end });
        };
        if self.run >= FRAGMENT && !self.fragment {
            self.fragment = true;
            raise("output.system_prompt_fragment");
        }
        let share = self.seen.len() * 100 / self.known.0.shingles.len();
        if self.run >= RUN || (self.seen.len() >= MIN_TOTAL && share >= SHARE) {
            self.passage = true;
            raise("output.system_prompt_echo");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "You are the assistant of the harbour office. Answer in short sentences \
        about ships, berths, tides and fees only. Never discuss wages, the manager, or the code of \
        the northern gate. Greet sailors politely, mention lighthouse schedules, weather warnings, \
        mooring regulations, customs declarations, pilotage charges, dredging works, container \
        terminals, quarantine procedures, lifeboat stations and anchorage restrictions whenever \
        visitors request directions towards northern basins before evening departures.";

    fn judged(text: &str) -> (f32, Vec<&'static str>) {
        let mut echo = Echo::new(Known::of(SYSTEM));
        let mut out = Vec::new();
        echo.push(text, 0, &mut out);
        echo.finish(&mut out);
        (echo.score(), out.into_iter().map(|raised| raised.fact).collect())
    }

    #[test]
    fn the_score_grows_with_what_leaves() {
        let (ordinary, facts) = judged("High water is at noon; fees are posted at the office.");
        assert!(ordinary < 0.3 && facts.is_empty(), "{ordinary} {facts:?}");
        let part = "I answer in short sentences about ships, berths, tides and fees only.";
        let (fragment, facts) = judged(part);
        assert!((0.5..0.9).contains(&fragment), "{fragment}");
        assert_eq!(facts, ["output.system_prompt_fragment"]);
        let (whole, facts) = judged(&SYSTEM.to_uppercase());
        assert!(whole > 0.89, "{whole}");
        assert!(facts.contains(&"output.system_prompt_echo"));
    }

    #[test]
    fn other_order_is_seen_by_the_words() {
        let mut words: Vec<&str> = SYSTEM.split_whitespace().collect();
        words.reverse();
        let (score, facts) = judged(&words.join(" "));
        assert!(score >= 0.5, "{score}");
        assert_eq!(facts, ["output.system_prompt_reworded"]);
    }

    #[test]
    fn any_split_gives_the_same() {
        let mut echo = Echo::new(Known::of(SYSTEM));
        let mut out = Vec::new();
        for (at, c) in SYSTEM.char_indices() {
            echo.push(&SYSTEM[at..at + c.len_utf8()], at, &mut out);
        }
        echo.finish(&mut out);
        let facts: Vec<_> = out.iter().map(|raised| raised.fact).collect();
        assert_eq!((echo.score(), facts), judged(SYSTEM));
    }
}
