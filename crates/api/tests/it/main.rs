//! The API over a real control plane on a temporary database.

mod access;
mod containment;
mod incidents;
mod lab;
mod nodes;
mod people;
mod strictness;
