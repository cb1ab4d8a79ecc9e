//! Signals → incident: which incident a finding belongs to, what sort it is, how bad it is, and
//! how it moves through its states.
//!
//! Invariant: nothing here does IO or reads a clock; `now` is passed in. What is decided by
//! wording (severity rules, incident roles) is content under `content/triage/`.

pub mod classify;
pub mod grouping;
pub mod impact;
pub mod lifecycle;
pub mod roles;
pub mod severity;

pub use classify::{Classification, Confidence, classify};
pub use grouping::{Candidate, Group, JoinReason, group_key, joins, opens};
pub use impact::Impact;
pub use lifecycle::{IncidentEvent, Refused, apply};
pub use roles::IncidentRole;
#[cfg(test)]
mod testing;

pub use severity::{SeverityRules, Verdict};
