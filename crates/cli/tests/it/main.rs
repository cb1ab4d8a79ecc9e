//! The built binary, as people call it.

mod cli;
mod demo;
mod kill;
mod online;
mod serve;
mod support;
mod world;
