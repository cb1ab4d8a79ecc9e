//! Containment directives. The transitions and the compiled table live in `quell-response`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::id::{ApprovalId, IncidentId, MeasureId};
use crate::rule::Direction;

/// What a measure applies to, inside one application.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Everything of the application.
    Application,
    /// One end user.
    User {
        /// The user, as the gateway identifies it.
        user: String,
    },
    /// One session.
    Session {
        /// The session.
        session: String,
    },
    /// One address.
    Address {
        /// The address, without port.
        address: String,
    },
    /// One Quell key.
    ApiKey {
        /// The key's id.
        key: String,
    },
    /// One tool, by name.
    Tool {
        /// The tool.
        tool: String,
    },
    /// One model, as the client asks for it.
    Model {
        /// The model.
        model: String,
    },
    /// One upstream.
    Upstream {
        /// The upstream's name.
        upstream: String,
    },
    /// Text that matches.
    Pattern {
        /// The pattern.
        pattern: TextPattern,
    },
}

/// A literal or linear-time regex over text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TextPattern {
    /// The literal or the regex. Case-insensitive.
    pub text: String,
    /// Whether `text` is a regex.
    #[serde(default)]
    pub regex: bool,
    /// Where it applies; both when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<Direction>,
    /// A text that matches, for the probe. Required for a regex; a literal is its own sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
}

/// What a measure does to traffic it applies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Level 1: refuse, or cut a running stream.
    Restrict,
    /// Level 2: serve with fewer capabilities.
    Degrade {
        /// What is taken away.
        #[serde(flatten)]
        limits: Degradation,
    },
    /// Level 3: answer without the model.
    Fallback,
    /// Level 4: offline.
    Shutdown,
}

/// What degrading takes away. Several degrades combine to the strictest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Degradation {
    /// Remove tools from requests.
    pub remove_tools: bool,
    /// Clamp output tokens.
    pub max_tokens: Option<u32>,
    /// Keep the system text and only this many of the last messages.
    pub keep_messages: Option<u32>,
    /// Put the application's strict preamble in front.
    pub strict_preamble: bool,
}

impl Default for Degradation {
    fn default() -> Self {
        Self {
            remove_tools: true,
            max_tokens: Some(200),
            keep_messages: Some(4),
            strict_preamble: true,
        }
    }
}

impl Effect {
    /// The containment level, 1 to 4.
    pub const fn level(&self) -> u8 {
        match self {
            Self::Restrict => 1,
            Self::Degrade { .. } => 2,
            Self::Fallback => 3,
            Self::Shutdown => 4,
        }
    }

    /// The level's name: `restrict`, `degrade`, `fallback`, `shutdown`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Restrict => "restrict",
            Self::Degrade { .. } => "degrade",
            Self::Fallback => "fallback",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Where a measure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MeasureState {
    /// Suggested; nothing happens until a person applies it.
    Proposed,
    /// A level-4 measure somebody entitled has approved.
    Approved,
    /// In the snapshot, on its way to the gateways.
    Requested,
    /// Every live gateway holds the epoch.
    Acknowledged,
    /// A probe through each gateway's own data path met the intended treatment.
    Verified,
    /// A probe met something else, or a gateway refused it.
    Failed,
    /// Being withdrawn.
    Lifting,
    /// Withdrawn, and a probe passed again.
    Lifted,
    /// Ran out by itself.
    Expired,
    /// A proposal nobody wanted.
    Rejected,
}

impl MeasureState {
    /// In lifecycle order.
    pub const ALL: [Self; 10] = [
        Self::Proposed,
        Self::Approved,
        Self::Requested,
        Self::Acknowledged,
        Self::Verified,
        Self::Failed,
        Self::Lifting,
        Self::Lifted,
        Self::Expired,
        Self::Rejected,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Requested => "requested",
            Self::Acknowledged => "acknowledged",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Lifting => "lifting",
            Self::Lifted => "lifted",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
        }
    }

    /// Whether the measure belongs in the snapshot. A failed one stays: broken enforcement is
    /// no reason to stop trying.
    pub const fn in_force(self) -> bool {
        matches!(self, Self::Requested | Self::Acknowledged | Self::Verified | Self::Failed)
    }
}
crate::incident::text_enum!(MeasureState);

/// One containment directive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Measure {
    /// Identity.
    pub id: MeasureId,
    /// The application it acts on.
    pub application: String,
    /// What inside the application.
    pub target: Target,
    /// What it does.
    pub effect: Effect,
    /// Why, in words.
    pub reason: String,
    /// The incident it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Who asked for it.
    pub actor: Actor,
    /// The approval it rests on; required at level 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub state: MeasureState,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it entered the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
    /// When the last live gateway acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
    /// When the last live gateway's probe met the intended treatment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// When it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The epoch that first carried its present state.
    pub epoch: u64,
    /// What the last probe said, per gateway, or why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Raised on every stored change.
    pub version: i64,
}
