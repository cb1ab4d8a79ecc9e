//! Incident → measures: which containment is in force for a request, how a measure moves through
//! its states, who must approve it, what a policy may do by itself, and how enforcement is proved.
//!
//! Invariant: nothing here does IO or reads a clock; `now` and ticks are passed in.

pub mod breaker;
pub mod table;
pub mod validate;

pub use breaker::{Breaker, BreakerState, Permit};
pub use table::{Subject, Table, TableError, Treatment};
pub use validate::{Invalid, validate};
