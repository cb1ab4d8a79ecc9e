//! `quell model evaluate`: figures of the whole detection, by the path that the gateway takes.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::ProgressBar;
use quell_detection::RuleSet;
use quell_domain::InteractionId;
use quell_domain::interaction::Role;
use quell_training::facts::{inspect, inspect_turns};
use quell_training::figures::{Figures, Judged, figures};
use quell_training::rows::Row;
use serde_json::json;

use super::{open, read};
use crate::commands::Context;
use crate::exit::Failure;
use crate::serve::World;

/// `quell model evaluate`.
#[derive(Debug, clap::Args)]
pub(crate) struct EvaluateArgs {
    /// A folder of rows: text, obfuscated, harmful, prompt_leak_output, pii, secrets and
    /// multi_turn, each .jsonl or .jsonl.gz; or single files.
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    data: Vec<PathBuf>,
    /// The model; without it, the shipped one.
    #[arg(long, value_name = "FILE", conflicts_with = "rules_only")]
    model: Option<PathBuf>,
    /// Without any model, to see what it adds.
    #[arg(long)]
    rules_only: bool,
}

/// Judges every row and prints the figures.
pub(super) fn run(cx: &Context, args: &EvaluateArgs) -> Result<(), Failure> {
    let rules = RuleSet::embedded().map_err(|errors| Failure::error(errors.to_string()))?;
    let model = open(args.model.as_deref())?;
    let rules = rules.with_classifier((!args.rules_only).then(|| Arc::new(model)));
    let id = InteractionId::new(&*World::new().ids);
    let parts = read::parts(&args.data)?;
    let count = parts.iter().map(|(_, rows)| rows.len() as u64).sum();
    let progress = if cx.globals.json { ProgressBar::hidden() } else { ProgressBar::new(count) };
    let harmless = parts.iter().find(|(name, _)| name == "text").map(|(_, rows)| rows.clone());
    let mut found = Vec::new();
    for (name, rows) in &parts {
        let mut judged: Vec<Judged> = Vec::new();
        let mut system: Vec<Judged> = Vec::new();
        for row in rows {
            progress.inc(1);
            if row.contested || (row.family == "pii" && !row.structured) {
                continue;
            }
            let one = judge(&rules, name, row, id);
            if row.family == "system_prompt" { system.push(one) } else { judged.push(one) }
        }
        // Harmful requests are told apart from the ordinary requests of the same folder.
        if name == "harmful" {
            let rows = harmless.iter().flatten();
            let plain = rows.filter(|row| row.label == "benign" && row.speaker() == Role::User);
            judged.extend(plain.map(|row| judge(&rules, name, row, id)));
        }
        found.push((name.clone(), figures(&judged, 0.5)));
        if !system.is_empty() {
            found.push((format!("{name}: system prompts"), figures(&system, 0.5)));
        }
    }
    progress.finish_and_clear();
    let value = found.iter().map(|(name, figures)| json!({"part": name, "figures": figures}));
    cx.show(&serde_json::Value::Array(value.collect()), |_| {
        found.iter().map(|(name, figures)| table(name, figures)).collect::<Vec<_>>().join("\n\n")
    })
}

fn judge(rules: &RuleSet, part: &str, row: &Row, id: InteractionId) -> Judged {
    let output = matches!(part, "prompt_leak_output" | "pii" | "secrets");
    let role = if output { Role::Assistant } else { row.speaker() };
    let scores = if row.turns.is_empty() {
        inspect(rules, role, &row.text, &row.system, id).scores
    } else {
        let turns: Vec<(Role, &str)> =
            row.turns.iter().map(|turn| (Role::User, turn.as_str())).collect();
        inspect_turns(rules, &turns, &row.system, id).scores
    };
    let score = match part {
        "harmful" => scores.harm,
        "prompt_leak_output" => scores.leak,
        "pii" => scores.identifiers,
        "secrets" => scores.secrets,
        "multi_turn" => scores.attack.max(scores.harm),
        _ => scores.attack,
    };
    Judged { source: row.source.clone(), attack: row.label == "attack", score }
}

fn table(name: &str, figures: &Figures) -> String {
    let mut text = format!("== {name}\n");
    if !figures.recall.is_empty() {
        let _ = writeln!(
            text,
            "{:30} {:>6} {:>8} {:>8} {:>8} {:>8}",
            "attacks of", "rows", "at 1 %", "at 0.1 %", "flagged", "AUROC"
        );
    }
    for row in &figures.recall {
        let _ = writeln!(
            text,
            "{:30} {:6} {:8.3} {:8.3} {:8.3} {:8.3}",
            row.source, row.rows, row.at_1_percent, row.at_01_percent, row.flagged, row.auroc
        );
    }
    if !figures.recall.is_empty() {
        let _ = writeln!(
            text,
            "{:30} {:6} {:8.3} {:8.3} {:8.3} {:8.3}",
            "mean",
            "",
            figures.mean_1_percent,
            figures.mean_01_percent,
            figures.mean_flagged,
            figures.mean_auroc
        );
    }
    for row in &figures.alarms {
        let _ = writeln!(
            text,
            "{:30} {:6} {:>26.4}",
            format!("harmless {}", row.source),
            row.rows,
            row.flagged
        );
    }
    text.trim_end().to_owned()
}
