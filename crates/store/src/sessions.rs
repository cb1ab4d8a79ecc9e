//! Console sessions. The cookie's token is stored as its SHA-256.

use jiff::Timestamp;
use quell_domain::AccountId;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::row::{micros, parsed, time};
use crate::store::{Read, Tx};

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Lower-case hex SHA-256 of the token.
    pub sha256: String,
    /// Whose.
    pub account: AccountId,
    /// What unsafe requests must repeat.
    pub csrf: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_seen_at: Timestamp,
}

impl Read {
    /// The session with this token hash, expired or not.
    pub async fn session(&mut self, sha256: &str) -> Result<Option<Session>, StoreError> {
        let query = sqlx::query(
            "SELECT sha256, account, csrf, created_at, expires_at, last_seen_at \
             FROM sessions WHERE sha256 = $1",
        );
        let row = query.bind(sha256).fetch_optional(self.connection()).await?;
        row.as_ref().map(session).transpose()
    }
}

impl Tx {
    /// Stores a new session.
    pub async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO sessions (sha256, account, csrf, created_at, expires_at, last_seen_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&session.sha256)
        .bind(session.account.to_string())
        .bind(&session.csrf)
        .bind(micros(session.created_at))
        .bind(micros(session.expires_at))
        .bind(micros(session.last_seen_at));
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Notes that a session is in use.
    pub async fn touch_session(&mut self, sha256: &str, at: Timestamp) -> Result<(), StoreError> {
        let update = sqlx::query("UPDATE sessions SET last_seen_at = $1 WHERE sha256 = $2");
        update.bind(micros(at)).bind(sha256).execute(self.connection()).await?;
        Ok(())
    }

    /// Ends one session.
    pub async fn delete_session(&mut self, sha256: &str) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM sessions WHERE sha256 = $1");
        delete.bind(sha256).execute(self.connection()).await?;
        Ok(())
    }

    /// Ends every session of an account, but for the one to keep.
    pub async fn delete_sessions_of(
        &mut self,
        account: AccountId,
        keep: Option<&str>,
    ) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM sessions WHERE account = $1 AND sha256 <> $2");
        let delete = delete.bind(account.to_string()).bind(keep.unwrap_or_default());
        delete.execute(self.connection()).await?;
        Ok(())
    }

    /// Forgets sessions that expired before `before`.
    pub async fn purge_sessions(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let delete = sqlx::query("DELETE FROM sessions WHERE expires_at < $1").bind(micros(before));
        Ok(delete.execute(self.connection()).await?.rows_affected())
    }
}

fn session(row: &AnyRow) -> Result<Session, StoreError> {
    Ok(Session {
        sha256: row.try_get("sha256")?,
        account: parsed(row, "account")?,
        csrf: row.try_get("csrf")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        last_seen_at: time(row, "last_seen_at")?,
    })
}
