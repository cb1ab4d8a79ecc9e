//! From tokens to a fixed number of figures: the heads' logits over sliding windows and over the
//! whole text, by running sums.
//!
//! Tokens are summed in blocks of [`BLOCK`]; a window is [`NARROW`] or [`WIDE`] blocks that end at
//! the newest. Memory is constant, whatever the length of the text.

use super::text::{Shape, Sink, walk};

/// Heads of the first stage: any attack, jailbreak, extraction, command, request, harm, mention.
pub const HEADS: usize = 7;
/// Bytes of a bucket: a weight of each head, then the fingerprint of the feature it belongs to.
pub const ROW: usize = HEADS + 1;
/// Tokens in a block.
pub const BLOCK: u32 = 8;
/// Blocks of a narrow window: about a sentence.
pub const NARROW: usize = 2;
/// Blocks of a wide window: about a paragraph.
pub const WIDE: usize = 6;
/// Figures of a head: narrow and wide maximum, mean, narrow maximum above the mean, second
/// narrow maximum apart from the first, first and last narrow window.
pub const PER_HEAD: usize = 7;
/// Figures about the shape of the text.
pub const SHAPE: usize = 10;
/// Figures of a text.
pub const FIGURES: usize = HEADS * PER_HEAD + SHAPE;

/// The weights of the first stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// One row a bucket, quantised; the number of rows is a power of two. A feature that is not
    /// the bucket's own adds nothing, so that what was never seen in training is silent.
    pub rows: Vec<[i8; ROW]>,
    /// What one step of a quantised weight is worth.
    pub scale: [f32; HEADS],
    /// The logit of a window without any feature.
    pub bias: [f32; HEADS],
}

impl Table {
    /// How far to shift a mixed hash to get its row.
    fn shift(&self) -> u32 {
        32 - self.rows.len().trailing_zeros()
    }
}

/// The bucket of a feature hash, and its fingerprint there.
pub const fn bucket(hash: u32, shift: u32) -> (usize, i8) {
    let mixed = hash.wrapping_mul(0x9e37_79b1);
    ((mixed >> shift) as usize, mixed as i8)
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    heads: [i32; HEADS],
    features: i32,
}

impl Sum {
    fn add(&mut self, other: Self) {
        for (mine, its) in self.heads.iter_mut().zip(other.heads) {
            *mine += its;
        }
        self.features += other.features;
    }
}

struct Pool<'a> {
    rows: &'a [[i8; ROW]],
    shift: u32,
    table: &'a Table,
    block: Sum,
    tokens: u32,
    blocks: u32,
    last: [Sum; WIDE],
    mean: [f64; HEADS],
    features: u64,
    narrow: [f32; HEADS],
    narrow_at: [u32; HEADS],
    second: [f32; HEADS],
    wide: [f32; HEADS],
    first: [f32; HEADS],
    newest: [f32; HEADS],
}

impl Sink for Pool<'_> {
    fn token(&mut self, features: &[u32]) {
        for &hash in features {
            let (at, fingerprint) = bucket(hash, self.shift);
            if let Some(row) = self.rows.get(at).filter(|row| row[HEADS] == fingerprint) {
                for (sum, weight) in self.block.heads.iter_mut().zip(row) {
                    *sum += i32::from(*weight);
                }
            }
        }
        self.block.features += features.len() as i32;
        self.tokens += 1;
        if self.tokens == BLOCK {
            self.close();
        }
    }
}

