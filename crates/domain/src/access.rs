//! What an account or API token may do.

use serde::{Deserialize, Serialize};

/// Access roles, each including the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AccessRole {
    /// Reads everything but prompt and response text.
    Viewer,
    /// Works on incidents, reads text with a reason, applies measures up to level 3.
    Responder,
    /// Approves what others request, level 4 included.
    Approver,
    /// Manages accounts, applications, keys and rules.
    Admin,
}

impl AccessRole {
    /// Least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Responder, Self::Approver, Self::Admin];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}
crate::incident::text_enum!(AccessRole);
