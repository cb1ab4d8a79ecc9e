//! Quell: gateway.
