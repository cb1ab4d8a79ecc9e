//! The detection content compiled into the binary.

use quell_domain::snapshot::ContentFile;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../content/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "patterns/context.yaml",
    "patterns/cost.yaml",
    "patterns/documents.yaml",
    "patterns/extraction.yaml",
    "patterns/flood.yaml",
    "patterns/harm.yaml",
    "patterns/identifiers.yaml",
    "patterns/injection.yaml",
    "patterns/jailbreak.yaml",
    "patterns/languages.yaml",
    "patterns/model-theft.yaml",
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
    "patterns/supply-chain.yaml",
    "patterns/techniques.yaml",
    "rules/behaviour.yaml",
    "rules/combined.yaml",
    "rules/context.yaml",
    "rules/baselines.yaml",
    "rules/conversations.yaml",
    "rules/correlations.yaml",
    "rules/cost.yaml",
    "rules/disclosure.yaml",
    "rules/documents.yaml",
    "rules/extraction.yaml",
    "rules/floods.yaml",
    "rules/grounding.yaml",
    "rules/harm.yaml",
    "rules/indirect.yaml",
    "rules/injection.yaml",
    "rules/jailbreak.yaml",
    "rules/languages.yaml",
    "rules/learned.yaml",
    "rules/model-theft.yaml",
    "rules/noise.yaml",
    "rules/output.yaml",
    "rules/supply-chain.yaml",
    "rules/techniques.yaml",
    "rules/tools.yaml",
];

/// Every shipped file.
pub fn embedded() -> Vec<ContentFile> {
    FILES
        .iter()
        .map(|(path, text)| ContentFile { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_patterns_and_rules_is_shipped() {
        let mut there: Vec<String> = ["patterns", "rules"]
            .iter()
            .flat_map(|folder| {
                let path = format!("{}/../../content/{folder}", env!("CARGO_MANIFEST_DIR"));
                let entries = std::fs::read_dir(path).expect("the folder is there");
                entries.map(move |entry| {
                    let name = entry.expect("a readable folder").file_name();
                    format!("{folder}/{}", name.to_string_lossy())
                })
            })
            .collect();
        let mut shipped: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        there.sort();
        shipped.sort_unstable();
        assert_eq!(shipped, there);
    }
}
