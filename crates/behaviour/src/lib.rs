//! What only shows over several requests: a principal's score that fades, the same text again,
//! and query distributions that want a copy of the model.
//!
//! Invariants: no IO, no clock, no chance; times come with the records, hashes are fixed. All
//! state is bounded, holds no text, and what happens at each limit is said where it stands.

pub mod duplicates;
mod engine;
pub mod extraction;
mod hash;
pub mod minhash;
pub mod session;
mod words;

pub use engine::{Behaviour, COMPARED, FACTS, Observation, Saved};
