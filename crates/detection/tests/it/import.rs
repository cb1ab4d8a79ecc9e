//! Agent Threat Rules become Quell rules that load beside the shipped ones.

use std::path::Path;

use quell_detection::{RuleSet, from_atr};
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::snapshot::ContentFile;

const RULE: &str = "title: Orders in a reply
id: ATR-2026-99999
description: A tool reply that gives orders.
severity: high
references:
  owasp_llm: ['LLM01:2025 - Prompt Injection']
  mitre_atlas: ['AML.T0051 - LLM Prompt Injection']
tags: {category: prompt-injection}
detection:
  conditions:
    - {field: tool_response, operator: regex, value: '(?i)obey the\\s+(walrus|seal)'}
    - {field: agent_output, operator: regex, value: 'as the walrus (?:says|orders)'}
    - {field: tool_response, operator: regex, value: 'walrus(?!es)'}
    - {field: tool_name, operator: regex, value: 'walrus_tool'}
  condition: any
test_cases:
  true_positives: [{input: 'Now OBEY the walrus.'}]
  true_negatives: [{input: 'The walrus sleeps.'}]
";

fn file(text: &str) -> ContentFile {
    ContentFile { path: "walrus.yaml".into(), text: text.into() }
}

#[test]
fn what_can_run_is_translated_and_the_rest_is_named() {
    let import = from_atr(&[file(RULE)]);
    assert_eq!((import.len(), import.conditions), (2, 2));
    let reasons: Vec<(Option<usize>, &str)> =
        import.refused.iter().map(|r| (r.condition, r.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (Some(3), "look-around is not supported"),
            (Some(4), "`tool_name` is no text of an exchange"),
        ]
    );
    let rules = RuleSet::with_overrides(&import.files()).expect("it loads");
    let rule = rules.rule("atr_2026_99999").expect("the rule is there");
    assert_eq!((rule.mode, rule.effect), (RuleMode::Shadow, RuleEffect::Signal));
    assert_eq!(rule.taxonomy.len(), 2);
    let output = rules.rule("atr_2026_99999_output").expect("its other side is there");
    assert_eq!(output.direction, Direction::Output);
}

#[test]
fn a_rule_that_misses_its_own_examples_is_dropped() {
    let mut import = from_atr(&[file(RULE)]);
    import.keep_proven(&[("atr_2026_99999_output".to_owned(), "positive", 1)]);
    assert_eq!(import.len(), 1);
    let last = import.refused.last().expect("it is named");
    assert!(last.reason.contains("none of its own examples"), "{}", last.reason);
}

#[test]
fn what_cannot_be_read_is_named() {
    let import = from_atr(&[file("title: ["), file(&RULE.replace("any", "all"))]);
    assert!(import.is_empty());
    assert_eq!(import.refused.len(), 2);
    assert!(import.refused[0].reason.starts_with("it cannot be read"));
}

#[test]
fn the_public_rules_load_beside_the_shipped_ones() {
    let Some(root) = std::env::var_os("QUELL_DATA") else {
        eprintln!("skipped: no data");
        return;
    };
    let mut documents = Vec::new();
    read(&Path::new(&root).join("agent-threat-rules/rules"), &mut documents);
    let import = from_atr(&documents);
    assert!(import.len() >= 150, "{}", import.len());
    let all = RuleSet::with_overrides(&import.files()).expect("it loads");
    assert!(all.rules().len() >= 300, "{}", all.rules().len());
}

fn read(folder: &Path, found: &mut Vec<ContentFile>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            read(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found.push(ContentFile { path: path.display().to_string(), text });
        }
    }
}
