//! What is normal for an application, and when it is not: pure, no clock, no IO.
//!
//! [`Book`] takes one [`Observation`] after another, closes cells of time, and gives an [`Alarm`]
//! when a metric leaves its baseline. Positive metrics are judged by seasonal level and CUSUM
//! (`seasonal`), rates by Bernoulli CUSUM (`rate`); [`stream`] holds detectors for unbounded
//! streams. What an operator sets is how many false alarms a week are bearable; thresholds follow
//! from that by simulation (`calibrate`).
//!
//! Invariants: time is the records' own; counting is independent of the order of records within a
//! cell; every collection has a limit beside it.

mod book;
mod calibrate;
mod cell;
mod metric;
mod observe;
#[cfg(test)]
mod oracle_tests;
mod rate;
mod scope;
mod seasonal;
mod series;
pub mod stream;

pub use book::{Book, BookAlarm, Limits, SavedScope, Settings, Unreadable};
pub use calibrate::Budget;
pub use cell::Cell;
pub use metric::{Change, METRICS, Metric, UnknownMetric};
pub use observe::{Answer, Observation, Script, principal_class};
pub use rate::Rate;
pub use scope::{Alarm, Dimension, Phase, Point, Scope, ScopeKey};
pub use seasonal::{Level, Terms, Verdict};
pub use series::{DAYS_KEPT, DAYS_TRAINING, Series};
