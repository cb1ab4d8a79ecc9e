//! The gateway over real sockets: scripted upstream, stand-in for control, real log.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod containment;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod mediation;
#[cfg(test)]
mod models;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod planted_requests;
#[cfg(test)]
mod planted_responses;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wires;
