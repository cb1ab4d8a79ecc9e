//! The system prompt in the output.
//!
//! Sees: passages of the system text word for word, whatever the punctuation, case or line breaks,
//! by overlap of word shingles.
//! Cannot see: translations, summaries, encodings, or a short secret out of the prompt (plant a
//! canary for that).
//! Known false positives: a system text that quotes what the model is meant to say. Short system
//! texts are not judged.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Raised;

/// Words of a shingle.
const SHINGLE: usize = 6;
/// Shingles in a row that make a passage.
const RUN: usize = 12;
/// Or this share of all the system text's shingles, per cent, and at least [`MIN_TOTAL`].
const SHARE: usize = 30;
const MIN_TOTAL: usize = 10;
/// Shingles kept of a system text.
const MAX_SHINGLES: usize = 8_192;

/// The shingles of a system text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shingles(Arc<HashSet<u64>>);

impl Shingles {
    /// The shingles of `text`.
    pub(crate) fn of(text: &str) -> Self {
        let mut set = HashSet::new();
        let mut words = Words::default();
        let mut window = Ring::default();
        words.push(text, 0, |word, start, _| {
            if let Some((shingle, _)) = window.add(word, start)
                && set.len() < MAX_SHINGLES
            {
                set.insert(shingle);
            }
        });
        words.finish(|word, start, _| {
            set.extend(window.add(word, start).map(|(shingle, _)| shingle));
        });
        Self(Arc::new(set))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The analyzer's state in one field.
#[derive(Debug)]
pub(crate) struct Echo {
    known: Shingles,
    seen: HashSet<u64>,
    words: Words,
    window: Ring,
    run: usize,
    run_start: usize,
    raised: bool,
}

impl Echo {
    /// An analyzer that looks for the text of `known`.
    pub(crate) fn new(known: Shingles) -> Self {
        Self {
            known,
            seen: HashSet::new(),
            words: Words::default(),
            window: Ring::default(),
            run: 0,
            run_start: 0,
            raised: false,
        }
    }

    /// Looks at text that stands at `at`.
    pub(crate) fn push(&mut self, text: &str, at: usize, out: &mut Vec<Raised>) {
        if self.raised || self.known.is_empty() {
            return;
        }
        let mut words = std::mem::take(&mut self.words);
        words.push(text, at, |word, start, end| self.word(word, start, end, out));
        self.words = words;
    }

    /// The field is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<Raised>) {
        let mut words = std::mem::take(&mut self.words);
        words.finish(|word, start, end| self.word(word, start, end, out));
    }

    fn word(&mut self, word: u64, start: usize, end: usize, out: &mut Vec<Raised>) {
        let Some((shingle, first)) = self.window.add(word, start) else {
            return;
        };
        if self.raised || !self.known.0.contains(&shingle) {
            self.run = 0;
            return;
        }
        if self.run == 0 {
            self.run_start = first;
        }
        self.run += 1;
        self.seen.insert(shingle);
        let share = self.seen.len() * 100 / self.known.0.len();
        if self.run >= RUN || (self.seen.len() >= MIN_TOTAL && share >= SHARE) {
            self.raised = true;
            let fact = "output.system_prompt_echo";
            out.push(Raised { fact, start: self.run_start, end, trigger: end });
        }
    }
}

/// Splits text into words as it comes.
#[derive(Debug, Default)]
struct Words {
    hash: Fnv,
    start: usize,
    end: usize,
    open: bool,
}

impl Words {
    fn push(&mut self, text: &str, at: usize, mut found: impl FnMut(u64, usize, usize)) {
        for (offset, c) in text.char_indices() {
            let (start, end) = (at + offset, at + offset + c.len_utf8());
            let alone = matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}');
            if alone || !c.is_alphanumeric() {
                self.finish(&mut found);
            }
            if c.is_alphanumeric() {
                if !self.open {
                    self.open = true;
                    self.start = start;
                    self.hash = Fnv::default();
                }
                c.to_lowercase().for_each(|c| c.hash(&mut self.hash));
                self.end = end;
            }
            if alone {
                self.finish(&mut found);
            }
        }
    }

    fn finish(&mut self, mut found: impl FnMut(u64, usize, usize)) {
        if self.open {
            self.open = false;
            found(self.hash.finish(), self.start, self.end);
        }
    }
}

/// The last few words.
#[derive(Debug, Default)]
struct Ring {
    words: [(u64, usize); SHINGLE],
    count: usize,
}

impl Ring {
    /// Adds a word; the shingle that ends with it and where that begins.
    fn add(&mut self, word: u64, start: usize) -> Option<(u64, usize)> {
        self.words.rotate_left(1);
        self.words[SHINGLE - 1] = (word, start);
        self.count = (self.count + 1).min(SHINGLE);
        (self.count == SHINGLE).then(|| {
            let mut hash = Fnv::default();
            self.words.iter().for_each(|(word, _)| word.hash(&mut hash));
            (hash.finish(), self.words[0].1)
        })
    }
}

/// FNV-1a: fast, and the same in every process.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
