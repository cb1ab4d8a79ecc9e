//! The range from outside, over real sockets.

mod campaign;
mod sdk;
