//! Control over a real SQLite file and a real interaction log, with time by hand.

mod accounts;
mod approvals;
mod enforcement;
mod flow;
mod inventory;
mod lab;
mod policy;
