//! The file format of a model, and what stands in it.
//!
//! Eight bytes `QUELLCLS`, the format's version and the length of the description as little-endian
//! 32-bit numbers, the description as JSON, then the table: one row of [`ROW`] signed bytes a
//! bucket. A file that is not exactly that is refused, whatever its bytes.

use serde::{Deserialize, Serialize};

use super::pool::{FIGURES, HEADS, ROW, Table};

const MAGIC: &[u8; 8] = b"QUELLCLS";
/// Changes whenever the features, the figures or the layout change.
const VERSION: u32 = 1;
/// Longest description.
const MAX_DESCRIPTION: usize = 1 << 20;
/// Smallest and largest table, as powers of two.
const BUCKETS: std::ops::RangeInclusive<u32> = 10..=20;
/// Most hidden units of a judge.
const MAX_HIDDEN: usize = 64;
/// Most facts a judge weighs.
const MAX_FACTS: usize = 512;
/// Most points of a calibration.
const MAX_POINTS: usize = 64;

/// Why bytes are not a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The bytes are not those that were asked for.
    #[error("the model's SHA-256 is {found}, expected {expected}: fetch the file again")]
    Digest {
        /// What the bytes hash to.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// Not a model file, or one of another version.
    #[error("not a model file of version {VERSION}: train it again with this release")]
    Format,
    /// The parts do not fit together.
    #[error("the model is damaged: {0}; train it again")]
    Damaged(String),
}

/// One judge of the second stage: a small network over figures and facts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combiner {
    /// Weight of each figure on the logit, directly.
    pub direct: Vec<f32>,
    /// Hidden units: the weight of each figure, then the bias.
    pub hidden: Vec<Vec<f32>>,
    /// Weight of each hidden unit on the logit.
    pub output: Vec<f32>,
    /// The logit without anything.
    pub bias: f32,
    /// Facts and their weights on the logit, sorted by fact.
    pub facts: Vec<(String, f32)>,
    /// From logit to score: `(logit, score)`, both rising, interpolated between.
    pub calibration: Vec<(f32, f32)>,
    /// The score of at most 0.1 % false alarms.
    pub certain: f32,
}

/// Everything but the table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The release or the run it comes from, for people.
    pub name: String,
    /// Digest of the training rows, so that a run can be told from another.
    pub data_sha256: String,
    /// What one step of a quantised weight is worth, by head.
    pub scale: [f32; HEADS],
    /// The logit of a window without any feature, by head.
    pub bias: [f32; HEADS],
    /// Attacks in a user's turn.
    pub user: Combiner,
    /// Attacks in a document, tool result or tool definition.
    pub document: Combiner,
    /// Harmful requests in a user's turn.
    pub harm: Combiner,
}

/// A model: the first stage's table and the judges of the second.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Everything but the table.
    pub description: Description,
    /// First stage.
    pub table: Table,
}

impl Model {
    /// Reads a model; errors if the bytes are not exactly one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ModelError::Format)?;
        let (version, rest) = number(rest).ok_or(ModelError::Format)?;
        let (length, rest) = number(rest).ok_or(ModelError::Format)?;
        if version != VERSION {
            return Err(ModelError::Format);
        }
        let length = length as usize;
        if length > MAX_DESCRIPTION || length > rest.len() {
            return Err(damaged("the description is longer than the file may hold"));
        }
        let (description, table) = rest.split_at(length);
        let description: Description =
            serde_json::from_slice(description).map_err(|error| damaged(&error.to_string()))?;
        let (rows, remainder) = table.as_chunks::<ROW>();
        let size = rows.len();
        if !remainder.is_empty() || !size.is_power_of_two() || !BUCKETS.contains(&size.ilog2()) {
            return Err(damaged("the table's size is not a power of two in range"));
        }
        let rows = rows.iter().map(|row| row.map(u8::cast_signed)).collect();
        let table = Table { rows, scale: description.scale, bias: description.bias };
        let model = Self { description, table };
        model.check()?;
        Ok(model)
    }

    /// The bytes of this model.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.check()?;
        let description =
            serde_json::to_vec(&self.description).map_err(|error| damaged(&error.to_string()))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((description.len() as u32).to_le_bytes());
        bytes.extend(description);
        bytes.extend(self.table.rows.iter().flatten().map(|weight| weight.cast_unsigned()));
        Ok(bytes)
    }

    fn check(&self) -> Result<(), ModelError> {
        let Description { scale, bias, user, document, harm, .. } = &self.description;
        if !scale.iter().chain(bias).all(|number| number.is_finite()) {
            return Err(damaged("a scale or bias is not a number"));
        }
        user.check()?;
        document.check()?;
        harm.check()
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*first), rest))
}

fn damaged(what: &str) -> ModelError {
    ModelError::Damaged(what.to_owned())
}

impl Combiner {
    /// The logit of `figures` and `facts`; facts may repeat and then count once.
    pub fn logit<'f>(
        &self,
        figures: &[f32; FIGURES],
        facts: impl IntoIterator<Item = &'f str>,
    ) -> f32 {
        let dot = |weights: &[f32]| -> f32 {
            weights.iter().zip(figures).map(|(weight, figure)| weight * figure).sum()
        };
        let mut logit = self.bias + dot(&self.direct);
        for (unit, output) in self.hidden.iter().zip(&self.output) {
            let bias = unit.get(FIGURES).copied().unwrap_or(0.0);
            logit += output * (bias + dot(unit)).max(0.0);
        }
        let mut seen = 0_u128;
        for fact in facts {
            let Ok(at) = self.facts.binary_search_by(|(name, _)| name.as_str().cmp(fact)) else {
                continue;
            };
            let bit = 1_u128.checked_shl(at as u32).unwrap_or(0);
            if seen & bit == 0 {
                seen |= bit;
                logit += self.facts[at].1;
            }
        }
        logit
    }

    /// The calibrated score of a logit, 0 to 1.
    pub fn score(&self, logit: f32) -> f32 {
        let after = self.calibration.partition_point(|(at, _)| *at <= logit);
        let here = after.checked_sub(1).and_then(|index| self.calibration.get(index));
        match (here, self.calibration.get(after)) {
            (Some(&(x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * (logit - x0) / (x1 - x0),
            (Some(&(_, y)), None) | (None, Some(&(_, y))) => y,
            (None, None) => 0.0,
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        let Self { direct, hidden, output, bias, facts, calibration, certain } = self;
        if direct.len() != FIGURES
            || hidden.len() > MAX_HIDDEN
            || hidden.len() != output.len()
            || hidden.iter().any(|unit| unit.len() != FIGURES + 1)
        {
            return Err(damaged("a judge does not have the figures of this version"));
        }
        let numbers = direct.iter().chain(hidden.iter().flatten()).chain(output);
        let facts_ok = facts.len() <= MAX_FACTS
            && facts.is_sorted_by(|a, b| a.0 < b.0)
            && facts.iter().all(|(_, weight)| weight.is_finite());
        if !numbers.chain([bias, certain]).all(|number| number.is_finite()) || !facts_ok {
            return Err(damaged("a judge's weights are not numbers in order"));
        }
        let rises = calibration.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
        let within = calibration.iter().all(|(x, y)| x.is_finite() && (0.0..=1.0).contains(y));
        if calibration.is_empty() || calibration.len() > MAX_POINTS || !rises || !within {
            return Err(damaged("a calibration does not rise from 0 to 1"));
        }
        Ok(())
    }
}
