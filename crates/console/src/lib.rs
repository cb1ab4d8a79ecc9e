//! The console: server-rendered pages, one folder per screen.
//!
//! Each screen has a typed context with samples, a template, and (where it answers requests) a
//! handler that only fills the context. Templates compute nothing; nothing is shown unescaped.

pub mod assets;
pub mod consequence;
mod icons;
pub mod moment;
pub mod plot;
pub mod render;
mod sample;
pub mod screens;
pub mod shell;
pub mod views;

/// The last look before something disruptive.
pub mod confirm {
    pub mod context;
}
/// Everything in force.
pub mod containment {
    pub mod context;
}
/// The rules.
pub mod detections {
    pub mod context;
}
/// What went wrong, and what to do.
pub mod errors {
    pub mod context;
}
/// One incident.
pub mod incident {
    pub mod context;
    mod samples;
}
/// Every incident.
pub mod incidents {
    pub mod context;
}
/// One exchange.
pub mod interaction {
    pub mod context;
}
/// The log of exchanges.
pub mod interactions {
    pub mod context;
}
/// What is happening now.
pub mod overview {
    pub mod context;
}
/// Accounts.
pub mod people {
    pub mod context;
}
/// Applications, upstreams, keys, gateways.
pub mod settings {
    pub mod context;
}
/// The first admin.
pub mod setup {
    pub mod context;
}
/// The door.
pub mod sign_in {
    pub mod context;
}
