//! Detection from outside: shipped content, whole texts, streams, time.

mod content;
mod streams;
mod support;
