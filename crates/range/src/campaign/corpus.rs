//! Texts drawn from the public corpora, where they are present.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The part of the corpora that may be looked at while rules are written.
const FILE: &str = "detection/dev/text.jsonl.gz";
const MAX_UNPACKED_BYTES: u64 = 256 * 1024 * 1024;
const MAX_TEXT_BYTES: usize = 8_000;

/// Why the corpora could not be read.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// The file cannot be read.
    #[error("campaign: cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not a record.
    #[error("campaign: line {line} of {} is not a corpus record: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A drawn text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) text: String,
    pub(super) source: String,
    /// Whether it is a document rather than something a user says.
    pub(super) document: bool,
}

/// Attacks and benign texts.
#[derive(Debug, Default)]
pub(super) struct Draw {
    pub(super) attacks: Vec<Drawn>,
    pub(super) benign: Vec<Drawn>,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    text: String,
    label: String,
    family: String,
    source: String,
    #[serde(default)]
    contested: bool,
}

/// The best-ranked texts of each source.
type BySource = BTreeMap<String, Vec<([u8; 32], Drawn)>>;

/// Draws `attacks` and `benign` texts, by turns from every source.
pub(super) fn draw(
    corpora: &Path,
    seed: u64,
    attacks: usize,
    benign: usize,
) -> Result<Draw, CorpusError> {
    let path = corpora.join(FILE);
    let read = |source| CorpusError::Read { path: path.clone(), source };
    let file = File::open(&path).map_err(read)?;
    let lines = BufReader::new(MultiGzDecoder::new(file).take(MAX_UNPACKED_BYTES)).lines();
    let (mut bad, mut good) = (BySource::new(), BySource::new());
    for (index, line) in lines.enumerate() {
        let line = line.map_err(read)?;
        let record: Record = serde_json::from_str(&line).map_err(|source| CorpusError::Record {
            path: path.clone(),
            line: index + 1,
            source,
        })?;
        let unfit = record.contested || record.family == "system_prompt";
        if unfit || record.text.len() > MAX_TEXT_BYTES {
            continue;
        }
        match record.label.as_str() {
            "attack" => keep(&mut bad, record, seed, attacks),
            _ => keep(&mut good, record, seed, benign),
        }
    }
    Ok(Draw { attacks: by_turns(bad, attacks), benign: by_turns(good, benign) })
}

/// Keeps the record if it ranks among the first `wanted` of its source.
fn keep(sources: &mut BySource, record: Record, seed: u64, wanted: usize) {
    let mut rank = Sha256::new();
    rank.update(seed.to_le_bytes());
    rank.update(record.id.as_bytes());
    let rank: [u8; 32] = rank.finalize().into();
    let ranked = sources.entry(record.source.clone()).or_default();
    let place = ranked.partition_point(|(other, _)| *other < rank);
    if place < wanted {
        let document = matches!(
            record.family.as_str(),
            "indirect_injection" | "benign_document" | "tool_output"
        );
        ranked.insert(place, (rank, Drawn { text: record.text, source: record.source, document }));
        ranked.truncate(wanted);
    }
}

fn by_turns(sources: BySource, wanted: usize) -> Vec<Drawn> {
    let mut sources: Vec<_> = sources.into_values().map(Vec::into_iter).collect();
    let mut drawn = Vec::new();
    while drawn.len() < wanted {
        let before = drawn.len();
        for source in &mut sources {
            drawn.extend(source.next().map(|(_, text)| text));
        }
        if drawn.len() == before {
            break;
        }
    }
    drawn.truncate(wanted);
    drawn
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn sources_take_turns_and_contested_texts_stay_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("detection/dev")).unwrap();
        let file = File::create(folder.path().join(FILE)).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        for id in 0..30 {
            let source = if id < 28 { "large" } else { "small" };
            let contested = id == 29;
            writeln!(
                gz,
                r#"{{"id":"{id}","text":"t{id}","label":"attack","family":"jailbreak","source":"{source}","contested":{contested}}}"#
            )
            .unwrap();
        }
        gz.finish().unwrap();
        let draw_once = || draw(folder.path(), 3, 4, 4).unwrap();
        let sources: Vec<_> = draw_once().attacks.into_iter().map(|drawn| drawn.source).collect();
        assert_eq!(sources, ["large", "small", "large", "large"]);
        assert_eq!(draw_once().attacks, draw_once().attacks);
        assert!(draw_once().benign.is_empty());
    }

    #[test]
    fn a_missing_corpus_is_named() {
        let error = draw(Path::new("/nowhere"), 1, 1, 1).unwrap_err();
        assert!(error.to_string().contains("detection/dev/text.jsonl.gz"), "{error}");
    }
}
