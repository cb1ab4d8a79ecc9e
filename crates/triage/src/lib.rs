//! Quell: triage.
