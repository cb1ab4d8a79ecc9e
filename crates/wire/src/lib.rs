//! Quell: wire.
