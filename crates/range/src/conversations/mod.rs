//! Conversations that escalate and conversations that do not: made here, for training the judge
//! of conversations, for measuring it, and for simulated traffic.

pub mod corpus;
mod courses;
mod generate;
mod subjects;
mod train;

use std::collections::BTreeMap;

use quell_detection::conversation::ConversationModel;

pub use generate::{attack, harmless, skeletons};
pub use train::train;

use corpus::Row;

/// What a model makes of one source of conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Conversations.
    pub rows: usize,
    /// Flagged by their last turn.
    pub flagged: usize,
    /// Of those, certain.
    pub certain: usize,
    /// Flagged before their last turn.
    pub early: usize,
}

/// Counts flagged conversations by label, source and family. Conversations of fewer than two
/// turns are left out and counted under `too_short`.
pub fn evaluate(model: &ConversationModel, rows: &[Row]) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for row in rows {
        let short = if row.turns.len() < 2 { " too_short" } else { "" };
        let key = format!("{} {} {}{short}", row.label, row.source, row.family);
        let count = counts.entry(key).or_default();
        let turns: Vec<&str> = row.turns.iter().map(String::as_str).collect();
        let score = model.score(&turns);
        let before = turns.len().saturating_sub(1);
        let early = (2..=before).any(|end| model.score(&turns[..end]) >= 0.5);
        count.rows += 1;
        count.flagged += usize::from(score >= 0.5);
        count.certain += usize::from(score >= 0.9);
        count.early += usize::from(early && score >= 0.5);
    }
    counts
}
