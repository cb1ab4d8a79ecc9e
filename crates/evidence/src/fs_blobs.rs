//! Evidence in a folder: `{root}/{incident}/{sha256}`, read-only once written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use quell_domain::IncidentId;

use crate::blobs::{BlobError, BlobStore};
use crate::digest::Sha256Digest;

/// A [`BlobStore`] in a folder.
#[derive(Debug)]
pub struct FsBlobs {
    root: PathBuf,
    /// Tells apart the temporary names of writers in this process.
    writes: AtomicU64,
}

impl FsBlobs {
    /// A store in `root`, which is created when the first item comes.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), writes: AtomicU64::new(0) }
    }

    fn folder(&self, incident: IncidentId) -> PathBuf {
        self.root.join(incident.to_string())
    }

    fn create_folder(&self, folder: &Path) -> Result<(), BlobError> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        sync_folder(&self.root)?;
        self.root.parent().filter(|parent| parent.is_dir()).map_or(Ok(()), sync_folder)
    }
}

impl BlobStore for FsBlobs {
    fn put(&self, incident: IncidentId, bytes: &[u8]) -> Result<Sha256Digest, BlobError> {
        let digest = Sha256Digest::of(bytes);
        let folder = self.folder(incident);
        let path = folder.join(digest.to_string());
        match self.get(incident, digest) {
            Ok(_) => return Ok(digest),
            Err(BlobError::Missing { .. }) => {}
            Err(other) => return Err(other),
        }
        self.create_folder(&folder)?;
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{digest}.{}.{write}", std::process::id()));
        write_read_only(&temporary, bytes)?;
        fs::rename(&temporary, &path).map_err(failed("rename", &temporary))?;
        sync_folder(&folder)?;
        Ok(digest)
    }

    fn get(&self, incident: IncidentId, digest: Sha256Digest) -> Result<Vec<u8>, BlobError> {
        let path = self.folder(incident).join(digest.to_string());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BlobError::Missing { incident, digest });
            }
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let found = Sha256Digest::of(&bytes);
        if found == digest {
            Ok(bytes)
        } else {
            Err(BlobError::Altered { incident, digest, found })
        }
    }

    fn list(&self, incident: IncidentId) -> Result<Vec<Sha256Digest>, BlobError> {
        let folder = self.folder(incident);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("list", &folder)(error)),
        };
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed("list", &folder))?.file_name();
            // Temporary names of writers are no digests.
            digests.extend(name.to_str().and_then(|name| name.parse::<Sha256Digest>().ok()));
        }
        digests.sort_unstable();
        Ok(digests)
    }
}

/// Writes a new file that nobody can write to afterwards, and syncs it.
fn write_read_only(path: &Path, bytes: &[u8]) -> Result<(), BlobError> {
    // A process with this number may have died while writing the same item.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", path)(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed("create", path))?;
    let written = file.write_all(bytes).and_then(|()| {
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)?;
        file.sync_all()
    });
    if written.is_err() {
        // The first error is the one to report; a left-over temporary file is no evidence.
        let _ = fs::remove_file(path);
    }
    written.map_err(failed("write", path))
}

fn sync_folder(folder: &Path) -> Result<(), BlobError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(failed("sync", folder))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BlobError {
    let path = path.to_owned();
    move |source| BlobError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident() -> IncidentId {
        "inc_0198c0de00007000800000000000000a".parse().unwrap()
    }

    #[test]
    fn what_is_put_is_got_and_listed_once() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FsBlobs::new(folder.path().join("evidence"));
        assert_eq!(blobs.list(incident()).unwrap(), []);
        let one = blobs.put(incident(), b"one").unwrap();
        assert_eq!(blobs.put(incident(), b"one").unwrap(), one);
        let empty = blobs.put(incident(), b"").unwrap();
        assert_eq!(blobs.get(incident(), one).unwrap(), b"one");
        let mut both = vec![one, empty];
        both.sort_unstable();
        assert_eq!(blobs.list(incident()).unwrap(), both);
        let path = blobs.folder(incident()).join(one.to_string());
        assert!(path.metadata().unwrap().permissions().readonly());
    }

    #[test]
    fn missing_and_altered_bytes_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FsBlobs::new(folder.path());
        let digest = Sha256Digest::of(b"one");
        let missing = blobs.get(incident(), digest).unwrap_err();
        assert!(matches!(missing, BlobError::Missing { .. }), "{missing}");
        blobs.put(incident(), b"one").unwrap();
        let path = blobs.folder(incident()).join(digest.to_string());
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"two").unwrap();
        for result in
            [blobs.get(incident(), digest).map(|_| ()), blobs.put(incident(), b"one").map(|_| ())]
        {
            assert!(matches!(result, Err(BlobError::Altered { .. })), "{result:?}");
        }
    }
}
