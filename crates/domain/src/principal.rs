//! Who an interaction came from, and how far each claim can be trusted.

use serde::{Deserialize, Serialize};

use crate::id::ApiKeyId;

/// How a claim about a principal was established, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrustGrade {
    /// Seen on the wire: an address.
    Observed,
    /// Set by the client: a header or body field. Forgeable.
    Asserted,
    /// A verified token claim, or a key bound to a user.
    Authenticated,
}

impl TrustGrade {
    /// Weakest first.
    pub const ALL: [Self; 3] = [Self::Observed, Self::Asserted, Self::Authenticated];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Asserted => "asserted",
            Self::Authenticated => "authenticated",
        }
    }
}
crate::incident::text_enum!(TrustGrade);

/// A claim with its trust grade.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Graded {
    /// The claimed value.
    pub value: String,
    /// How it was established.
    pub grade: TrustGrade,
}

/// Everything known about the other side of an interaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Principal {
    /// The end user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Graded>,
    /// The conversation or login session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Graded>,
    /// The peer's address, or what a trusted proxy said it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The Quell key presented. Always authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApiKeyId>,
}
