//! The gateway over real sockets: scripted upstream, stand-in for control, real log.

mod bad_input;
mod containment;
mod durability;
mod faults;
mod mediation;
mod passing;
mod planted_requests;
mod planted_responses;
mod sdk;
mod streams;
mod support;
mod wires;
