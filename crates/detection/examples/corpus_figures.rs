//! Scores the shipped rules on the corpora in `QUELL_CORPORA`: false alarms per harmless source and
//! recall per attack source, for any signal and for signals that stop traffic.
//!
//! `cargo run -p quell-detection --example corpus_figures -- dev [--misses N | --alarms N]`

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a report for people")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quell_detection::{Budget, Context, Decision, Findings, PatternSet, RuleSet};
use quell_domain::interaction::{Endpoint, Role, TextField};
use quell_domain::principal::Principal;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    text: String,
    label: String,
    family: String,
    source: String,
    #[serde(default)]
    contested: bool,
    #[serde(default)]
    structured: bool,
    #[serde(default)]
    system: String,
}

#[derive(Default)]
struct Count {
    rows: usize,
    any: usize,
    stopped: usize,
    rules: BTreeMap<String, usize>,
}

fn main() {
    let part = std::env::args().nth(1).unwrap_or_else(|| "dev".into());
    let show = std::env::args().nth(2).unwrap_or_default();
    let limit: usize = std::env::args().nth(3).and_then(|n| n.parse().ok()).unwrap_or(0);
    let Some(root) = std::env::var_os("QUELL_CORPORA").map(PathBuf::from) else {
        println!("skipped: no corpus");
        return;
    };
    let rules = Arc::new(RuleSet::embedded().expect("the shipped content compiles"));
    let folder = root.join("detection").join(part);
    for file in ["text", "obfuscated", "secrets", "pii", "prompt_leak_output"] {
        score(&rules, &folder, file, &show, limit);
    }
}

fn score(rules: &RuleSet, folder: &Path, file: &str, show: &str, limit: usize) {
    let mut counts: BTreeMap<(String, String, String), Count> = BTreeMap::new();
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(&folder.join(format!("{file}.jsonl.gz"))) {
        if row.contested || (row.family == "pii" && !row.structured) {
            continue;
        }
        let output = !matches!(file, "text" | "obfuscated");
        let findings = judge(rules, &row, output);
        let any = !findings.signals.is_empty();
        let stopped = matches!(findings.decision(), Decision::Block(_) | Decision::Redact);
        let wanted = match show {
            "--misses" => row.label == "attack" && !any,
            "--alarms" => row.label == "benign" && any,
            _ => false,
        };
        let seen = shown.entry(row.source.clone()).or_default();
        if wanted && *seen < limit {
            *seen += 1;
            let text: String = row.text.chars().take(300).collect();
            let names: Vec<&str> = findings.signals.iter().map(|s| s.rule.as_str()).collect();
            println!("{} {names:?} {text:?}", row.source);
        }
        let count = counts.entry((row.label, row.family, row.source)).or_default();
        count.rows += 1;
        count.any += usize::from(any);
        count.stopped += usize::from(stopped);
        for signal in findings.signals {
            *count.rules.entry(signal.rule).or_default() += 1;
        }
    }
    println!("\n== {file}: rows, any signal %, stopped %");
    let mut totals: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for ((label, family, source), count) in &counts {
        let share = |n: usize| n as f64 * 100.0 / count.rows as f64;
        let mut top: Vec<_> = count.rules.iter().collect();
        top.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let top: Vec<String> =
            top.into_iter().take(4).map(|(rule, n)| format!("{rule} {n}")).collect();
        println!(
            "{label:6} {family:24} {source:30} {:6} {:6.2} {:6.2}  {}",
            count.rows,
            share(count.any),
            share(count.stopped),
            top.join(", ")
        );
        let total = totals.entry(label).or_default();
        *total = [total[0] + count.rows, total[1] + count.any, total[2] + count.stopped];
    }
    for (label, [rows, any, stopped]) in totals {
        let share = |n: usize| n as f64 * 100.0 / rows as f64;
        println!(
            "{label:6} all {rows} rows: any {:.2} %, stopped {:.2} %",
            share(any),
            share(stopped)
        );
    }
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

fn judge(rules: &RuleSet, row: &Row, output: bool) -> Findings {
    let principal = Principal::default();
    let parameters = serde_json::Map::new();
    let ctx = Context {
        application: "figures",
        endpoint: Endpoint::ChatCompletions,
        model: None,
        principal: &principal,
        system_text: &row.system,
        canaries: &[],
        tools_offered: &[],
        review: quell_detection::Review::default(),
        stream: false,
        parameters: &parameters,
    };
    let role = match row.family.as_str() {
        _ if output => Role::Assistant,
        "indirect_injection" | "benign_document" | "tool_output" => Role::Tool,
        "system_prompt" => Role::System,
        _ => Role::User,
    };
    let fields =
        [TextField { field: "/0".into(), role, part: "content".into(), text: row.text.clone() }];
    let id = "int_018f0000000070008000000000000001".parse().expect("a fixed id");
    let mut budget = Budget::new(64 << 20);
    let none = PatternSet::empty();
    if output {
        rules.inspect_response(&ctx, &none, &fields, &mut budget, id, &[])
    } else {
        rules.inspect_request(&ctx, &none, &fields, &mut budget, id, None)
    }
}
