//! The detection content compiled into the binary.

use quell_domain::snapshot::ContentFile;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../content/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "patterns/injection.yaml",
    "patterns/identifiers.yaml",
    "patterns/secrets.yaml",
    "rules/injection.yaml",
    "rules/output.yaml",
];

/// Every shipped file.
pub fn embedded() -> Vec<ContentFile> {
    FILES
        .iter()
        .map(|(path, text)| ContentFile { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}
