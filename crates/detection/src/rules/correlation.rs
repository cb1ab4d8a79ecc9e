//! What a Sigma correlation counts, as it is evaluated.

use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType};

/// A correlation, ready to count.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    /// Index of its [`RuleInfo`](super::RuleInfo).
    pub(crate) rule: usize,
    /// Names of the rules it counts.
    pub(crate) rules: Vec<String>,
    pub(crate) group_by: Vec<String>,
    pub(crate) span_us: i64,
    pub(crate) aggregate: Aggregate,
    pub(crate) thresholds: Vec<Threshold>,
}

/// What is compared with the thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aggregate {
    /// Matches.
    Events,
    /// Different values of a field.
    Distinct(String),
    /// The sum of a numeric field.
    Sum(String),
    /// The mean of a numeric field.
    Mean(String),
    /// The value of a numeric field that so many per cent of the matches do not exceed.
    Percentile(String, u64),
    /// Different rules of the list.
    Temporal,
    /// All rules of the list, in that order.
    Ordered,
}

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threshold {
    /// At least.
    AtLeast(u64),
    /// More than.
    Above(u64),
    /// At most.
    AtMost(u64),
    /// Less than.
    Below(u64),
}

/// What matches add up to, as a fraction, so that means are compared exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) sum: u128,
    pub(crate) of: u128,
}

impl Total {
    /// A whole number.
    pub(crate) const fn whole(number: u64) -> Self {
        Self { sum: number as u128, of: 1 }
    }

    const fn scaled(self, limit: u64) -> u128 {
        (limit as u128).saturating_mul(self.of)
    }

    /// Rounded down.
    pub(crate) fn floor(self) -> u128 {
        self.sum.checked_div(self.of).unwrap_or(0)
    }
}

impl Threshold {
    pub(crate) const fn met(self, total: Total) -> bool {
        match self {
            Self::AtLeast(limit) => total.sum >= total.scaled(limit),
            Self::Above(limit) => total.sum > total.scaled(limit),
            Self::AtMost(limit) => total.sum <= total.scaled(limit),
            Self::Below(limit) => total.sum < total.scaled(limit),
        }
    }
}

impl Correlation {
    /// Reads a parsed correlation; what it asks for that Quell does not do is refused.
    pub(super) fn read(rule: usize, parsed: &CorrelationRule) -> Result<Self, String> {
        let (predicates, fields, percentile) = match &parsed.condition {
            CorrelationCondition::Threshold { predicates, field, percentile } => {
                (predicates.as_slice(), field.clone().unwrap_or_default(), *percentile)
            }
            CorrelationCondition::Extended(_) => {
                return Err("a boolean condition over rules is not supported; \
                            use temporal with `rules`"
                    .into());
            }
        };
        let field = || match fields.as_slice() {
            [field] => Ok(field.clone()),
            _ => Err(format!("{} needs exactly one `field`", parsed.correlation_type.as_str())),
        };
        let aggregate = match parsed.correlation_type {
            CorrelationType::EventCount => Aggregate::Events,
            CorrelationType::ValueCount => Aggregate::Distinct(field()?),
            CorrelationType::ValueSum => Aggregate::Sum(field()?),
            CorrelationType::ValueAvg => Aggregate::Mean(field()?),
            CorrelationType::ValueMedian => Aggregate::Percentile(field()?, 50),
            CorrelationType::ValuePercentile => match percentile.unwrap_or(50) {
                rank @ 1..=100 => Aggregate::Percentile(field()?, rank),
                _ => return Err("`percentile` is out of range; use 1 to 100".into()),
            },
            CorrelationType::Temporal => Aggregate::Temporal,
            CorrelationType::TemporalOrdered => Aggregate::Ordered,
        };
        let mut thresholds = thresholds(predicates)?;
        if matches!(aggregate, Aggregate::Temporal | Aggregate::Ordered) {
            thresholds = vec![Threshold::AtLeast(parsed.rules.len() as u64)];
        }
        if thresholds.is_empty() {
            return Err("the condition states no threshold; add e.g. `gte: 5`".into());
        }
        Ok(Self {
            rule,
            rules: parsed.rules.clone(),
            group_by: parsed.group_by.clone(),
            span_us: i64::try_from(parsed.timespan.seconds).unwrap_or(i64::MAX / 2_000_000)
                * 1_000_000,
            aggregate,
            thresholds,
        })
    }
}

fn thresholds(predicates: &[(ConditionOperator, u64)]) -> Result<Vec<Threshold>, String> {
    let mut found = Vec::new();
    for (operator, value) in predicates {
        match operator {
            ConditionOperator::Gte => found.push(Threshold::AtLeast(*value)),
            ConditionOperator::Gt => found.push(Threshold::Above(*value)),
            ConditionOperator::Lte => found.push(Threshold::AtMost(*value)),
            ConditionOperator::Lt => found.push(Threshold::Below(*value)),
            ConditionOperator::Eq => {
                found.extend([Threshold::AtLeast(*value), Threshold::AtMost(*value)]);
            }
            ConditionOperator::Neq => return Err("`neq` is not a threshold; use gt or lt".into()),
        }
    }
    Ok(found)
}
