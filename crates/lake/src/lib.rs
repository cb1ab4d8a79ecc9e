//! The interaction log: append-only segments, one writer per gateway, any number of readers.
//!
//! A log is the folder `{data}/lake/{gateway}` (see [`log_dir`]) with segments named by their
//! first sequence number, `{first_sequence:020}.qlog`. Sequence numbers start at 1 and have no
//! gaps; every frame's checksum covers the one before it, across segments, so a frame cannot be
//! lost, moved or replaced unnoticed by accident. (Against intent the evidence ledger stands.)
//!
//! What [`LogWriter::append`] acknowledged was handed to the kernel: it survives `kill -9` of this
//! process, and power loss except for the last [`WriterOptions::fsync_every`].
//!
//! The payload is opaque here. Columnar files will be made from sealed segments: every segment
//! that [`segments`] lists before the last one never changes again.

mod error;
mod format;
mod queue;
mod reader;
mod recovery;
mod scan;
mod segment;
mod sync;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

pub use error::{Damage, LakeError};
pub use format::{FORMAT_VERSION, MAX_PAYLOAD};
pub use queue::{AppendError, Appending};
pub use reader::{LogReader, LogRecord};
pub use recovery::Repair;
pub use scan::{LogReport, Order, scan, verify};
pub use segment::{SegmentInfo, segments};
pub use writer::{LogWriter, WriterOptions, WriterStatus};

/// The folder of one gateway's log under the lake folder.
pub fn log_dir(lake: &Path, gateway: &str) -> PathBuf {
    lake.join(gateway)
}

/// The names of the gateways that have a log under `lake`, sorted.
pub fn gateways(lake: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(lake) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str()
            && entry.file_type()?.is_dir()
            && format::is_gateway_name(name)
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
