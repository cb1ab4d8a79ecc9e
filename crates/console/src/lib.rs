//! The console: server-rendered pages, one folder per screen.
//!
//! Each screen has a typed context with samples, a template, and (where it answers requests) a
//! handler that only fills the context. Templates compute nothing; nothing is shown unescaped.

pub mod assets;
pub mod consequence;
mod http;
mod icons;
mod measures;
pub mod moment;
pub mod plot;
pub mod render;
mod router;
mod sample;
pub mod screens;
pub mod shell;
mod timeline;
pub mod views;

pub use router::{Console, router};

/// One application: its settings, and what is spent.
pub mod application {
    pub mod context;
    pub mod form;
    pub(crate) mod handler;
    pub mod spend;
}
/// What is normal, and what left it.
pub mod baselines {
    pub mod context;
    pub(crate) mod handler;
    pub mod plot;
}
/// The last look before something disruptive.
pub mod confirm {
    pub mod context;
}
/// Everything in force.
pub mod containment {
    pub mod context;
    pub(crate) mod handler;
}
/// The rules.
pub mod detections {
    pub mod context;
    pub(crate) mod handler;
    pub mod proposed;
}
/// What went wrong, and what to do.
pub mod errors {
    pub mod context;
}
/// One incident.
pub mod incident {
    pub mod context;
    pub(crate) mod evidence;
    pub(crate) mod fill;
    pub(crate) mod handler;
    mod samples;
}
/// Every incident.
pub mod incidents {
    pub mod context;
    pub(crate) mod handler;
}
/// One exchange.
pub mod interaction {
    pub mod context;
    pub(crate) mod handler;
}
/// The log of exchanges.
pub mod interactions {
    pub mod context;
    pub(crate) mod handler;
}
/// Classifiers.
pub mod models {
    pub mod context;
    pub(crate) mod handler;
}
/// What is happening now.
pub mod overview {
    pub mod context;
    pub(crate) mod handler;
}
/// Accounts.
pub mod people {
    pub mod context;
    pub(crate) mod handler;
}
/// One rule.
pub mod rule {
    pub mod backtest;
    pub mod context;
    pub(crate) mod handler;
}
/// Applications, upstreams, keys, gateways.
pub mod settings {
    pub mod context;
    pub(crate) mod handler;
}
/// The first admin.
pub mod setup {
    pub mod context;
    pub(crate) mod handler;
}
/// One signal.
pub mod signal {
    pub mod context;
    pub(crate) mod handler;
}
/// The door.
pub mod sign_in {
    pub mod context;
    pub(crate) mod handler;
}
