//! Incident → measures: which containment is in force for a request, how a measure moves through
//! its states, who must approve it, what a policy may do by itself, and how enforcement is proved.
//!
//! Invariant: nothing here does IO or reads a clock; `now` and ticks are passed in.

pub mod approval;
pub mod breaker;
pub mod measure;
pub mod policy;
pub mod probe;
pub mod table;
pub mod validate;

#[cfg(test)]
mod testing;

pub use approval::{Approval, ApprovalRefused, ApprovalState, BoundAction, Decision};
pub use breaker::{Breaker, BreakerState, Permit};
pub use measure::MeasureEvent;
pub use policy::{PlannedMeasure, Reach, Situation};
pub use probe::{Expectation, Judgement, Observed, Probe, ProbePlan, ProbeRequest, SinkSaw};
pub use table::{Subject, Table, TableError, Treatment};
pub use validate::{Invalid, validate};
