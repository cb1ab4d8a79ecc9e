//! No attack of the campaign is an example of a shipped rule: the rules have to generalise.

use std::path::Path;

use quell_range::campaign::attack_texts;
use serde_json::Value;

/// Words only, so that case, marks and line breaks make no difference.
fn normalised(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    format!(" {} ", words.collect::<Vec<_>>().join(" "))
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        _ => {}
    }
}

/// Every string of every example that a rule says it matches.
fn positive_examples(rules: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(rules).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for document in documents {
            if let Some(examples) = document.pointer("/quell/examples/positive") {
                strings(examples, &mut found);
            }
        }
    }
    found
}

#[test]
fn no_attack_is_an_example_of_a_shipped_rule() {
    let rules = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../content/rules"));
    let examples = positive_examples(rules);
    assert!(!examples.is_empty(), "no rule has an example");
    for attack in attack_texts() {
        let said = normalised(&attack.text);
        for example in &examples {
            let example = normalised(example);
            // Shorter strings are names and roles inside structured examples.
            let is_text = example.split_whitespace().count() >= 4;
            let alike = is_text && (said.contains(&example) || example.contains(&said));
            assert!(!alike, "{:?} is the example {example:?}", attack.text);
        }
    }
}
