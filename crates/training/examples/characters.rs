//! Counts which characters follow which in harmless texts, for the analyzer of noise.
//!
//! `cargo run --profile fast -p quell-training --example characters -- CORPORA/detection/dev OUT`

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use quell_detection::{SYMBOLS, symbol};
use quell_training::rows::Row;

/// Of a text, how many characters are counted.
const READ: usize = 6_000;
/// How much the frequencies of single symbols count beside those of pairs.
const PRIOR: f64 = 4.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(dev), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: characters FOLDER OUT".into());
    };
    let mut pairs = vec![0.0_f64; SYMBOLS * SYMBOLS];
    let packed = GzDecoder::new(std::fs::File::open(dev.join("text.jsonl.gz"))?);
    for line in BufReader::new(packed).lines() {
        let row: Row = serde_json::from_str(&line?)?;
        if row.licence_class == "permissive" && row.label == "benign" {
            let mut before = symbol('\n');
            for c in row.text.chars().take(READ).chain(['\n']) {
                let now = symbol(c);
                pairs[before * SYMBOLS + now] += 1.0;
                before = now;
            }
        }
    }
    std::fs::write(out, surprise(&pairs))?;
    Ok(())
}

/// Bits of surprise of the second symbol of each pair, in sixteenths.
fn surprise(pairs: &[f64]) -> Vec<u8> {
    let all = pairs.iter().sum::<f64>() + SYMBOLS as f64;
    let single = |after: usize| pairs.iter().skip(after).step_by(SYMBOLS).sum::<f64>() + 1.0;
    let singles: Vec<f64> = (0..SYMBOLS).map(|after| single(after) / all).collect();
    let mut bytes = Vec::with_capacity(pairs.len());
    for row in pairs.chunks(SYMBOLS) {
        let seen: f64 = row.iter().sum();
        for (count, single) in row.iter().zip(&singles) {
            let share = (count + PRIOR * single) / (seen + PRIOR);
            bytes.push((-16.0 * share.log2()).round().min(255.0) as u8);
        }
    }
    bytes
}
