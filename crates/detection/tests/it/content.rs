//! The shipped content.

use quell_detection::{Level, content, lint, run_examples};

use crate::support::{now, rules};

#[test]
fn shipped_content_is_clean() {
    let found = lint(&content::embedded(), now());
    let errors: Vec<String> = found
        .iter()
        .filter(|diagnostic| diagnostic.level == Level::Error)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn every_example_goes_the_way_it_says() {
    let rules = std::sync::Arc::new(quell_detection::RuleSet::embedded().expect("it compiles"));
    let report = run_examples(&rules);
    assert!(report.checked > 80, "{}", report.checked);
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    let untested: Vec<&String> = report
        .untested
        .iter()
        .filter(|id| rules.rule(id).is_some_and(|rule| !rule.counted_only))
        .collect();
    assert!(untested.is_empty(), "without examples: {untested:?}");
}

#[test]
fn there_are_rules_for_every_promised_thing() {
    let rules = rules();
    assert!(rules.rules().len() >= 25);
    for rule in rules.rules().iter().filter(|rule| !rule.counted_only) {
        assert!(!rule.taxonomy.is_empty(), "{} has no taxonomy reference", rule.id);
        assert!(rule.sigma_id.is_some(), "{} has no Sigma id", rule.id);
    }
}
