//! The seam for a classifier of the operator's own, asked where the shipped one is unsure.

use std::sync::Arc;

use crate::classifier::Judgement;

/// A classifier that is slower and better than the shipped one.
pub trait SecondOpinion: std::fmt::Debug + Send + Sync {
    /// The digest of what judges, for the record.
    fn sha256(&self) -> &str;

    /// How sure it is that the text is an attack, 0 to 1, with its threshold at 0.5. None: it is
    /// busy or cannot read the text. Must not wait for other texts.
    fn attack(&self, text: &str) -> Option<f32>;
}

/// Scores of the shipped classifier for which a second opinion is asked: `low <= score < high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// From this score on.
    pub low: f32,
    /// Below this score.
    pub high: f32,
}

/// A second opinion and when it is asked.
#[derive(Debug, Clone)]
pub struct Second {
    /// Who is asked.
    pub opinion: Arc<dyn SecondOpinion>,
    /// Where the first is unsure.
    pub band: Band,
}

/// Score from which a second opinion counts as certain, as the shipped classifier's does.
const CERTAIN: f32 = 0.9;

impl Second {
    /// Whether the first judgement lies in the band.
    pub(crate) fn is_wanted(&self, first: &Judgement) -> bool {
        (self.band.low..self.band.high).contains(&first.scores.attack)
    }

    /// The first judgement with this one's score of an attack; none if it is not to be had.
    pub(crate) fn over(&self, first: Judgement, text: &str) -> Option<Judgement> {
        let attack = self.opinion.attack(text)?.clamp(0.0, 1.0);
        let mut judgement = first;
        judgement.scores.attack = attack;
        judgement.attack_certain = attack >= CERTAIN;
        Some(judgement)
    }
}
