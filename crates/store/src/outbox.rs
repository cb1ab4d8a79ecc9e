//! Work that follows from a change and is queued in the same transaction, so that it happens at
//! least once, and under one idempotency key.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::row::{inserted, micros, optional_time, time};
use crate::store::{Read, Tx};

/// The longest stored error text.
const ERROR_CHARS: usize = 500;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxKind {
    /// The evidence ledger anchors a timeline event.
    Ledger,
    /// Somebody is told.
    Notify,
    /// Anything else in the background.
    Job,
}

impl OutboxKind {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Notify => "notify",
            Self::Job => "job",
        }
    }
}

/// One piece of queued work.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxItem {
    /// Identity; rises in the order work was queued.
    pub id: String,
    /// What the receiver recognises a repetition by.
    pub idempotency_key: String,
    /// Particulars.
    pub payload: Value,
    /// When it was queued.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was done.
    pub done_at: Option<Timestamp>,
}

impl Read {
    /// Work of one kind that is due, oldest first.
    pub async fn outbox_due(
        &mut self,
        kind: OutboxKind,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxItem>, StoreError> {
        let query = sqlx::query(
            "SELECT id, idempotency_key, payload, created_at, attempts, last_error, done_at \
             FROM outbox WHERE kind = $1 AND done_at IS NULL AND due_at <= $2 \
             ORDER BY id LIMIT $3",
        );
        let query = query.bind(kind.as_str()).bind(micros(now)).bind(i64::from(limit));
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(item).collect()
    }
}

impl Tx {
    /// Queues work. False when work under this key was queued before.
    pub async fn enqueue(
        &mut self,
        kind: OutboxKind,
        idempotency_key: &str,
        payload: &Value,
    ) -> Result<bool, StoreError> {
        let id = self.ids().uuid().simple().to_string();
        let now = micros(self.now());
        let insert = sqlx::query(
            "INSERT INTO outbox \
             (id, kind, idempotency_key, payload, created_at, due_at, attempts) \
             VALUES ($1, $2, $3, $4, $5, $5, 0) ON CONFLICT (idempotency_key) DO NOTHING",
        )
        .bind(id)
        .bind(kind.as_str())
        .bind(idempotency_key)
        .bind(payload.to_string())
        .bind(now);
        inserted(insert, self.connection()).await
    }

    /// Marks work as done.
    pub async fn outbox_done(&mut self, id: &str) -> Result<(), StoreError> {
        let now = micros(self.now());
        let update = sqlx::query("UPDATE outbox SET done_at = $1 WHERE id = $2");
        update.bind(now).bind(id).execute(self.connection()).await?;
        Ok(())
    }

    /// Puts work off after a failed try.
    pub async fn outbox_failed(
        &mut self,
        id: &str,
        error: &str,
        retry_at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, last_error = $1, due_at = $2 \
             WHERE id = $3",
        );
        let error: String = error.chars().take(ERROR_CHARS).collect();
        let update = update.bind(error).bind(micros(retry_at)).bind(id);
        update.execute(self.connection()).await?;
        Ok(())
    }

    /// Forgets work done before `before`.
    pub async fn purge_outbox(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let delete = sqlx::query("DELETE FROM outbox WHERE done_at < $1").bind(micros(before));
        Ok(delete.execute(self.connection()).await?.rows_affected())
    }
}

fn item(row: &AnyRow) -> Result<OutboxItem, StoreError> {
    let payload: &str = row.try_get("payload")?;
    Ok(OutboxItem {
        id: row.try_get("id")?,
        idempotency_key: row.try_get("idempotency_key")?,
        payload: serde_json::from_str(payload)
            .map_err(|_| StoreError::corrupt("outbox payload"))?,
        created_at: time(row, "created_at")?,
        attempts: row.try_get("attempts")?,
        last_error: row.try_get("last_error")?,
        done_at: optional_time(row, "done_at")?,
    })
}
