//! Quell: evidence.
