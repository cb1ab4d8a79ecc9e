//! The wire formats against whole bodies and streams.

mod degrading;
mod mediation;
mod replies;
mod requests;
mod streams;
