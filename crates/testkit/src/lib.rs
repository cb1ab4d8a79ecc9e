//! Quell: testkit.
