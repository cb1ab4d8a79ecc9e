//! The nouns every other crate shares: ids, time, principals, interactions, signals, measures,
//! incidents, timeline events and the snapshot a gateway runs on.
//!
//! Invariant: nothing here does IO. Time and ids come in through [`Clock`] and [`IdSource`].

pub mod access;
pub mod actor;
pub mod application;
pub mod backtest;
pub mod budget;
pub mod canonical;
pub mod clock;
pub mod event;
pub mod feedback;
pub mod id;
pub mod incident;
pub mod interaction;
pub mod kind;
pub mod measure;
#[cfg(feature = "openapi")]
mod openapi;
pub mod principal;
pub mod rule;
pub mod signal;
pub mod snapshot;
pub mod streaming;
pub mod taxonomy;

pub use access::AccessRole;
pub use actor::Actor;
pub use clock::{Clock, SystemClock};
pub use id::{
    AccountId, ApiKeyId, ApprovalId, EventId, EvidenceId, Id, IdSource, IncidentId, InteractionId,
    MeasureId, NoteId, RuleChangeId, SignalId, SystemIds, TokenId,
};
pub use incident::{AffectedPrincipals, IncidentRecord, IncidentState, Severity};
pub use interaction::Interaction;
pub use kind::IncidentKind;
pub use measure::{Measure, MeasureState};
pub use principal::{Graded, Principal, TrustGrade};
pub use signal::Signal;
pub use snapshot::Snapshot;
