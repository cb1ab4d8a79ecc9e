//! Content that other Sigma tools load silently is refused, with place and fix.

use quell_detection::{Level, RuleSet, content, lint};
use quell_domain::snapshot::ContentFile;

use crate::support::now;

const RULE: &str = "title: Test
id: 00000000-0000-4000-8000-000000000001
name: test_rule
logsource: {category: gen_ai}
detection:
  selection:
    quell.fact: injection.override
  condition: selection
level: high
quell:
  kind: prompt_injection
";

fn with(text: &str) -> Vec<ContentFile> {
    let mut files = content::embedded();
    files.push(ContentFile { path: "rules/test.yaml".into(), text: text.into() });
    files
}

/// Line, message and help of every diagnostic of the test file.
fn all(text: &str) -> Vec<(usize, String, String)> {
    let found =
        lint(&with(text), now()).into_iter().filter(|found| found.path == "rules/test.yaml");
    found.map(|found| (found.line, found.message, found.help)).collect()
}

#[test]
fn a_good_rule_loads() {
    let rules = RuleSet::compile(&with(RULE)).expect("it loads");
    assert!(rules.rule("test_rule").is_some());
}

#[test]
fn mistakes_are_named_with_line_and_fix() {
    for (from, to, line, message, help) in [
        ("level: high", "levl: high", 9, "unknown key `levl`", "did you mean `level`?"),
        (
            "quell.fact:",
            "quell.facts:",
            7,
            "unknown field `quell.facts`",
            "did you mean `quell.fact`?",
        ),
        (
            "injection.override",
            "injection.overide",
            7,
            "no pattern or analyzer raises `injection.overide`",
            "did you mean `injection.override`?",
        ),
        (
            "quell.fact: injection.override",
            "gen_ai.input.messages|contain: secret",
            7,
            "unknown modifier `contain`",
            "did you mean `contains`?",
        ),
        (
            "quell.fact: injection.override",
            "gen_ai.input.messages|re: 'falcon(?=x)'",
            7,
            "look-around is not supported",
            "patterns run in linear time: write the context into the pattern, or use \\b",
        ),
        (
            "quell.fact: injection.override",
            "gen_ai.input.messages|re: '(falcon)\\1'",
            7,
            "backreferences are not supported",
            "patterns run in linear time: spell the alternatives out",
        ),
        (
            "  kind: prompt_injection",
            "  knd: prompt_injection",
            11,
            "unknown key `knd`",
            "did you mean `kind`?",
        ),
        ("name: test_rule\n", "", 1, "`name` is missing", "it is the rule's id in Quell"),
    ] {
        let found = all(&RULE.replace(from, to));
        assert!(found.contains(&(line, message.into(), help.into())), "{to}: {found:?}");
        assert!(RuleSet::compile(&with(&RULE.replace(from, to))).is_err());
    }
}

#[test]
fn an_invalid_regex_is_named() {
    let text =
        RULE.replace("quell.fact: injection.override", "gen_ai.input.messages|re: 'falcon(abc'");
    let (line, message, _) = &all(&text)[0];
    assert_eq!(*line, 7);
    assert!(message.starts_with("invalid regex: "), "{message}");
}

#[test]
fn text_conditions_become_patterns_and_judge_inline() {
    let text = RULE.replace(
        "quell.fact: injection.override",
        "gen_ai.input.messages|contains: Project Falcon",
    );
    let rules = RuleSet::compile(&with(&text)).expect("it loads");
    let rule = rules.rule("test_rule").expect("it is there");
    assert_eq!(rule.runs, quell_detection::Runs::Inline);
    let regex = RULE
        .replace("quell.fact: injection.override", "gen_ai.input.messages|re: 'falcon\\s+\\d{2}'");
    let rules = RuleSet::compile(&with(&regex)).expect("it loads");
    assert_eq!(rules.rule("test_rule").map(|r| r.runs), Some(quell_detection::Runs::Inline));
}

#[test]
fn what_cannot_become_a_pattern_runs_after_the_exchange_and_lint_says_so() {
    let text =
        RULE.replace("quell.fact: injection.override", "gen_ai.input.messages|endswith: Falcon");
    let files = with(&text);
    let warned = lint(&files, now())
        .into_iter()
        .any(|found| found.level == Level::Warning && found.message.contains("after the exchange"));
    assert!(warned);
    let rules = RuleSet::compile(&files).expect("it loads");
    assert_eq!(rules.rule("test_rule").map(|r| r.runs), Some(quell_detection::Runs::AfterExchange));
}
