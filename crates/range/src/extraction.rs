//! How well query distributions tell a copier of the model: simulated attackers, alone and mixed
//! into ordinary traffic, against the discrepancy test the product uses.

use std::collections::BTreeMap;
use std::path::Path;

use quell_behaviour::extraction::features::features;
use quell_behaviour::extraction::mmd::{DRAWS, Null, Sum, mmd2};

use crate::conversations::corpus::{CorpusError, rows};
use crate::dice::Dice;

/// Windows tried for each cell of the table.
const WINDOWS: usize = 100;
/// Queries an attacker must have.
const MIN_QUERIES: usize = 150;
/// Queries of one source that are used at most.
const MAX_QUERIES: usize = 1_500;
/// Window sizes of the table.
pub const SIZES: [usize; 4] = [100, 200, 500, 1_500];
/// Shares of a window that are the attacker's.
pub const SHARES: [f64; 4] = [1.0, 0.25, 0.10, 0.0];

/// One line of the table: an attacker and a window size.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Line {
    /// `template`, or the source whose queries the attacker asks.
    pub attacker: String,
    /// Queries of a window.
    pub size: usize,
    /// Share of windows above the 99 % limit, by the shares of [`SHARES`]; the last is the false
    /// alarm rate.
    pub flagged: [f64; 4],
}

/// Measures with the ordinary questions of the corpus part in `folder`. Each source of at least
/// 150 questions is the attacker once, the others are ordinary; a template with a slot is another.
pub fn measure(folder: &Path, seed: u64) -> Result<Vec<Line>, CorpusError> {
    let mut by_source: BTreeMap<String, Vec<Vec<f32>>> = BTreeMap::new();
    let mut words: Vec<String> = Vec::new();
    for row in rows(folder, "text")? {
        if row.is_attack() || row.contested || row.family == "system_prompt" {
            continue;
        }
        let known = by_source.entry(row.source).or_default();
        if known.len() < MAX_QUERIES {
            known.push(features(&row.text));
        }
        words.extend(row.text.split_whitespace().take(2).map(str::to_owned));
    }
    words.sort();
    words.dedup();
    let mut dice = Dice::new(seed, &["extraction"]);
    let template: Vec<Vec<f32>> = (0..MAX_QUERIES)
        .filter_map(|_| words.get(dice.below(words.len())))
        .map(|word| features(&format!("What is the sentiment of the sentence: they said {word}?")))
        .collect();
    let everybody: Vec<&Vec<f32>> = by_source.values().flatten().collect();
    let mut lines = lines("template", &template, &everybody, &mut dice);
    for (source, queries) in by_source.iter().filter(|(_, q)| q.len() >= MIN_QUERIES) {
        let others = by_source.iter().filter(|(other, _)| *other != source);
        let others: Vec<&Vec<f32>> = others.flat_map(|(_, queries)| queries).collect();
        lines.extend(self::lines(source, queries, &others, &mut dice));
    }
    Ok(lines)
}

/// The lines of one attacker. Ordinary questions are split into those of the reference, of the
/// null distribution, and of the windows.
fn lines(name: &str, attacker: &[Vec<f32>], ordinary: &[&Vec<f32>], dice: &mut Dice) -> Vec<Line> {
    let mut shuffled: Vec<&Vec<f32>> = ordinary.to_vec();
    for index in (1..shuffled.len()).rev() {
        shuffled.swap(index, dice.below(index + 1));
    }
    let third = shuffled.len() / 3;
    let mut reference = Sum::default();
    for query in &shuffled[..third] {
        reference.add(query);
    }
    let pool: Vec<Vec<f32>> = shuffled[third..2 * third].iter().map(|q| (*q).clone()).collect();
    let fresh = &shuffled[2 * third..];
    let mut lines = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size <= fresh.len()) {
        let limit = Null::draw(&pool, &reference, size, DRAWS, size as u64).quantile(0.99);
        let mut flagged = [0.0; 4];
        for (flagged, share) in flagged.iter_mut().zip(SHARES) {
            let above = (0..WINDOWS)
                .filter(|_| mmd2(&window(attacker, fresh, size, share, dice), &reference) > limit)
                .count();
            *flagged = above as f64 / WINDOWS as f64;
        }
        lines.push(Line { attacker: name.to_owned(), size, flagged });
    }
    lines
}

/// A window of different queries, as far as there are enough.
fn window(
    attacker: &[Vec<f32>],
    ordinary: &[&Vec<f32>],
    size: usize,
    share: f64,
    dice: &mut Dice,
) -> Sum {
    let malicious = (size as f64 * share).round() as usize;
    let mut sum = Sum::default();
    for index in different(attacker.len(), malicious, dice) {
        sum.add(&attacker[index]);
    }
    for index in different(ordinary.len(), size - malicious, dice) {
        sum.add(ordinary[index]);
    }
    sum
}

/// `count` different numbers below `limit`; with repetitions only beyond `limit`.
fn different(limit: usize, count: usize, dice: &mut Dice) -> Vec<usize> {
    let mut all: Vec<usize> = (0..limit).collect();
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count && limit > 0 {
        for index in 0..limit.min(count - chosen.len()) {
            let other = index + dice.below(limit - index);
            all.swap(index, other);
            chosen.push(all[index]);
        }
    }
    chosen
}
