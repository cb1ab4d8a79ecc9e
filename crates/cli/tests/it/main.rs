//! The built binary, as people call it.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod detect;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod online;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod support;
#[cfg(test)]
mod world;
