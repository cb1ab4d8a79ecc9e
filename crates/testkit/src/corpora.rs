//! Corpora that are not part of the repository. A test that needs one says "skipped: no corpus"
//! and passes where it is absent.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;

/// Where a corpus is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// The folder that `QUELL_CORPORA` names.
    Corpora,
    /// The folder that `QUELL_DATA` names.
    Data,
}

/// The path of a corpus file or folder. None, said on standard output, if it is not here.
#[expect(clippy::print_stdout, reason = "a skipped test has to say so")]
pub fn corpus_path(shelf: Shelf, path: &str) -> Option<PathBuf> {
    let variable = match shelf {
        Shelf::Corpora => "QUELL_CORPORA",
        Shelf::Data => "QUELL_DATA",
    };
    let found = std::env::var_os(variable)
        .map(|folder| PathBuf::from(folder).join(path))
        .filter(|path| path.exists());
    if found.is_none() {
        println!("skipped: no corpus {path} ({variable})");
    }
    found
}

/// The rows of a `.jsonl.gz` file, decoded one by one. None if it is not here.
///
/// # Panics
/// If a row does not decode: a corpus that is here has to be readable.
#[expect(clippy::expect_used, reason = "tests want to stop at an unreadable corpus")]
pub fn jsonl<T: DeserializeOwned>(shelf: Shelf, path: &str) -> Option<impl Iterator<Item = T>> {
    let file = File::open(corpus_path(shelf, path)?).expect("the corpus opens");
    let lines = BufReader::new(MultiGzDecoder::new(file)).lines();
    Some(lines.map(|line| line.expect("the corpus is gzip")).filter(|line| !line.is_empty()).map(
        |line| serde_json::from_str(&line).expect("every line of the corpus has the row's shape"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Row {
        text: String,
    }

    #[test]
    fn a_corpus_that_is_here_is_read_and_one_that_is_not_is_skipped() {
        assert!(jsonl::<Row>(Shelf::Corpora, "no/such/file.jsonl.gz").is_none());
        let Some(rows) = jsonl::<Row>(Shelf::Corpora, "detection/dev_test/text.jsonl.gz") else {
            return;
        };
        assert!(rows.take(100).all(|row| !row.text.is_empty()));
    }
}
