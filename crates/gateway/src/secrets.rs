//! Secret references: `env:NAME` or `file:/path`. The snapshot carries references, never secrets.

use std::path::Path;

use secrecy::SecretString;

/// Longest secret read from a file, bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Why a reference could not be resolved. Never shows what was found.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither `env:` nor `file:`.
    #[error("secret reference {0:?} must start with `env:` or `file:`")]
    Scheme(String),
    /// Variable missing or empty.
    #[error("environment variable {0} is not set; set it for the gateway process")]
    Env(String),
    /// File unreadable.
    #[error("secret file {path} cannot be read: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// File too large or empty.
    #[error("secret file {0} must hold 1 to 65536 bytes of text")]
    Size(String),
}

/// Resolves one reference.
pub fn resolve(reference: &str) -> Result<SecretString, SecretError> {
    if let Some(name) = reference.strip_prefix("env:") {
        return match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(SecretString::from(value)),
            _ => Err(SecretError::Env(name.into())),
        };
    }
    let Some(path) = reference.strip_prefix("file:") else {
        return Err(SecretError::Scheme(reference.chars().take(8).collect()));
    };
    let unreadable = |source| SecretError::File { path: path.into(), source };
    let size = std::fs::metadata(Path::new(path)).map_err(unreadable)?.len();
    if size == 0 || size > SECRET_BYTES_MAX {
        return Err(SecretError::Size(path.into()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}
