//! Loading rules and patterns: any YAML is a rule set or an error with a place, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quell_detection::RuleSet;
use quell_domain::snapshot::ContentFile;

fuzz_target!(|input: (bool, &str)| {
    let (rule, text) = input;
    let path = if rule { "rules/fuzz.yaml" } else { "patterns/fuzz.yaml" };
    let file = ContentFile { path: path.into(), text: text.into() };
    let _either = RuleSet::compile(&[file]);
});
