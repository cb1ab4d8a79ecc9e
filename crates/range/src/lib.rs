//! Quell: range.
