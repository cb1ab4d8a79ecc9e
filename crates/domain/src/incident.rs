//! Severity and the states of an incident. The transitions live in `quell-triage`.

use serde::{Deserialize, Serialize};

/// Gives an enum with `ALL` and `as_str` its `Display` and `FromStr`.
macro_rules! text_enum {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::incident::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| {
                    $crate::incident::UnknownName::new(
                        stringify!($name),
                        text,
                        Self::ALL.map(Self::as_str).join(", "),
                    )
                })
            }
        }
    };
}
pub(crate) use text_enum;

/// A name outside a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is not a {what}; expected one of {expected}")]
pub struct UnknownName {
    what: &'static str,
    got: String,
    expected: String,
}

impl UnknownName {
    /// Names the list and what was found instead, cut to 64 characters.
    pub fn new(what: &'static str, got: &str, expected: String) -> Self {
        Self { what, got: got.chars().take(64).collect(), expected }
    }
}

/// How bad it is. Rules may raise it; only people lower it, with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Minor issues, no immediate risk.
    Low,
    /// Limited impact, degraded performance.
    Medium,
    /// Major functionality impaired, potential harm.
    High,
    /// System-wide failure, data breach, safety risk.
    Critical,
}

impl Severity {
    /// From worst to least.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}
text_enum!(Severity);

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// Cheap, not yet declared.
    Triage,
    /// Declared; people are on it.
    Active,
    /// Harm has stopped.
    Contained,
    /// The cause is being removed.
    Eradicating,
    /// Traffic is coming back step by step.
    Recovering,
    /// Back to normal, watched for recurrence.
    Monitoring,
    /// Done.
    Closed,
    /// Was not an incident.
    FalsePositive,
    /// Continues in another incident.
    Merged,
}

impl IncidentState {
    /// In lifecycle order.
    pub const ALL: [Self; 9] = [
        Self::Triage,
        Self::Active,
        Self::Contained,
        Self::Eradicating,
        Self::Recovering,
        Self::Monitoring,
        Self::Closed,
        Self::FalsePositive,
        Self::Merged,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Active => "active",
            Self::Contained => "contained",
            Self::Eradicating => "eradicating",
            Self::Recovering => "recovering",
            Self::Monitoring => "monitoring",
            Self::Closed => "closed",
            Self::FalsePositive => "false_positive",
            Self::Merged => "merged",
        }
    }

    /// Whether work is still expected: neither closed, merged nor a false positive.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::FalsePositive | Self::Merged)
    }
}
text_enum!(IncidentState);
