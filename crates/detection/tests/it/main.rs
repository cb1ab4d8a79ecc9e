//! Detection from outside: shipped content, whole texts, streams, time.

mod streams;
mod support;
