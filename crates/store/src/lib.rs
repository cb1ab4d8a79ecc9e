//! Quell: store.
