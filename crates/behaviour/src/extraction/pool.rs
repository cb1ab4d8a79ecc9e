//! The usual questions of one application: a bounded random sample to compare windows with.

use std::collections::BTreeMap;

use super::embed::DIMENSIONS;
use super::features::of_point;
use super::mmd::{DRAWS, Null, Sum};
use crate::hash;

/// Questions kept, 256 bytes each.
pub const POOL: usize = 2_048;
/// Questions from which on windows are compared.
pub const READY: usize = 512;
/// Questions of one principal that are taken in before others must come: nobody makes up the
/// reference alone.
const SHARE: u64 = 16;

/// The sample, and what follows from it.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    points: Vec<Vec<i8>>,
    offered: u64,
    taken: BTreeMap<u64, u64>,
    /// Changes since the derived parts were made.
    stale: usize,
    reference: Option<Sum>,
    nulls: BTreeMap<usize, Null>,
}

impl Pool {
    /// Offers a question's point. `key` tells this question from others, so that a replay makes
    /// the same choice.
    pub fn offer(&mut self, sender: &str, key: u64, point: &[f32]) {
        let total: u64 = self.taken.values().sum();
        let own = self.taken.entry(hash::of(sender)).or_default();
        if *own >= SHARE && *own * 50 > total {
            return;
        }
        *own += 1;
        if self.taken.len() > 4 * POOL {
            self.taken.clear();
        }
        self.offered += 1;
        let point: Vec<i8> = point.iter().map(|n| (n * 127.0).round() as i8).collect();
        if self.points.len() < POOL {
            self.points.push(point);
            self.stale += 1;
        } else {
            // Reservoir sampling, with the key in place of chance.
            let place = hash::mix(key) % self.offered.min(8 * POOL as u64);
            if let Some(held) = self.points.get_mut(place as usize) {
                *held = point;
                self.stale += 1;
            }
        }
    }

    /// Questions held.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Whether windows can be compared with it.
    pub fn is_ready(&self) -> bool {
        self.points.len() >= READY
    }

    /// The reference sum and the null distribution for windows of `size`; none before it is ready.
    /// Made anew when half of the sample has changed; otherwise kept.
    pub fn judge(&mut self, size: usize) -> Option<(&Sum, &Null)> {
        if !self.is_ready() {
            return None;
        }
        if self.stale * 2 > self.points.len() {
            self.reference = None;
            self.nulls.clear();
            self.stale = 0;
        }
        let half = self.points.len() / 2;
        let features = |points: &[Vec<i8>]| -> Vec<Vec<f32>> {
            points.iter().map(|point| of_point(&unit(point))).collect()
        };
        if self.reference.is_none() {
            let mut sum = Sum::default();
            for features in features(&self.points[..half]) {
                sum.add(&features);
            }
            self.reference = Some(sum);
        }
        let reference = self.reference.as_ref()?;
        if !self.nulls.contains_key(&size) {
            let pool = features(&self.points[half..]);
            self.nulls.insert(size, Null::draw(&pool, reference, size, DRAWS, size as u64));
        }
        Some((reference, self.nulls.get(&size)?))
    }

    /// The sample as bytes, for [`Pool::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        let bytes = self.points.iter().flatten().map(|number| number.cast_unsigned());
        self.offered.to_le_bytes().into_iter().chain(bytes).collect()
    }

    /// The pool that [`Pool::snapshot`] saved; none when the bytes are not one.
    pub fn restore(bytes: &[u8]) -> Option<Self> {
        let (offered, points) = bytes.split_first_chunk::<8>()?;
        let whole = points.len().is_multiple_of(DIMENSIONS) && points.len() <= POOL * DIMENSIONS;
        let of = |chunk: &[u8]| chunk.iter().map(|byte| byte.cast_signed()).collect();
        whole.then(|| Self {
            points: points.chunks_exact(DIMENSIONS).map(of).collect(),
            offered: u64::from_le_bytes(*offered),
            stale: POOL,
            ..Self::default()
        })
    }
}

/// The kept point at length 1 again.
fn unit(point: &[i8]) -> Vec<f32> {
    let length = point.iter().map(|n| f32::from(*n) * f32::from(*n)).sum::<f32>().sqrt();
    point.iter().map(|n| f32::from(*n) / length.max(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::embed::embed;
    use super::*;

    #[test]
    fn one_sender_cannot_fill_the_pool() {
        let mut pool = Pool::default();
        for n in 0..1_000 {
            pool.offer("one", n, &embed(&format!("question {n}")));
        }
        assert!(pool.len() <= 20, "{}", pool.len());
        assert!(pool.judge(100).is_none());
    }

    #[test]
    fn it_is_bounded_and_survives_a_restart() {
        let mut pool = Pool::default();
        for n in 0..5_000_u64 {
            pool.offer(&format!("u{}", n % 97), n, &embed(&format!("question {n} {}", n * n)));
        }
        assert_eq!(pool.len(), POOL);
        let mut again = Pool::restore(&pool.snapshot()).expect("its own bytes");
        assert_eq!(again.snapshot(), pool.snapshot());
        let limit = pool.judge(100).map(|(_, null)| null.quantile(0.99));
        assert_eq!(again.judge(100).map(|(_, null)| null.quantile(0.99)), limit);
        assert!(Pool::restore(&[0; 99]).is_none());
    }
}
