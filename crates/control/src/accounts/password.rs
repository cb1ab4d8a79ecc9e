//! Argon2id, on threads of its own: one hash takes tens of milliseconds and 19 MiB.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use quell_domain::id::SharedIds;
use tokio::sync::Semaphore;

use crate::refused::Refused;

/// Shortest password, characters.
pub(crate) const CHARS_MIN: usize = 12;
/// Longest password, bytes.
const BYTES_MAX: usize = 1_024;
/// Hashes at a time: a flood of sign-ins must not take all memory.
static HASHING: Semaphore = Semaphore::const_new(2);

/// The PHC string of `password`.
pub(super) async fn hash(password: &str, ids: &SharedIds) -> Result<String, Refused> {
    if password.chars().count() < CHARS_MIN || password.len() > BYTES_MAX {
        return Err(Refused::invalid(
            "password.length",
            "a password has at least 12 characters and at most 1024 bytes",
        ));
    }
    let mut salt = [0; 16];
    ids.random(&mut salt);
    let password = password.to_owned();
    work(move || {
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|error| Refused::invalid("password.unusable", error.to_string()))?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether `password` is the one behind `hash`.
pub(super) async fn verify(password: &str, hash: &str) -> Result<bool, Refused> {
    if password.len() > BYTES_MAX {
        return Ok(false);
    }
    let (password, hash) = (password.to_owned(), hash.to_owned());
    work(move || {
        // An account that was invited has no password yet, so none is right.
        let parsed = PasswordHash::new(&hash).ok();
        let verify = |hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        Ok(parsed.is_some_and(verify))
    })
    .await
}

async fn work<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let stopped = |_| Refused::files("the process is stopping");
    let _turn = HASHING.acquire().await.map_err(|_| Refused::files("the process is stopping"))?;
    tokio::task::spawn_blocking(job).await.map_err(stopped)?
}
