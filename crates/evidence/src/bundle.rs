//! A bundle: `manifest.json`, the items under `items/`, and `SHA256SUMS` over all of them, so
//! that `sha256sum -c SHA256SUMS` checks an unpacked bundle without Quell.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::blobs::{BlobError, BlobStore};
use crate::digest::Sha256Digest;
use crate::manifest::{MANIFEST_NAME, Manifest, ManifestError};
use crate::tar;

/// The file with the digests of all the others, in the format of `sha256sum`.
pub(crate) const SUMS_NAME: &str = "SHA256SUMS";
const ITEMS: &str = "items";

/// Why a bundle was not written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The manifest does not fit a bundle.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An item cannot be had.
    #[error("item {name:?} cannot be exported")]
    Item {
        /// Its name.
        name: String,
        /// Why.
        source: BlobError,
    },
    /// The folder to write to has something in it.
    #[error("{} is not empty: name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// The operating system refused.
    #[error("the bundle cannot be written")]
    Io(#[from] io::Error),
}

/// Writes a bundle as a folder, which must be new or empty. Returns the manifest's digest.
pub fn write_dir(
    folder: &Path,
    manifest: &Manifest,
    blobs: &dyn BlobStore,
) -> Result<Sha256Digest, BundleError> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(BundleError::NotEmpty(folder.to_owned()));
    }
    write_files(manifest, blobs, |name, bytes| {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
    .and_then(|digest| {
        File::open(folder)?.sync_all()?;
        Ok(digest)
    })
}

/// Writes a bundle as one tar. The same manifest gives the same bytes. Returns the manifest's
/// digest.
pub fn write_tar(
    mut out: impl Write,
    manifest: &Manifest,
    blobs: &dyn BlobStore,
) -> Result<Sha256Digest, BundleError> {
    let digest =
        write_files(manifest, blobs, |name, bytes| tar::write_file(&mut out, name, bytes))?;
    tar::write_end(&mut out)?;
    out.flush()?;
    Ok(digest)
}

fn write_files(
    manifest: &Manifest,
    blobs: &dyn BlobStore,
    mut write: impl FnMut(&str, &[u8]) -> io::Result<()>,
) -> Result<Sha256Digest, BundleError> {
    let bytes = manifest.canonical_bytes()?;
    let digest = Sha256Digest::of(&bytes);
    write(MANIFEST_NAME, &bytes)?;
    write(SUMS_NAME, sums(digest, manifest).as_bytes())?;
    let Manifest::V1(v1) = manifest;
    for item in &v1.items {
        let bytes = blobs
            .get(v1.incident, item.sha256)
            .map_err(|source| BundleError::Item { name: item.name.clone(), source })?;
        write(&item_path(&item.name), &bytes)?;
    }
    Ok(digest)
}

/// Where an item's bytes stand in a bundle.
pub(crate) fn item_path(name: &str) -> String {
    format!("{ITEMS}/{name}")
}

/// What `SHA256SUMS` says for a manifest.
pub(crate) fn sums(manifest_digest: Sha256Digest, manifest: &Manifest) -> String {
    let own = format!("{manifest_digest}  {MANIFEST_NAME}\n");
    let items = manifest.items().iter();
    items.fold(own, |text, item| text + &format!("{}  {}\n", item.sha256, item_path(&item.name)))
}
