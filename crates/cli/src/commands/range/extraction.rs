//! `quell range extraction`: the table of simulated model extraction.

use std::path::PathBuf;

use quell_range::extraction::{SHARES, measure};
use serde_json::json;

use super::Context;
use crate::exit::Failure;

/// `quell range extraction`
#[derive(Debug, clap::Args)]
pub(crate) struct ExtractionArgs {
    /// A part of the detection corpora, e.g. `corpora/detection/dev_test`.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Everything drawn comes from here.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Measures and prints.
pub(super) fn run(cx: &Context, args: &ExtractionArgs) -> Result<(), Failure> {
    let lines = measure(&args.data, args.seed).map_err(|e| Failure::error(e.to_string()))?;
    let mut text = vec![format!(
        "{:28} {:>6} {:>8} {:>8} {:>8} {:>8}",
        "attacker", "window", "alone", "25 %", "10 %", "none"
    )];
    for line in &lines {
        let [alone, quarter, tenth, none] = line.flagged;
        text.push(format!(
            "{:28} {:>6} {alone:>8.2} {quarter:>8.2} {tenth:>8.2} {none:>8.3}",
            line.attacker, line.size
        ));
    }
    cx.done(&json!({"seed": args.seed, "shares": SHARES, "lines": lines}), &text.join("\n"))
}
