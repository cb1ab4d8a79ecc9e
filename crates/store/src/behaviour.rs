//! What is watched over several requests, one row a piece of state, saved in the same transaction
//! as the log cursor.

use jiff::Timestamp;
use sqlx::Row;

use crate::error::StoreError;
use crate::row::micros;
use crate::store::{Read, Tx};

/// Rows of one application that are read: more than its memories can hold.
const ROWS_MAX: i64 = 40_000;

/// One piece of an application's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BehaviourRow {
    /// Which part it belongs to.
    pub part: String,
    /// Which piece of the part.
    pub name: String,
    /// The state.
    pub bytes: Vec<u8>,
}

impl Read {
    /// An application's pieces of state, the newest 40,000.
    pub async fn behaviour_rows(
        &mut self,
        application: &str,
    ) -> Result<Vec<BehaviourRow>, StoreError> {
        let query = sqlx::query(
            "SELECT part, name, bytes FROM behaviour_state WHERE application = $1 \
             ORDER BY saved_at DESC LIMIT $2",
        );
        let query = query.bind(application).bind(ROWS_MAX);
        let rows = query.fetch_all(self.connection()).await?;
        let row = |row: &sqlx::any::AnyRow| {
            Ok(BehaviourRow {
                part: row.try_get("part")?,
                name: row.try_get("name")?,
                bytes: row.try_get("bytes")?,
            })
        };
        rows.iter().map(row).collect()
    }
}

impl Tx {
    /// Saves one piece of an application's state in place of the one before.
    pub async fn put_behaviour_row(
        &mut self,
        application: &str,
        row: &BehaviourRow,
    ) -> Result<(), StoreError> {
        let now = micros(self.now());
        let upsert = sqlx::query(
            "INSERT INTO behaviour_state (application, part, name, saved_at, bytes) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (application, part, name) \
             DO UPDATE SET saved_at = excluded.saved_at, bytes = excluded.bytes",
        );
        let upsert = upsert.bind(application).bind(&row.part).bind(&row.name);
        upsert.bind(now).bind(row.bytes.clone()).execute(self.connection()).await?;
        Ok(())
    }

    /// Forgets pieces of state not saved since `before`; how many.
    pub async fn forget_behaviour(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let delete = sqlx::query("DELETE FROM behaviour_state WHERE saved_at < $1");
        let done = delete.bind(micros(before)).execute(self.connection()).await?;
        Ok(done.rows_affected())
    }
}
