//! Quell: lake.
