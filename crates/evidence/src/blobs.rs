//! The one seam through which the bytes of evidence items are kept. Encryption comes here.

use std::io;
use std::path::PathBuf;

use quell_domain::IncidentId;

use crate::digest::Sha256Digest;

/// Keeps bytes by their digest. Nothing is ever overwritten.
pub trait BlobStore: Send + Sync {
    /// Keeps `bytes`. When this returns they are on the disk. Keeping the same bytes twice is one.
    fn put(&self, incident: IncidentId, bytes: &[u8]) -> Result<Sha256Digest, BlobError>;

    /// The bytes with this digest, checked against it.
    fn get(&self, incident: IncidentId, digest: Sha256Digest) -> Result<Vec<u8>, BlobError>;

    /// Every digest kept for an incident, sorted.
    fn list(&self, incident: IncidentId) -> Result<Vec<Sha256Digest>, BlobError>;
}

/// Why bytes cannot be kept or given.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The store does not have them.
    #[error("no evidence {digest} is kept for {incident}")]
    Missing {
        /// The incident.
        incident: IncidentId,
        /// What was asked for.
        digest: Sha256Digest,
    },
    /// What is kept under the digest are other bytes: the disk or somebody changed them.
    #[error("evidence {digest} of {incident} was altered: its bytes hash to {found}")]
    Altered {
        /// The incident.
        incident: IncidentId,
        /// What was asked for.
        digest: Sha256Digest,
        /// What is there.
        found: Sha256Digest,
    },
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
}
