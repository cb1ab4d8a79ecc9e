//! Rows from files.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use quell_training::rows::Row;

use crate::exit::Failure;

/// Longest line, and most rows of all files.
const MAX_LINE: usize = 4 << 20;
const MAX_ROWS: usize = 2_000_000;

/// A file's name without its endings, and its rows.
pub(super) type Part = (String, Vec<Row>);

/// The parts of folders and files, in order of their names; `.jsonl` and `.jsonl.gz` are read.
pub(super) fn parts(paths: &[PathBuf]) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    for path in paths {
        let mut files = vec![path.clone()];
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|error| refused(path, &error))?;
            files = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
            files.retain(|file| !name(file).is_empty());
            files.sort();
        }
        if files.is_empty() {
            return Err(refused(path, &"it holds no .jsonl or .jsonl.gz"));
        }
        for file in files {
            parts.push((name(&file), rows(&file)?));
        }
    }
    Ok(parts)
}

/// The part's name; empty for other files.
fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.strip_suffix(".jsonl").unwrap_or_default().to_owned()
}

/// The rows of one file.
pub(super) fn rows(path: &Path) -> Result<Vec<Row>, Failure> {
    let file = std::fs::File::open(path).map_err(|error| refused(path, &error))?;
    let packed = path.extension().is_some_and(|ending| ending == "gz");
    let plain: Box<dyn Read> =
        if packed { Box::new(flate2::read::GzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = BufReader::new(plain);
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
        match read.map_err(|error| refused(path, &error))? {
            0 => break,
            length if length > MAX_LINE || rows.len() >= MAX_ROWS => {
                return Err(refused(path, &format!("line {number} is beyond the limit")));
            }
            _ if line.trim_ascii().is_empty() => {}
            _ => {
                let row = serde_json::from_slice(&line);
                rows.push(row.map_err(|error| refused(path, &format!("line {number}: {error}")))?);
            }
        }
    }
    Ok(rows)
}

fn refused(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::error(format!("cannot read {}: {error}", path.display()))
}
