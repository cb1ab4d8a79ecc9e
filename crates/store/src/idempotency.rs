//! Replies remembered under a caller's idempotency key, so that a repeated POST acts once.

use jiff::Timestamp;
use sqlx::Row;

use crate::error::StoreError;
use crate::row::{inserted, micros};
use crate::store::{Read, Tx};

/// What a caller was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// SHA-256 of the request; another request under the same key is a mistake.
    pub request_sha256: String,
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: String,
}

impl Read {
    /// The reply remembered for an actor's key.
    pub async fn stored_reply(
        &mut self,
        actor: &str,
        key: &str,
    ) -> Result<Option<StoredReply>, StoreError> {
        let query = sqlx::query(
            "SELECT request_sha256, status, response FROM idempotency_keys \
             WHERE actor = $1 AND name = $2",
        );
        let row = query.bind(actor).bind(key).fetch_optional(self.connection()).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredReply {
            request_sha256: row.try_get("request_sha256")?,
            status: u16::try_from(row.try_get::<i64, _>("status")?)
                .map_err(|_| StoreError::corrupt("reply status"))?,
            body: row.try_get("response")?,
        }))
    }
}

impl Tx {
    /// Remembers a reply. False when the key is taken.
    pub async fn store_reply(
        &mut self,
        actor: &str,
        key: &str,
        reply: &StoredReply,
    ) -> Result<bool, StoreError> {
        let now = micros(self.now());
        let insert = sqlx::query(
            "INSERT INTO idempotency_keys \
             (actor, name, request_sha256, status, response, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (actor, name) DO NOTHING",
        )
        .bind(actor)
        .bind(key)
        .bind(&reply.request_sha256)
        .bind(i64::from(reply.status))
        .bind(&reply.body)
        .bind(now);
        inserted(insert, self.connection()).await
    }

    /// Forgets replies given before `before`.
    pub async fn purge_replies(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let delete = sqlx::query("DELETE FROM idempotency_keys WHERE created_at < $1");
        Ok(delete.bind(micros(before)).execute(self.connection()).await?.rows_affected())
    }
}
