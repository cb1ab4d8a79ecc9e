//! Checking a bundle, offline. The bundle is hostile until it has passed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use quell_domain::IncidentId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::bundle::{SUMS_NAME, item_path, sums};
use crate::digest::Sha256Digest;
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::tar;

const DEEPEST: usize = 6;

/// What is read at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyLimits {
    /// Files.
    pub files: usize,
    /// Bytes of the manifest, and of `SHA256SUMS`.
    pub manifest_bytes: u64,
    /// Bytes of one item.
    pub item_bytes: u64,
    /// Bytes of everything.
    pub total_bytes: u64,
}

impl Default for VerifyLimits {
    fn default() -> Self {
        Self {
            files: 100_002,
            manifest_bytes: 256 * 1024 * 1024,
            item_bytes: 1024 * 1024 * 1024,
            total_bytes: 64 * 1024 * 1024 * 1024,
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// The incident the manifest names.
    pub incident: Option<IncidentId>,
    /// Its number for people.
    pub number: Option<String>,
    /// The digest of the manifest as it is: compare it with the one noted at export.
    pub manifest_sha256: Option<Sha256Digest>,
    /// Whether the manifest is canonical, has the digest that the bundle and the caller expect,
    /// and `SHA256SUMS` says the same.
    pub manifest_ok: bool,
    /// Why it is not.
    pub manifest_problem: Option<String>,
    /// Items whose bytes are there and unchanged.
    pub items_ok: usize,
    /// Items that are not there.
    pub missing: Vec<String>,
    /// Items whose bytes are others.
    pub altered: Vec<String>,
    /// Entries that the manifest does not name.
    pub unexpected: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.manifest_ok
            && self.missing.is_empty()
            && self.altered.is_empty()
            && self.unexpected.is_empty()
    }
}

/// Why a bundle cannot be checked at all. It is not intact.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Unreadable, or not packed as a bundle is.
    #[error("{} cannot be read as a bundle: {source}", path.display())]
    Unreadable {
        /// The bundle.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than the limits allow.
    #[error("{} has more {what} than a bundle may have", path.display())]
    TooLarge {
        /// The bundle.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
    },
    /// Two entries of one name: readers would disagree which one counts.
    #[error("{} has two entries named {name:?}", path.display())]
    Duplicate {
        /// The bundle.
        path: PathBuf,
        /// The name.
        name: String,
    },
}

/// Checks the bundle at `path`, a folder or a tar. `expected` is the manifest digest that was
/// noted elsewhere at export; with it, not even a bundle that was rewritten as a whole passes.
pub fn verify(
    path: &Path,
    expected: Option<Sha256Digest>,
    limits: &VerifyLimits,
) -> Result<VerifyReport, VerifyError> {
    let mut found = Found { path, limits, files: BTreeMap::new(), total: 0, odd: Vec::new() };
    let metadata = fs::metadata(path).map_err(|error| found.unreadable(error))?;
    if metadata.is_dir() {
        found.read_folder(path, "", 0)?;
    } else {
        found.read_tar()?;
    }
    Ok(found.judge(expected))
}

/// What is in a bundle, by name.
struct Found<'a> {
    path: &'a Path,
    limits: &'a VerifyLimits,
    files: BTreeMap<String, Entry>,
    total: u64,
    /// Entries that are no regular files.
    odd: Vec<String>,
}

struct Entry {
    size: u64,
    digest: Sha256Digest,
    /// Only of the manifest and of `SHA256SUMS`.
    bytes: Vec<u8>,
}

