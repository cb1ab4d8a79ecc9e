//! How a rule acts once it matches.

use serde::{Deserialize, Serialize};

/// Whether a rule's effect is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleMode {
    /// Report what would have happened.
    Shadow,
    /// Do it.
    Enforce,
}

impl RuleMode {
    /// Both modes.
    pub const ALL: [Self; 2] = [Self::Shadow, Self::Enforce];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
        }
    }
}
crate::incident::text_enum!(RuleMode);

/// What a match does to the traffic, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleEffect {
    /// Raise a signal, let the traffic pass.
    Signal,
    /// Replace the matched spans.
    Redact,
    /// Refuse the request, or cut the response.
    Block,
}

impl RuleEffect {
    /// Weakest first.
    pub const ALL: [Self; 3] = [Self::Signal, Self::Redact, Self::Block];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}
crate::incident::text_enum!(RuleEffect);

/// Which way the text was going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the model.
    Input,
    /// Towards the client.
    Output,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Input, Self::Output];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}
crate::incident::text_enum!(Direction);

/// What happens when a judgement could not be made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailMode {
    /// Let it pass, and say so in the record.
    Open,
    /// Refuse it.
    #[default]
    Closed,
}
