//! Benchmarks of the data plane, interleaved with its peers.

fn main() {}
