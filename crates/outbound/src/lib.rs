//! Quell: outbound.
