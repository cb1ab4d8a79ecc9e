//! The interaction log as its users meet it.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod log;
#[cfg(test)]
mod repair;
