//! A deliberately vulnerable LLM application and a traffic generator, for the demo, for tests and
//! for exercises.
//!
//! Read in this order: [`config`] says how weak the range is, `ask` is one question in any of the
//! wire shapes, `model` answers it by rule, `wire` writes the answer in the shape it was asked
//! in, [`server`] puts that on a loopback port. [`campaign`] is the other side: clients.
//! [`conversations`] makes, trains and measures escalating conversations; [`traffic`] plays hours of
//! simulated traffic through the product; [`extraction`] measures the test for copied models.
//!
//! Nothing the range says is harmful. Where a real model would give in to a jailbreak, the range
//! writes the marker [`UNSAFE_MARKER`] and a sentence that says nothing.

mod ask;
pub mod campaign;
pub mod config;
pub mod conversations;
pub mod dice;
pub mod documents;
pub mod extraction;
mod fault;
mod model;
pub mod planted;
pub mod server;
pub mod tools;
pub mod traffic;
mod wire;

pub use config::RangeConfig;
pub use planted::Planted;
pub use server::{RangeCounts, RangeServer, StartError};

/// Stands in every answer in which the range obeyed an attack.
pub const UNSAFE_MARKER: &str = "RANGE-UNSAFE-CONTENT";
