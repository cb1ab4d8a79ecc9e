//! Baselines against their oracles and against simulated traffic.
#![allow(clippy::unwrap_used, reason = "a broken test should stop here")]

mod golden;
mod simulated;
#[path = "../../examples/traffic/mod.rs"]
mod traffic;
