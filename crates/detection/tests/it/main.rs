//! Detection from outside: shipped content, whole texts, streams, time.

mod budget;
mod content;
mod streams;
mod strict;
mod support;
