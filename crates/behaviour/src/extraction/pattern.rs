//! How queries come, beside what they ask: counts over one window.

use serde::{Deserialize, Serialize};

use crate::hash;
use crate::words::words;

/// Openings counted at once; the rarest makes room for a new one (Misra-Gries).
const OPENINGS: usize = 16;
/// Words of an opening or an ending.
const OPENING_WORDS: usize = 4;
/// Cells of topics.
const CELLS: usize = 64;

/// One query besides its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// No earlier turn came with it.
    pub first_turn: bool,
    /// Temperature 0, several answers, log-probabilities or a logit bias were asked for.
    pub harvesting: bool,
}

/// Counts over one window of queries. Bounded: about 1 KB.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    count: u32,
    first_at: i64,
    last_at: i64,
    gaps: u32,
    gap_mean: f64,
    gap_m2: f64,
    first_turns: u32,
    harvesting: u32,
    openings: Vec<(u64, u32)>,
    endings: Vec<(u64, u32)>,
    cells: Vec<u32>,
    texts: Vec<u64>,
}

/// What speaks for extraction besides the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// Gaps between queries vary by less than [`REGULAR_CV`] of their mean.
    Regular,
    /// Most queries share an opening or an ending, and hardly any is asked twice.
    Template,
    /// Most queries ask for what a copy needs: temperature 0, log-probabilities, several answers.
    Harvesting,
    /// Far more queries a day than a person asks.
    Volume,
    /// No query follows up on another, and hardly any is asked twice.
    NeverFollowsUp,
}

/// Coefficient of variation of gaps below which queries come by a clock.
pub const REGULAR_CV: f64 = 0.3;
/// Queries a day that no person asks.
pub const VOLUME_A_DAY: f64 = 2_500.0;

impl Pattern {
    /// Counts one query. `at` in microseconds since 1970; late records count with gap 0.
    pub fn add(&mut self, at: i64, text: &str, point: &[f32], manner: Manner) {
        if self.count == 0 {
            (self.first_at, self.last_at) = (at, at);
        } else {
            let gap = at.saturating_sub(self.last_at).max(0) as f64;
            self.gaps += 1;
            let delta = gap - self.gap_mean;
            self.gap_mean += delta / f64::from(self.gaps);
            self.gap_m2 += delta * (gap - self.gap_mean);
            self.last_at = self.last_at.max(at);
        }
        self.count += 1;
        self.first_turns += u32::from(manner.first_turn);
        self.harvesting += u32::from(manner.harvesting);
        let words = words(text);
        let opening = words[..words.len().min(OPENING_WORDS)].join(" ");
        let ending = words[words.len().saturating_sub(OPENING_WORDS)..].join(" ");
        note(&mut self.openings, hash::of(&opening));
        note(&mut self.endings, hash::of(&ending));
        self.cells.resize(CELLS, 0);
        if let Some(cell) = self.cells.get_mut(cell(point)) {
            *cell += 1;
        }
        let text = hash::of(&words.join(" "));
        if let Err(place) = self.texts.binary_search(&text) {
            self.texts.insert(place, text);
        }
    }

    /// Queries counted.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The share of queries that were not asked before in the window.
    pub fn unique_share(&self) -> f64 {
        self.share(self.texts.len() as u32)
    }

    /// The coefficient of variation of the gaps; infinite for fewer than two.
    pub fn gap_cv(&self) -> f64 {
        if self.gaps < 2 || self.gap_mean <= 0.0 {
            return f64::INFINITY;
        }
        (self.gap_m2 / f64::from(self.gaps - 1)).sqrt() / self.gap_mean
    }

    /// Spread over topics: entropy of the topic cells over the most it can be, 0 to 1.
    pub fn coverage(&self) -> f64 {
        let n = f64::from(self.count);
        let most = n.min(CELLS as f64);
        if most < 2.0 {
            return 0.0;
        }
        let shares = self.cells.iter().filter(|cell| **cell > 0).map(|cell| f64::from(*cell) / n);
        -shares.map(|share| share * share.ln()).sum::<f64>() / most.ln()
    }

    /// What speaks for extraction.
    pub fn votes(&self) -> Vec<Vote> {
        let fresh = self.unique_share() >= 0.9;
        let top = |counts: &[(u64, u32)]| counts.iter().map(|count| count.1).max().unwrap_or(0);
        let template = self.share(top(&self.openings).max(top(&self.endings)));
        let days = self.last_at.saturating_sub(self.first_at) as f64 / 86_400e6;
        let daily = f64::from(self.gaps) / days.max(1e-9);
        let votes = [
            (Vote::Regular, self.gap_cv() < REGULAR_CV),
            (Vote::Template, fresh && template >= 0.6),
            (Vote::Harvesting, self.share(self.harvesting) >= 0.5),
            (Vote::Volume, daily >= VOLUME_A_DAY),
            (Vote::NeverFollowsUp, fresh && self.share(self.first_turns) >= 0.98),
        ];
        votes.into_iter().filter_map(|(vote, given)| given.then_some(vote)).collect()
    }

    fn share(&self, count: u32) -> f64 {
        f64::from(count) / f64::from(self.count.max(1))
    }
}

/// Counts `value` among the most frequent ones.
fn note(counts: &mut Vec<(u64, u32)>, value: u64) {
    if let Some(known) = counts.iter_mut().find(|known| known.0 == value) {
        known.1 += 1;
    } else if counts.len() < OPENINGS {
        counts.push((value, 1));
    } else {
        for known in counts.iter_mut() {
            known.1 -= 1;
        }
        counts.retain(|known| known.1 > 0);
    }
}

/// Which of 64 cells a point lies in: the signs of six fixed sums of its numbers.
fn cell(point: &[f32]) -> usize {
    (0..6).fold(0, |cell, plane| {
        let signed = point.iter().enumerate().map(|(index, number)| {
            let bit = hash::mix((plane << 32) ^ index as u64) & 1;
            if bit == 0 { *number } else { -*number }
        });
        (cell << 1) | usize::from(signed.sum::<f32>() > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::super::embed::embed;
    use super::*;
    use Vote::{Harvesting, NeverFollowsUp, Regular, Template, Volume};

    fn window(texts: impl Iterator<Item = (i64, String)>, manner: Manner) -> Pattern {
        let mut pattern = Pattern::default();
        for (second, text) in texts {
            pattern.add(second * 1_000_000, &text, &embed(&text), manner);
        }
        pattern
    }

    #[test]
    fn a_clocked_template_is_seen_and_a_person_is_not() {
        let harvest = Manner { first_turn: true, harvesting: true };
        let copier = window(
            (0..100).map(|n| (n * 12, format!("What is the sentiment of the word w{n}?"))),
            harvest,
        );
        assert_eq!(copier.votes(), [Regular, Template, Harvesting, Volume, NeverFollowsUp]);
        let person = window(
            (0..100_i64).map(|n| (n * n * 40, format!("{n} things about {} please", n * 7))),
            Manner::default(),
        );
        assert_eq!(person.votes(), []);
        assert!(person.gap_cv() > REGULAR_CV);
    }

    #[test]
    fn coverage_is_low_for_one_topic_and_repeats_are_not_unique() {
        let same = window((0..50).map(|n| (n, "the very same question".into())), Manner::default());
        assert!(same.coverage() < 0.05);
        assert!(same.unique_share() < 0.05);
        let many =
            window((0..50).map(|n| (n, format!("{:x}", hash::mix(n as u64)))), Manner::default());
        assert!(many.coverage() > 0.5, "{}", many.coverage());
    }
}
