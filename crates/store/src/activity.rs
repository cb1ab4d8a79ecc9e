//! How many different principals an application saw lately: what the collateral cap of automatic
//! measures is a share of.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::error::StoreError;
use crate::row::number;
use crate::store::{Read, Tx};

/// Principals remembered per application and hour. Past it counting stops, so the cap can only
/// become stricter than intended, never looser.
pub const PRINCIPALS_PER_HOUR: i64 = 50_000;

impl Read {
    /// Different principals an application saw in the clock hour of `now` and the one before:
    /// at least the last 60 minutes.
    pub async fn recent_principals(
        &mut self,
        application: &str,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let query = sqlx::query(
            "SELECT COUNT(DISTINCT principal) AS n FROM principal_hours \
             WHERE application = $1 AND hour >= $2 AND hour <= $3",
        );
        let query = query.bind(application).bind(hour(now) - 1).bind(hour(now));
        number(query, self.connection()).await
    }
}

impl Tx {
    /// Notes which principals an application saw at `at`.
    pub async fn note_principals(
        &mut self,
        application: &str,
        at: Timestamp,
        principals: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let count = sqlx::query(
            "SELECT COUNT(*) AS n FROM principal_hours WHERE application = $1 AND hour = $2",
        );
        let count = count.bind(application).bind(hour(at));
        let room = PRINCIPALS_PER_HOUR - number(count, self.connection()).await?;
        for principal in principals.iter().take(usize::try_from(room).unwrap_or(0)) {
            let insert = sqlx::query(
                "INSERT INTO principal_hours (application, hour, principal) VALUES ($1, $2, $3) \
                 ON CONFLICT (application, hour, principal) DO NOTHING",
            );
            let insert = insert.bind(application).bind(hour(at)).bind(principal);
            insert.execute(self.connection()).await?;
        }
        Ok(())
    }

    /// Forgets hours that ended before `before`.
    pub async fn purge_principals(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let delete = sqlx::query("DELETE FROM principal_hours WHERE hour < $1").bind(hour(before));
        Ok(delete.execute(self.connection()).await?.rows_affected())
    }
}

fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3_600)
}
