//! Control over a real SQLite file and a real interaction log, with time by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod accounts;
mod approvals;
mod baselines;
mod enforcement;
mod flow;
mod inventory;
mod lab;
mod policy;
mod rules;
mod spend;
