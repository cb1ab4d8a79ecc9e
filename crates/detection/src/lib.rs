//! Quell: detection.
