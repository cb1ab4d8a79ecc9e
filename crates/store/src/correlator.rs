//! What the correlation engines remember, saved in the same transaction as the log cursor.

use sqlx::Row;

use crate::error::StoreError;
use crate::row::micros;
use crate::store::{Read, Tx};

impl Read {
    /// An application's saved correlation state.
    pub async fn correlator_snapshot(
        &mut self,
        application: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query("SELECT bytes FROM correlator_snapshots WHERE application = $1");
        let row = query.bind(application).fetch_optional(self.connection()).await?;
        Ok(row.map(|row| row.try_get("bytes")).transpose()?)
    }
}

impl Tx {
    /// Saves an application's correlation state.
    pub async fn put_correlator_snapshot(
        &mut self,
        application: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let now = micros(self.now());
        let upsert = sqlx::query(
            "INSERT INTO correlator_snapshots (application, saved_at, bytes) VALUES ($1, $2, $3) \
             ON CONFLICT (application) \
             DO UPDATE SET saved_at = excluded.saved_at, bytes = excluded.bytes",
        );
        let upsert = upsert.bind(application).bind(now).bind(bytes.to_vec());
        upsert.execute(self.connection()).await?;
        Ok(())
    }
}
