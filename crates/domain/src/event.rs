//! Timeline events: the single source of truth about an incident. Stored once, never updated;
//! a correction is another event that supersedes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::canonical::{FloatFound, canonical_json, sha256_hex};
use crate::id::{EventId, IncidentId};

/// An event before it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The incident; none for events of the system itself (accounts, applications, keys).
    pub incident: Option<IncidentId>,
    /// Dotted noun.verb, e.g. `incident.opened`, `measure.verified`, `note.added`.
    pub kind: String,
    /// Who.
    pub actor: Actor,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The event it corrects.
    pub supersedes: Option<EventId>,
    /// Particulars: ids, states, reasons. No floats, no prompt or response text.
    pub data: Map<String, Value>,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineEvent {
    /// Identity.
    pub id: EventId,
    /// The incident, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Position in the incident, from 1; 0 for system events.
    pub sequence: i64,
    /// Position over all events, from 1.
    pub global_sequence: i64,
    /// Dotted noun.verb.
    pub kind: String,
    /// Who.
    pub actor: Actor,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// The event it corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<EventId>,
    /// Particulars.
    pub data: Map<String, Value>,
    /// Hex of 16 random bytes that keep the hash from being guessed.
    pub salt: String,
    /// SHA-256 of [`TimelineEvent::canonical_bytes`].
    pub sha256: String,
}

impl TimelineEvent {
    /// Seals a new event: fixes its bytes and their hash.
    pub fn seal(
        new: NewEvent,
        id: EventId,
        sequence: i64,
        global_sequence: i64,
        recorded_at: Timestamp,
        salt: [u8; 16],
    ) -> Result<Self, FloatFound> {
        let mut event = Self {
            id,
            incident: new.incident,
            sequence,
            global_sequence,
            kind: new.kind,
            actor: new.actor,
            occurred_at: new.occurred_at,
            recorded_at,
            supersedes: new.supersedes,
            data: new.data,
            salt: hex::encode(salt),
            sha256: String::new(),
        };
        event.sha256 = sha256_hex(&event.canonical_bytes()?);
        Ok(event)
    }

    /// The RFC 8785 bytes the hash covers: everything but the hash itself.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, FloatFound> {
        canonical_json(&json!({
            "id": self.id.to_string(),
            "incident": self.incident.map(|id| id.to_string()),
            "sequence": self.sequence,
            "global_sequence": self.global_sequence,
            "kind": self.kind,
            "actor": self.actor.to_string(),
            "occurred_at_us": self.occurred_at.as_microsecond(),
            "recorded_at_us": self.recorded_at.as_microsecond(),
            "supersedes": self.supersedes.map(|id| id.to_string()),
            "data": self.data,
            "salt": self.salt,
        }))
    }

    /// Whether the stored hash is that of the stored bytes.
    pub fn is_intact(&self) -> bool {
        self.canonical_bytes().is_ok_and(|bytes| sha256_hex(&bytes) == self.sha256)
    }
}
