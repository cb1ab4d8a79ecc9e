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
    /// At most.
    AtMost(u64),
}

impl Threshold {
    pub(crate) const fn met(self, value: u64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }
}

impl Correlation {
    /// Reads a parsed correlation; what it asks for that Quell does not do is refused.
    pub(super) fn read(rule: usize, parsed: &CorrelationRule) -> Result<Self, String> {
        let (predicates, fields) = match &parsed.condition {
            CorrelationCondition::Threshold { predicates, field, .. } => {
                (predicates.as_slice(), field.clone().unwrap_or_default())
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
            CorrelationType::Temporal => Aggregate::Temporal,
            CorrelationType::TemporalOrdered => Aggregate::Ordered,
            other => return Err(format!("correlation type {} is not supported", other.as_str())),
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
            ConditionOperator::Gt => found.push(Threshold::AtLeast(value.saturating_add(1))),
            ConditionOperator::Lte => found.push(Threshold::AtMost(*value)),
            ConditionOperator::Lt => found.push(Threshold::AtMost(value.saturating_sub(1))),
            ConditionOperator::Eq => {
                found.extend([Threshold::AtLeast(*value), Threshold::AtMost(*value)]);
            }
            ConditionOperator::Neq => return Err("`neq` is not a threshold; use gt or lt".into()),
        }
    }
    Ok(found)
}
