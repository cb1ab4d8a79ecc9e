//! Files in the data directory that processes on one machine share.

use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use quell_domain::IdSource;

/// The token gateways show to control.
pub(crate) const NODE_TOKEN: &str = "node.token";
/// The token the command line shows to the API on the same machine.
pub(crate) const ADMIN_TOKEN: &str = "admin.token";

/// Makes the data directory, for its owner only.
pub(crate) fn ensure_data_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))
}

/// Reads the token in `name`, making it up first where it is missing.
pub(crate) fn ensure_token(
    dir: &Path,
    name: &str,
    prefix: &str,
    ids: &dyn IdSource,
) -> anyhow::Result<String> {
    let path = dir.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => std::fs::remove_file(&path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let mut secret = [0_u8; 32];
    ids.random(&mut secret);
    let token = format!("{prefix}{}", hex::encode(secret));
    match write_private(&path, &token) {
        Ok(()) => Ok(token),
        // Another process of this deployment was first.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            ensure_token(dir, name, prefix, ids)
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
    }
}

/// Writes a file only its owner can read, whole or not at all.
fn write_private(path: &PathBuf, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