impl Pool<'_> {
    fn close(&mut self) {
        let block = std::mem::take(&mut self.block);
        self.tokens = 0;
        self.last.rotate_right(1);
        self.last[0] = block;
        for (mean, sum) in self.mean.iter_mut().zip(block.heads) {
            *mean += f64::from(sum);
        }
        self.features += u64::from(block.features.unsigned_abs());
        let (narrow, wide) = (self.window(NARROW), self.window(WIDE));
        let here = self.blocks;
        for head in 0..HEADS {
            if here == 0 {
                self.first[head] = narrow[head];
            }
            if here == 0 || narrow[head] > self.narrow[head] {
                if here > 0 && here - self.narrow_at[head] >= NARROW as u32 {
                    self.second[head] = self.second[head].max(self.narrow[head]);
                }
                self.narrow[head] = narrow[head];
                self.narrow_at[head] = here;
            } else if here - self.narrow_at[head] >= NARROW as u32 {
                self.second[head] = self.second[head].max(narrow[head]);
            }
            self.wide[head] = if here == 0 { wide[head] } else { self.wide[head].max(wide[head]) };
        }
        self.newest = narrow;
        self.blocks += 1;
    }

    fn window(&self, blocks: usize) -> [f32; HEADS] {
        let mut sum = Sum::default();
        for block in &self.last[..blocks] {
            sum.add(*block);
        }
        logits(self.table, sum.heads.map(|sum| sum as f32), sum.features as f32)
    }

    fn mean(&self) -> [f32; HEADS] {
        let features = self.features.max(1) as f64;
        let paragraph = f64::from(WIDE as u32 * BLOCK * 7).min(features);
        let share = paragraph / features;
        logits(self.table, self.mean.map(|sum| (sum * share) as f32), paragraph as f32)
    }
}

/// The heads' logits of a sum over `features` features.
fn logits(table: &Table, sums: [f32; HEADS], features: f32) -> [f32; HEADS] {
    let norm = norm(features);
    let mut out = table.bias;
    for head in 0..HEADS {
        out[head] += sums[head] * table.scale[head] * norm;
    }
    out
}

/// What the sum of a window of `features` features is multiplied by.
pub fn norm(features: f32) -> f32 {
    1.0 / features.max(24.0).sqrt()
}

/// The figures of `text`, in the order heads × [`PER_HEAD`], then shape.
pub fn figures(table: &Table, text: &str) -> [f32; FIGURES] {
    let mut pool = Pool {
        rows: &table.rows,
        shift: table.shift(),
        table,
        block: Sum::default(),
        tokens: 0,
        blocks: 0,
        last: [Sum::default(); WIDE],
        mean: [0.0; HEADS],
        features: 0,
        narrow: [0.0; HEADS],
        narrow_at: [0; HEADS],
        second: [-4.0; HEADS],
        wide: [0.0; HEADS],
        first: [0.0; HEADS],
        newest: [0.0; HEADS],
    };
    let shape = walk(text, &mut pool);
    if pool.tokens > 0 || pool.blocks == 0 {
        pool.close();
    }
    let mean = pool.mean();
    let mut out = [0.0; FIGURES];
    for head in 0..HEADS {
        let all = [
            pool.narrow[head],
            pool.wide[head],
            mean[head],
            pool.narrow[head] - mean[head],
            pool.second[head],
            pool.first[head],
            pool.newest[head],
        ];
        for (place, figure) in all.into_iter().enumerate() {
            out[head * PER_HEAD + place] = figure.clamp(-12.0, 12.0);
        }
    }
    out[HEADS * PER_HEAD..].copy_from_slice(&of_shape(shape));
    out
}

fn of_shape(shape: Shape) -> [f32; SHAPE] {
    let length = shape.characters.max(1) as f32;
    let words = shape.words.max(1) as f32;
    let ratio = |count: u32, of: f32| (count as f32 / of).min(1.0);
    [
        (shape.words as f32 + 1.0).ln() * 0.5,
        ratio(shape.capitals, words) * 4.0,
        ratio(shape.marks, length) * 4.0,
        ratio(shape.digits, length) * 4.0,
        ratio(shape.lines, words) * 4.0,
        ratio(shape.quotes, words) * 4.0,
        ratio(shape.long, words) * 8.0,
        ratio(shape.mixed, words) * 8.0,
        (length / words).min(24.0) * 0.1,
        f32::from(u8::from(shape.words < 6)),
    ]
}
