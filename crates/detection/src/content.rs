//! The detection content compiled into the binary.

use quell_domain::snapshot::ContentFile;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../content/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "patterns/extraction.yaml",
    "patterns/flood.yaml",
    "patterns/identifiers.yaml",
    "patterns/injection.yaml",
    "patterns/jailbreak.yaml",
    "patterns/output-toxicity.yaml",
    "patterns/output.yaml",
    "patterns/secrets-ai.yaml",
    "patterns/secrets-cloud.yaml",
    "patterns/secrets-code.yaml",
    "patterns/secrets-databases.yaml",
    "patterns/secrets-generic.yaml",
    "patterns/secrets-keys.yaml",
    "patterns/secrets-messaging.yaml",
    "patterns/secrets-monitoring.yaml",
    "patterns/secrets-payments.yaml",
    "patterns/secrets-saas.yaml",
    "rules/behaviour.yaml",
    "rules/conversations.yaml",
    "rules/correlations.yaml",
    "rules/disclosure.yaml",
    "rules/extraction.yaml",
    "rules/floods.yaml",
    "rules/indirect.yaml",
    "rules/injection.yaml",
    "rules/jailbreak.yaml",
    "rules/learned.yaml",
    "rules/output.yaml",
    "rules/tools.yaml",
];

/// Every shipped file.
pub fn embedded() -> Vec<ContentFile> {
    FILES
        .iter()
        .map(|(path, text)| ContentFile { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}
