//! Control: the incident flow over the store. Commands by people and policies, the reconcilers
//! that carry them out, and the snapshot gateways run on. No HTTP here.
//!
//! Every command is load → pure `apply` → save, with its timeline events and outbox rows, in one
//! transaction; nothing is acknowledged before the commit. Commands take an [`Access`] and answer
//! with a receipt or a [`Refused`] that has a stable code.
//!
//! Invariants: gateways never wait for control; replaying an interaction log changes nothing.

pub mod accounts;
pub mod applications;
pub mod baselines;
pub mod evidence;
pub mod feedback;
pub mod incidents;
pub mod interactions;
pub mod measures;
pub mod models;
pub mod nodes;
pub mod overview;
pub mod rules;
pub mod tokens;

mod access;
mod feed;
mod handle;
mod options;
mod reconcilers;
mod refused;
mod snapshot;
mod unit;

pub use access::Access;
pub use feed::FeedItem;
pub use handle::Control;
pub use options::ControlOptions;
pub use refused::{Class, Refused};
