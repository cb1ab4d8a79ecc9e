//! Rows of the detection corpora that conversations are trained and measured on.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::Deserialize;

/// Bytes of one unpacked file that are read.
const MAX_BYTES: u64 = 256 << 20;

/// One row.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    /// The text; empty for conversations.
    #[serde(default)]
    pub text: String,
    /// `attack` or `benign`.
    pub label: String,
    /// What sort.
    pub family: String,
    /// Where from.
    pub source: String,
    /// `permissive` and others.
    #[serde(default)]
    pub licence_class: String,
    /// The label can be argued.
    #[serde(default)]
    pub contested: bool,
    /// The near-duplicates it belongs to.
    #[serde(default)]
    pub cluster: Option<i64>,
    /// ISO code.
    #[serde(default)]
    pub lang: String,
    /// User turns of a conversation.
    #[serde(default)]
    pub turns: Vec<String>,
}

impl Row {
    /// Whether the row is an attack.
    pub fn is_attack(&self) -> bool {
        self.label == "attack"
    }
}

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}; --data names a part of the detection corpora, e.g. detection/dev")]
pub struct CorpusError {
    path: String,
    why: String,
}

/// The rows of `folder/name.jsonl.gz`, at most 256 MiB unpacked.
pub fn rows(folder: &Path, name: &str) -> Result<Vec<Row>, CorpusError> {
    let path = folder.join(format!("{name}.jsonl.gz"));
    let error = |why: String| CorpusError { path: path.display().to_string(), why };
    let file = std::fs::File::open(&path).map_err(|e| error(e.to_string()))?;
    let unpacked = flate2::read::GzDecoder::new(file).take(MAX_BYTES);
    let mut rows = Vec::new();
    for (number, line) in BufReader::new(unpacked).lines().enumerate() {
        let line = line.map_err(|e| error(e.to_string()))?;
        let row = serde_json::from_str(&line);
        rows.push(row.map_err(|e| error(format!("line {}: {e}", number + 1)))?);
    }
    Ok(rows)
}
