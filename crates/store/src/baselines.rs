//! What is normal for each application, saved in the transaction that says how far the logs were
//! read for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::error::StoreError;
use crate::row::{doc, guarded, micros, time, to_doc};
use crate::store::{Read, Tx};

/// The one row of `baseline_state`.
const NAME: &str = "baselines";

/// How far the logs were read, by whom, and what the book remembers beside its scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineState {
    /// The control process that keeps the baselines.
    pub holder: String,
    /// The book's own memory, as it gave it.
    pub meta: String,
    /// By gateway: the sequence number up to which its log was counted.
    pub cursors: std::collections::BTreeMap<String, u64>,
}

/// A [`BaselineState`] as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBaselineState {
    /// Rises with every save.
    pub version: i64,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// The state.
    pub state: BaselineState,
}

/// One scope as stored: what it is, its state, and its closed cells by day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineScope {
    /// The application.
    pub application: String,
    /// What of it: the dimension's name.
    pub dimension: String,
    /// Which one.
    pub part: String,
    /// Seconds of a cell.
    pub seconds: i64,
    /// Number of the cell that is closed next.
    pub next: i64,
    /// Open cells and detectors, JSON.
    pub head: String,
    /// Closed cells by day since 1970, UTC.
    pub days: Vec<(i64, Vec<u8>)>,
}

impl Read {
    /// The saved state; none before the first save.
    pub async fn baseline_state(&mut self) -> Result<Option<StoredBaselineState>, StoreError> {
        let query =
            sqlx::query("SELECT version, saved_at, doc FROM baseline_state WHERE name = $1");
        let row = query.bind(NAME).fetch_optional(self.connection()).await?;
        let Some(row) = row else { return Ok(None) };
        let (version, saved_at) = (row.try_get("version")?, time(&row, "saved_at")?);
        Ok(Some(StoredBaselineState { version, saved_at, state: doc(&row)? }))
    }

    /// Every scope with all its days, oldest day first.
    pub async fn baseline_scopes(&mut self) -> Result<Vec<BaselineScope>, StoreError> {
        let query = sqlx::query(
            "SELECT application, dimension, part, seconds, next, head FROM baseline_scopes \
             ORDER BY application, dimension, part",
        );
        let rows = query.fetch_all(self.connection()).await?;
        let mut scopes = Vec::with_capacity(rows.len());
        for row in rows {
            let query = sqlx::query(
                "SELECT day, bytes FROM baseline_days \
                 WHERE application = $1 AND dimension = $2 AND part = $3 ORDER BY day",
            );
            let mut scope = BaselineScope {
                application: row.try_get("application")?,
                dimension: row.try_get("dimension")?,
                part: row.try_get("part")?,
                seconds: row.try_get("seconds")?,
                next: row.try_get("next")?,
                head: row.try_get("head")?,
                days: Vec::new(),
            };
            let query = query.bind(&scope.application).bind(&scope.dimension).bind(&scope.part);
            for day in query.fetch_all(self.connection()).await? {
                scope.days.push((day.try_get("day")?, day.try_get("bytes")?));
            }
            scopes.push(scope);
        }
        Ok(scopes)
    }
}

impl Tx {
    /// Saves the state over the version that was read; none makes the first.
    pub async fn put_baseline_state(
        &mut self,
        state: &BaselineState,
        version: Option<i64>,
    ) -> Result<i64, StoreError> {
        let (now, text) = (micros(self.now()), to_doc(state)?);
        let Some(version) = version else {
            let insert = sqlx::query(
                "INSERT INTO baseline_state (name, version, saved_at, doc) VALUES ($1, 1, $2, $3)",
            );
            insert.bind(NAME).bind(now).bind(text).execute(self.connection()).await?;
            return Ok(1);
        };
        let update = sqlx::query(
            "UPDATE baseline_state SET version = $1, saved_at = $2, doc = $3 \
             WHERE name = $4 AND version = $5",
        );
        let update = update.bind(version + 1).bind(now).bind(text).bind(NAME).bind(version);
        guarded(update, "baselines", self.connection()).await?;
        Ok(version + 1)
    }

    /// Saves a scope, and those of its days that are given.
    pub async fn put_baseline_scope(&mut self, scope: &BaselineScope) -> Result<(), StoreError> {
        let upsert = sqlx::query(
            "INSERT INTO baseline_scopes (application, dimension, part, seconds, next, head) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (application, dimension, part) \
             DO UPDATE SET seconds = excluded.seconds, next = excluded.next, head = excluded.head",
        );
        let upsert = upsert.bind(&scope.application).bind(&scope.dimension).bind(&scope.part);
        let upsert = upsert.bind(scope.seconds).bind(scope.next).bind(&scope.head);
        upsert.execute(self.connection()).await?;
        for (day, bytes) in &scope.days {
            let upsert = sqlx::query(
                "INSERT INTO baseline_days (application, dimension, part, day, bytes) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (application, dimension, part, day) \
                 DO UPDATE SET bytes = excluded.bytes",
            );
            let upsert = upsert.bind(&scope.application).bind(&scope.dimension).bind(&scope.part);
            upsert.bind(*day).bind(bytes.clone()).execute(self.connection()).await?;
        }
        Ok(())
    }

    /// Forgets a scope.
    pub async fn delete_baseline_scope(
        &mut self,
        application: &str,
        dimension: &str,
        part: &str,
    ) -> Result<(), StoreError> {
        for delete in [
            "DELETE FROM baseline_days WHERE application = $1 AND dimension = $2 AND part = $3",
            "DELETE FROM baseline_scopes WHERE application = $1 AND dimension = $2 AND part = $3",
        ] {
            let delete = sqlx::query(delete).bind(application).bind(dimension).bind(part);
            delete.execute(self.connection()).await?;
        }
        Ok(())
    }

    /// Forgets the closed cells of days before `day`.
    pub async fn delete_baseline_days(&mut self, day: i64) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM baseline_days WHERE day < $1").bind(day);
        delete.execute(self.connection()).await?;
        Ok(())
    }
}
