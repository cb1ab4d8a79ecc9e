//! Both clients against real sockets.

#[cfg(test)]
mod guarded;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod upstream;
