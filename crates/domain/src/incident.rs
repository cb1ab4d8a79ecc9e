//! Severity and the states of an incident. The transitions live in `quell-triage`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::IncidentId;
use crate::kind::IncidentKind;
use crate::principal::Principal;
use crate::taxonomy::TaxonomyRef;

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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// An incident as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentRecord {
    /// Identity.
    pub id: IncidentId,
    /// The number people use: `INC-2026-0001`.
    pub number: String,
    /// The application it happened in.
    pub application: String,
    /// What sort of incident.
    pub kind: IncidentKind,
    /// How bad.
    pub severity: Severity,
    /// Why that severity, in words.
    #[serde(default)]
    pub severity_rationale: String,
    /// Where it stands.
    pub state: IncidentState,
    /// One line for lists.
    pub title: String,
    /// What happened, for people.
    #[serde(default)]
    pub summary: String,
    /// Why it was classified so, one sentence each.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Framework references.
    #[serde(default)]
    pub taxonomy: Vec<TaxonomyRef>,
    /// What later signals are joined by.
    pub grouping_key: String,
    /// Who was touched.
    #[serde(default)]
    pub affected: AffectedPrincipals,
    /// When its first signal arose.
    #[serde(default)]
    pub first_signal_at: Option<Timestamp>,
    /// When its latest signal arose.
    #[serde(default)]
    pub last_signal_at: Option<Timestamp>,
    /// When the case was opened.
    pub opened_at: Timestamp,
    /// When it was declared.
    #[serde(default)]
    pub declared_at: Option<Timestamp>,
    /// When it was contained.
    #[serde(default)]
    pub contained_at: Option<Timestamp>,
    /// When it ended: closed, merged or found to be a false positive.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// Why it ended.
    #[serde(default)]
    pub closing_reason: Option<String>,
    /// The incident it continues in.
    #[serde(default)]
    pub merged_into: Option<IncidentId>,
    /// How many signals it holds.
    #[serde(default)]
    pub signal_count: i64,
    /// Raised on every stored change.
    pub version: i64,
}

/// The principals an incident touched, each list sorted and cut at [`AffectedPrincipals::LIMIT`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AffectedPrincipals {
    /// End users.
    pub users: BTreeSet<String>,
    /// Sessions.
    pub sessions: BTreeSet<String>,
    /// Addresses.
    pub addresses: BTreeSet<String>,
    /// Quell keys.
    pub keys: BTreeSet<String>,
    /// Whether at least one list was cut.
    pub cut: bool,
}

impl AffectedPrincipals {
    /// The longest a list gets; a flood of users must not grow a row without end.
    pub const LIMIT: usize = 200;

    /// Adds everything known about one principal.
    pub fn add(&mut self, principal: &Principal) {
        let Self { users, sessions, addresses, keys, cut } = self;
        let found = [
            (users, principal.user.as_ref().map(|user| user.value.clone())),
            (sessions, principal.session.as_ref().map(|session| session.value.clone())),
            (addresses, principal.address.clone()),
            (keys, principal.key.map(|key| key.to_string())),
        ];
        for (list, value) in found {
            let Some(value) = value.filter(|value| !list.contains(value)) else { continue };
            if list.len() < Self::LIMIT {
                list.insert(value);
            } else {
                *cut = true;
            }
        }
    }
}
