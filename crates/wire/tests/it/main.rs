//! The wire formats against whole bodies and streams.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail loudly too")]

mod degrading;
mod mediation;
mod replies;
mod requests;
mod streams;
