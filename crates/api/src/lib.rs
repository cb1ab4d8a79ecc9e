//! Quell: api.
