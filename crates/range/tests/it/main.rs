//! The range from outside, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attack_texts;
mod behaviour;
mod campaign;
mod client;
mod sdk;
mod shapes;
