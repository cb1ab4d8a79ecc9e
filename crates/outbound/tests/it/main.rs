//! Both clients against real sockets.

#[cfg(test)]
mod guarded;
#[cfg(test)]
mod upstream;
