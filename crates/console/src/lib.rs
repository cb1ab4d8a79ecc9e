//! Quell: console.
