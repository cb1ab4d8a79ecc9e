//! Quell: control.
