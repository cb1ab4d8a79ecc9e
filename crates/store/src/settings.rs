//! Named settings and counters that only rise.

use sqlx::Row;

use crate::error::StoreError;
use crate::row::number;
use crate::store::{Read, Tx};

const EPOCH: &str = "epoch";

impl Read {
    /// A setting's text.
    pub async fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query("SELECT value FROM settings WHERE name = $1").bind(name);
        let row = query.fetch_optional(self.connection()).await?;
        Ok(row.map(|row| row.try_get("value")).transpose()?)
    }

    /// The epoch given out last; 0 before the first.
    pub async fn epoch(&mut self) -> Result<u64, StoreError> {
        let query = sqlx::query("SELECT value FROM counters WHERE name = $1").bind(EPOCH);
        let row = query.fetch_optional(self.connection()).await?;
        let value: Option<i64> = row.map(|row| row.try_get("value")).transpose()?;
        Ok(value.unwrap_or(0).cast_unsigned())
    }
}

impl Tx {
    /// Stores a setting.
    pub async fn put_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let upsert = sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        );
        upsert.bind(name).bind(value).execute(self.connection()).await?;
        Ok(())
    }

    /// A greater epoch than any before.
    pub async fn next_epoch(&mut self) -> Result<u64, StoreError> {
        Ok(self.next(EPOCH).await?.cast_unsigned())
    }

    /// Makes sure the next epoch is greater than `seen`: after a restore the gateways remember
    /// later epochs than the database does.
    pub async fn raise_epoch(&mut self, seen: u64) -> Result<(), StoreError> {
        let seen = i64::try_from(seen)
            .map_err(|_| StoreError::Unstorable(format!("epoch {seen} is out of range")))?;
        let upsert = sqlx::query(
            "INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE \
             SET value = CASE WHEN counters.value < excluded.value \
             THEN excluded.value ELSE counters.value END",
        );
        upsert.bind(EPOCH).bind(seen).execute(self.connection()).await?;
        Ok(())
    }

    /// Counts `name` up. The row stays locked until the transaction ends, so whoever counts next
    /// also commits next.
    pub(crate) async fn next(&mut self, name: &str) -> Result<i64, StoreError> {
        let query = sqlx::query(
            "INSERT INTO counters (name, value) VALUES ($1, 1) \
             ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value AS n",
        );
        number(query.bind(name), self.connection()).await
    }
}
