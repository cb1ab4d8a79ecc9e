//! The API over a real control plane on a temporary database.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod containment;
mod feedback;
mod incidents;
mod lab;
mod models;
mod nodes;
mod people;
mod spend;
mod strictness;
mod text;
