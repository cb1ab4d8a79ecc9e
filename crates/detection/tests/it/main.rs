//! Detection from outside: shipped content, whole texts, streams, time.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod budget;
mod content;
mod decoding;
mod import;
mod lifecycle;
mod secrets;
mod streams;
mod strict;
mod support;
mod time;
mod whole;
