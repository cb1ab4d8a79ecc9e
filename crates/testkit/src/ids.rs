//! Ids and random bytes that are the same in every run.

use parking_lot::Mutex;
use quell_domain::IdSource;
use uuid::Uuid;

/// Rising UUIDv7 values and pseudo-random bytes from a seed. Not for secrets.
#[derive(Debug)]
pub struct SeededIds {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: u64,
    count: u64,
}

impl SeededIds {
    /// A source whose every value follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new(State { random: seed, count: 0 }) }
    }
}

impl Default for SeededIds {
    fn default() -> Self {
        Self::new(1)
    }
}

impl IdSource for SeededIds {
    fn uuid(&self) -> Uuid {
        let mut state = self.state.lock();
        state.count += 1;
        let (count, random) = (state.count, state.next());
        let mut bytes = [0; 16];
        // The 48 bits of time carry the count, so that ids rise.
        bytes[..6].copy_from_slice(&(FIRST_MILLIS + count).to_be_bytes()[2..]);
        bytes[8..].copy_from_slice(&random.to_be_bytes());
        bytes[6] = 0x70;
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Uuid::from_bytes(bytes)
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut state = self.state.lock();
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&state.next().to_be_bytes()[..chunk.len()]);
        }
    }
}

/// 2026-01-05T09:00:00Z, where [`crate::ManualClock`] starts.
const FIRST_MILLIS: u64 = 1_767_603_600_000;

impl State {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_rising_ids() {
        let (one, two, other) = (SeededIds::new(7), SeededIds::new(7), SeededIds::new(8));
        let mut previous = Uuid::nil();
        for _ in 0..100 {
            let id = one.uuid();
            assert_eq!(id, two.uuid());
            assert_ne!(id, other.uuid());
            assert!(id > previous);
            assert_eq!(id.get_version_num(), 7);
            previous = id;
        }
        let (mut a, mut b) = ([0; 13], [0; 13]);
        one.random(&mut a);
        two.random(&mut b);
        assert_eq!(a, b);
        assert_ne!(a, [0; 13]);
    }
}
