//! Scores identifiers, secrets and leaks on the corpora in `QUELL_CORPORA`: per source, how many
//! rows reach the shipped threshold, and how well the leak score tells leaks from answers.
//!
//! `cargo run -p quell-detection --example disclosure_figures -- dev [misses N | alarms N]`
//!
//! Texts are shown for `dev` only.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a report for people")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use quell_detection::{Budget, Context, Findings, PatternSet, RuleSet, Scores};
use quell_domain::interaction::{Endpoint, Role, TextField};
use quell_domain::principal::Principal;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    text: String,
    label: String,
    source: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    contested: bool,
    #[serde(default)]
    structured: bool,
    #[serde(default)]
    system: String,
    #[serde(default)]
    access_code: String,
}

type Score = fn(&Scores) -> f32;

/// What a masked key scores.
const MASKED: f32 = 0.45;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.next().unwrap_or_else(|| "dev".into());
    let show = arguments.next().filter(|_| part == "dev").unwrap_or_default();
    let limit: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let only = arguments.next();
    let Some(root) = std::env::var_os("QUELL_CORPORA").map(PathBuf::from) else {
        println!("skipped: no corpus");
        return;
    };
    let rules = RuleSet::embedded().expect("the shipped content compiles");
    let folder = root.join("detection").join(part);
    let files: [(&str, Role, Score); 5] = [
        ("pii", Role::User, |scores| scores.identifiers),
        ("secrets", Role::User, |scores| scores.secrets),
        ("prompt_leak_output", Role::Assistant, |scores| scores.leak),
        ("text", Role::User, |scores| scores.identifiers),
        ("text", Role::User, |scores| scores.secrets),
    ];
    for (file, role, score) in files {
        if only.as_ref().is_some_and(|only| only != file) {
            continue;
        }
        let mut counts: BTreeMap<(String, String, String), [usize; 3]> = BTreeMap::new();
        let mut scored: [Vec<f32>; 2] = Default::default();
        let mut shown = 0;
        for row in rows(&folder.join(format!("{file}.jsonl.gz"))) {
            let pii = file == "pii" && row.label == "attack" && !row.structured;
            let attack = file == "text" && row.label == "attack";
            if row.contested || pii || attack {
                continue;
            }
            let value = score(&judge(&rules, &row, role).scores);
            let found = value >= Scores::THRESHOLD;
            scored[usize::from(row.label == "attack")].push(value);
            let wanted = match show.as_str() {
                "misses" => row.label == "attack" && !found,
                "alarms" => row.label == "benign" && found,
                _ => false,
            };
            if wanted && shown < limit {
                shown += 1;
                let facts = judge(&rules, &row, role).facts.join(" ");
                let text: String = row.text.chars().take(400).collect();
                println!("{} {:?} {value:.2} [{facts}] {text:?}", row.source, row.sub);
            }
            let masked = usize::from(!found && row.label == "attack" && value >= MASKED);
            let sub = if matches!(file, "prompt_leak_output" | "secrets") { row.sub } else { None };
            let count = counts.entry((row.label, row.source, sub.unwrap_or_default())).or_default();
            *count = [count[0] + 1, count[1] + usize::from(found), count[2] + masked];
        }
        println!("\n== {file}: rows, at the threshold %");
        let mut totals: BTreeMap<String, [usize; 3]> = BTreeMap::new();
        for ((label, source, sub), [rows, found, masked]) in counts {
            let share = found as f64 * 100.0 / rows as f64;
            println!("{label:6} {source:32} {sub:24} {rows:6} {share:6.2}");
            let total = totals.entry(label).or_default();
            *total = [total[0] + rows, total[1] + found, total[2] + masked];
        }
        for (label, [rows, found, masked]) in totals {
            let share = |of: usize| found as f64 * 100.0 / of as f64;
            println!("{label:6} all {rows} rows: {:.2} %", share(rows));
            if masked > 0 {
                println!(
                    "{masked} of them hold a masked key: {:.2} % of the others",
                    share(rows - masked)
                );
            }
        }
        let [benign, attack] = &scored;
        println!("AUROC {:.4}", auroc(benign, attack));
    }
}

/// The chance that an attack scores above a benign row, ties counted half.
fn auroc(benign: &[f32], attack: &[f32]) -> f64 {
    let pairs = attack.iter().flat_map(|a| benign.iter().map(move |b| (a, b)));
    let won: f64 = pairs
        .map(|(a, b)| {
            f64::from(u8::from(a > b)) + 0.5 * f64::from(u8::from((a - b).abs() < f32::EPSILON))
        })
        .sum();
    won / (benign.len() * attack.len()).max(1) as f64
}

fn rows(path: &Path) -> Vec<Row> {
    let Ok(file) = std::fs::File::open(path) else {
        println!("skipped: no {}", path.display());
        return Vec::new();
    };
    BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect()
}

fn judge(rules: &RuleSet, row: &Row, role: Role) -> Findings {
    let principal = Principal::default();
    let parameters = serde_json::Map::new();
    let system = if row.system.is_empty() { &row.access_code } else { &row.system };
    let ctx = Context {
        application: "figures",
        endpoint: Endpoint::ChatCompletions,
        model: None,
        principal: &principal,
        system_text: system,
        canaries: &[],
        tools_offered: &[],
        review: quell_detection::Review::default(),
        stream: false,
        parameters: &parameters,
    };
    let fields =
        [TextField { field: "/0".into(), role, part: "content".into(), text: row.text.clone() }];
    let id = "int_018f0000000070008000000000000001".parse().expect("a fixed id");
    let mut budget = Budget::new(64 << 20);
    let none = PatternSet::empty();
    if role == Role::Assistant {
        rules.inspect_response(&ctx, &none, &fields, &mut budget, id, &[])
    } else {
        rules.inspect_request(&ctx, &none, &fields, &mut budget, id, None)
    }
}
