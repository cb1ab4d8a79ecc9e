//! What can be wrong with a log.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes in the middle of a log that do not verify. Reading stops there and says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: PathBuf,
    /// Where the bad bytes start.
    pub offset: u64,
    /// The last record before them that verifies; 0 when there is none.
    pub last_good: u64,
    /// The first record after them that verifies: read on with `read_after(resumes_at - 1)`.
    pub resumes_at: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is damaged at byte {}: no record between {} and {} can be read",
            self.segment.display(),
            self.offset,
            self.last_good,
            self.resumes_at,
        )
    }
}

/// Why a log cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Another process writes here.
    #[error("{} is held by another process: one gateway per name and folder", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Not a name for a gateway.
    #[error("gateway name {name:?}: expected 1 to 64 of a-z 0-9 - _ ., not starting with a dot")]
    GatewayName {
        /// The name.
        name: String,
    },
    /// The segment was written by another gateway.
    #[error("{} belongs to gateway {found:?}, not {expected:?}", segment.display())]
    OtherGateway {
        /// The segment.
        segment: PathBuf,
        /// Its gateway.
        found: String,
        /// The gateway asked for.
        expected: String,
    },
    /// A newer version wrote this segment.
    #[error(
        "{} has log format {version}; this build reads {}: use a newer build",
        segment.display(),
        crate::FORMAT_VERSION
    )]
    Version {
        /// The segment.
        segment: PathBuf,
        /// Its format version.
        version: u16,
    },
    /// The segment is encrypted and there is no key for it.
    #[error("{} is encrypted with a key this build does not have", segment.display())]
    Encrypted {
        /// The segment.
        segment: PathBuf,
    },
    /// Bytes in the middle do not verify.
    #[error("{0}")]
    Damaged(Damage),
    /// Records are missing between two segments.
    #[error(
        "{} starts at record {found}, expected {expected}: a segment is missing or was replaced",
        segment.display()
    )]
    Gap {
        /// The segment after the gap.
        segment: PathBuf,
        /// The sequence that should come.
        expected: u64,
        /// The sequence it starts with.
        found: u64,
    },
    /// A segment does not continue the one before.
    #[error("{} does not continue the segment before it: one of them was replaced", segment.display())]
    ChainBroken {
        /// The later segment.
        segment: PathBuf,
    },
    /// A reader asked for records after one that the log does not have.
    #[error(
        "asked for records after {asked}, but the log ends at {last}: it lost its tail or was replaced"
    )]
    BeyondEnd {
        /// The cursor.
        asked: u64,
        /// The last record there is.
        last: u64,
    },
}

impl LakeError {
    /// Names the place of an IO error.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
