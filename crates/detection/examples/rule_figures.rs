//! False alarms and finds of single rules on the corpora in `QUELL_CORPORA`: what decides whether a
//! rule may act.
//!
//! `cargo run -p quell-detection --example rule_figures -- PART [FOLDER]`: FOLDER holds rules/ and
//! patterns/ that are laid over what is shipped, or Agent Threat Rules; only their rules are listed
//! then.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a report for people")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quell_detection::{Budget, Context, PatternSet, RuleSet, from_atr, run_examples};
use quell_domain::interaction::{Endpoint, Role, TextField};
use quell_domain::principal::Principal;
use quell_domain::snapshot::ContentFile;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    text: String,
    label: String,
    family: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    contested: bool,
}

#[derive(Default)]
struct Count {
    attacks: u64,
    harmful: u64,
    alarms: BTreeMap<String, u64>,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let part = args.next().unwrap_or_else(|| "dev".into());
    let folder = args.next().map(PathBuf::from);
    let Some(root) = std::env::var_os("QUELL_CORPORA").map(PathBuf::from) else {
        println!("skipped: no corpus");
        return;
    };
    let mut own = Vec::new();
    if let Some(folder) = &folder {
        read(folder, folder, &mut own);
        if !own.iter().any(|file| file.path.starts_with("rules/") && file.text.contains("\nquell:"))
        {
            own = translated(&own);
        }
    }
    let rules = match RuleSet::with_overrides(&own) {
        Ok(rules) => rules,
        Err(errors) => {
            println!("{errors}");
            return;
        }
    };
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let (mut attacks, mut harmful, mut benign) = (0_u64, 0_u64, 0_u64);
    let corpus = root.join("detection").join(part);
    for file in ["text", "obfuscated", "harmful"] {
        for row in rows(&corpus.join(format!("{file}.jsonl.gz"))) {
            if row.contested || row.family == "system_prompt" {
                continue;
            }
            match row.label.as_str() {
                "attack" if file == "harmful" => harmful += 1,
                "attack" => attacks += 1,
                _ => benign += 1,
            }
            for rule in judge(&rules, &row) {
                let count = counts.entry(rule).or_default();
                match row.label.as_str() {
                    "attack" if file == "harmful" => count.harmful += 1,
                    "attack" => count.attacks += 1,
                    _ => *count.alarms.entry(row.source.clone()).or_default() += 1,
                }
            }
        }
    }
    println!("{attacks} attacks, {harmful} harmful requests, {benign} harmless texts");
    println!(
        "{:40} {:8} {:7} {:8} {:8} {:>7}  alarms by source",
        "rule", "mode", "effect", "attacks", "harmful", "alarms"
    );
    for info in rules.rules() {
        let listed = own.is_empty() || own.iter().any(|file| file.path == info.pack);
        if !listed || info.correlation || info.counted_only {
            continue;
        }
        let none = Count::default();
        let count = counts.get(&info.id).unwrap_or(&none);
        let alarms: u64 = count.alarms.values().sum();
        println!(
            "{:40} {:8} {:7} {:8} {:8} {:6.3}%  {:?}",
            info.id,
            info.mode.to_string(),
            info.effect.to_string(),
            count.attacks,
            count.harmful,
            alarms as f64 * 100.0 / benign.max(1) as f64,
            count.alarms
        );
    }
}

/// Foreign rules as content, without those that miss their own examples.
fn translated(documents: &[ContentFile]) -> Vec<ContentFile> {
    let mut import = from_atr(documents);
    let refused = import.refused.len();
    let rules = RuleSet::with_overrides(&import.files()).expect("what was translated compiles");
    let failures = run_examples(&Arc::new(rules)).failures.into_iter();
    let failed: Vec<_> = failures.map(|f| (f.rule, f.expected, f.number)).collect();
    let offered = import.examples();
    import.keep_proven(&failed);
    println!(
        "{} documents: {} conditions translated, {refused} things refused, {} rules that match an \
         example of their own; of {offered:?} examples {} go the wrong way",
        documents.len(),
        import.conditions,
        import.len(),
        failed.len(),
    );
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for refused in &import.refused {
        *reasons.entry(&refused.reason).or_default() += 1;
    }
    println!("{reasons:#?}");
    import.files()
}

fn read(root: &Path, folder: &Path, found: &mut Vec<ContentFile>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            read(root, &path, found);
        } else if let (Ok(name), Ok(text)) =
            (path.strip_prefix(root), std::fs::read_to_string(&path))
        {
            found.push(ContentFile { path: name.display().to_string(), text });
        }
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

/// The rules that match a row, as the gateway would judge it.
fn judge(rules: &RuleSet, row: &Row) -> Vec<String> {
    let (principal, parameters) = (Principal::default(), serde_json::Map::new());
    let context = Context {
        application: "figures",
        endpoint: Endpoint::ChatCompletions,
        model: None,
        principal: &principal,
        system_text: "",
        canaries: &[],
        tools_offered: &[],
        review: quell_detection::Review::default(),
        stream: false,
        parameters: &parameters,
    };
    let role = match row.family.as_str() {
        "indirect_injection" | "benign_document" | "tool_output" => Role::Tool,
        "benign_output" => Role::Assistant,
        _ => Role::User,
    };
    let field =
        TextField { field: "/0".into(), role, part: "content".into(), text: row.text.clone() };
    let id = "int_018f0000000070008000000000000001".parse().expect("a fixed id");
    let (none, mut budget, fields) = (PatternSet::empty(), Budget::new(64 << 20), [field]);
    let found = match role {
        Role::Assistant => rules.inspect_response(&context, &none, &fields, &mut budget, id, &[]),
        _ => rules.inspect_request(&context, &none, &fields, &mut budget, id, None),
    };
    found.signals.into_iter().map(|signal| signal.rule).collect()
}
