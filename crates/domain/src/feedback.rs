//! What people say about a detector's finding.

use serde::{Deserialize, Serialize};

/// Whether a finding was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// It was what the rule says.
    Confirmed,
    /// It was not.
    FalsePositive,
}

impl Label {
    /// Both labels.
    pub const ALL: [Self; 2] = [Self::Confirmed, Self::FalsePositive];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::FalsePositive => "false_positive",
        }
    }
}
crate::incident::text_enum!(Label);

/// How a label came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// A person looked at this signal. Never overwritten by the end of an incident.
    Person,
    /// The incident it belongs to was closed or dismissed.
    Incident,
}

impl LabelSource {
    /// Both sources.
    pub const ALL: [Self; 2] = [Self::Person, Self::Incident];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Incident => "incident",
        }
    }
}
crate::incident::text_enum!(LabelSource);
