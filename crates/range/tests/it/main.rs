//! The range from outside, over real sockets.

mod sdk;