impl Found<'_> {
    fn read_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), VerifyError> {
        if depth > DEEPEST {
            return Err(self.too_large("folders inside folders"));
        }
        for entry in fs::read_dir(folder).map_err(|error| self.unreadable(error))? {
            let entry = entry.map_err(|error| self.unreadable(error))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // Of the entry itself: links are not followed, and pipes are not opened.
            let kind = entry.file_type().map_err(|error| self.unreadable(error))?;
            if kind.is_dir() {
                self.read_folder(&entry.path(), &format!("{name}/"), depth + 1)?;
            } else if kind.is_file() {
                let file = File::open(entry.path()).map_err(|error| self.unreadable(error))?;
                self.add(name, file, None)?;
            } else {
                self.count()?;
                self.odd.push(name);
            }
        }
        Ok(())
    }

    fn read_tar(&mut self) -> Result<(), VerifyError> {
        let file = File::open(self.path).map_err(|error| self.unreadable(error))?;
        let mut input = BufReader::new(file);
        while let Some((name, size)) =
            tar::read_header(&mut input).map_err(|error| self.unreadable(error))?
        {
            self.add(name, (&mut input).take(size), Some(size))?;
            tar::skip_padding(&mut input, size).map_err(|error| self.unreadable(error))?;
        }
        Ok(())
    }

    /// Hashes one file, of exactly `size` bytes if that is given.
    fn add(
        &mut self,
        name: String,
        mut content: impl Read,
        size: Option<u64>,
    ) -> Result<(), VerifyError> {
        self.count()?;
        let kept = name == MANIFEST_NAME || name == SUMS_NAME;
        let most = if kept { self.limits.manifest_bytes } else { self.limits.item_bytes };
        let (mut hasher, mut bytes, mut read) = (Sha256::new(), Vec::new(), 0);
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = content.read(&mut buffer).map_err(|error| self.unreadable(error))?;
            if count == 0 {
                break;
            }
            read += count as u64;
            self.total += count as u64;
            if read > most || self.total > self.limits.total_bytes {
                return Err(self.too_large("bytes"));
            }
            hasher.update(&buffer[..count]);
            if kept {
                bytes.extend_from_slice(&buffer[..count]);
            }
        }
        if size.is_some_and(|size| size != read) {
            return Err(self.unreadable(io::ErrorKind::UnexpectedEof.into()));
        }
        let entry = Entry { size: read, digest: Sha256Digest::finish(hasher), bytes };
        match self.files.insert(name.clone(), entry) {
            None => Ok(()),
            Some(_) => Err(VerifyError::Duplicate { path: self.path.to_owned(), name }),
        }
    }

    fn count(&self) -> Result<(), VerifyError> {
        let full = self.files.len() + self.odd.len() >= self.limits.files;
        if full { Err(self.too_large("files")) } else { Ok(()) }
    }

    fn judge(mut self, expected: Option<Sha256Digest>) -> VerifyReport {
        let mut report = VerifyReport { unexpected: self.odd, ..VerifyReport::default() };
        let manifest_file = self.files.remove(MANIFEST_NAME);
        let sums_file = self.files.remove(SUMS_NAME);
        report.manifest_sha256 = manifest_file.as_ref().map(|file| file.digest);
        let manifest = match manifest_file.as_ref().map(|file| Manifest::parse(&file.bytes)) {
            Some(Ok(manifest)) => Some(manifest),
            Some(Err(error)) => {
                report.manifest_problem = Some(error.to_string());
                None
            }
            None => {
                report.manifest_problem = Some(format!("there is no {MANIFEST_NAME}"));
                None
            }
        };
        if let (Some(manifest), Some(file)) = (&manifest, &manifest_file) {
            let sums_match = sums_file
                .is_some_and(|found| found.bytes == sums(file.digest, manifest).as_bytes());
            if expected.is_some_and(|expected| expected != file.digest) {
                report.manifest_problem =
                    Some("it is not the manifest whose digest was noted at export".into());
            } else if !sums_match {
                report.manifest_problem = Some(format!("{SUMS_NAME} does not say the same"));
            }
            report.manifest_ok = report.manifest_problem.is_none();
            for item in manifest.items() {
                match self.files.remove(&item_path(&item.name)) {
                    None => report.missing.push(item.name.clone()),
                    Some(file) if file.digest == item.sha256 && file.size == item.size => {
                        report.items_ok += 1;
                    }
                    Some(_) => report.altered.push(item.name.clone()),
                }
            }
            let v1 = manifest.clone().upgrade();
            (report.incident, report.number) = (Some(v1.incident), Some(v1.number));
        }
        report.unexpected.extend(self.files.into_keys());
        report
    }

    fn unreadable(&self, source: io::Error) -> VerifyError {
        VerifyError::Unreadable { path: self.path.to_owned(), source }
    }

    fn too_large(&self, what: &'static str) -> VerifyError {
        VerifyError::TooLarge { path: self.path.to_owned(), what }
    }
}
