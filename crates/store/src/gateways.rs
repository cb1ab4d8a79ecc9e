//! Gateways as control knows them, and how far it has read their logs.

use jiff::Timestamp;
use quell_domain::snapshot::GatewayReport;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::row::{doc, micros, time, to_doc};
use crate::store::{Read, Tx};

/// A gateway and its last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRecord {
    /// When it first reported.
    pub first_seen_at: Timestamp,
    /// When it last reported.
    pub last_seen_at: Timestamp,
    /// What it last reported. Probe results are not kept here but with their measures.
    pub report: GatewayReport,
}

impl Read {
    /// Every gateway that ever reported and was not removed, by name.
    pub async fn gateways(&mut self) -> Result<Vec<GatewayRecord>, StoreError> {
        let query =
            sqlx::query("SELECT first_seen_at, last_seen_at, doc FROM gateways ORDER BY name");
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(gateway).collect()
    }

    /// The sequence number up to which a gateway's log has been read.
    pub async fn log_cursor(&mut self, gateway: &str) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query("SELECT sequence FROM log_cursors WHERE gateway = $1");
        let row = query.bind(gateway).fetch_optional(self.connection()).await?;
        let sequence: Option<i64> = row.map(|row| row.try_get("sequence")).transpose()?;
        Ok(sequence.map(i64::cast_unsigned))
    }
}

impl Tx {
    /// Stores a gateway's report as its last.
    pub async fn put_gateway_report(&mut self, report: &GatewayReport) -> Result<(), StoreError> {
        let now = micros(self.now());
        let kept = GatewayReport { probes: Vec::new(), ..report.clone() };
        let upsert = sqlx::query(
            "INSERT INTO gateways (name, first_seen_at, last_seen_at, doc) \
             VALUES ($1, $2, $2, $3) ON CONFLICT (name) \
             DO UPDATE SET last_seen_at = excluded.last_seen_at, doc = excluded.doc",
        );
        let upsert = upsert.bind(&report.gateway).bind(now).bind(to_doc(&kept)?);
        upsert.execute(self.connection()).await?;
        Ok(())
    }

    /// Forgets a gateway that is gone for good. True when there was one.
    pub async fn delete_gateway(&mut self, name: &str) -> Result<bool, StoreError> {
        let delete = sqlx::query("DELETE FROM gateways WHERE name = $1").bind(name);
        Ok(delete.execute(self.connection()).await?.rows_affected() > 0)
    }

    /// Notes how far a gateway's log has been read. Belongs in the transaction that stores what
    /// was read.
    pub async fn put_log_cursor(&mut self, gateway: &str, sequence: u64) -> Result<(), StoreError> {
        let upsert = sqlx::query(
            "INSERT INTO log_cursors (gateway, sequence) VALUES ($1, $2) \
             ON CONFLICT (gateway) DO UPDATE SET sequence = excluded.sequence",
        );
        upsert.bind(gateway).bind(sequence.cast_signed()).execute(self.connection()).await?;
        Ok(())
    }
}

fn gateway(row: &AnyRow) -> Result<GatewayRecord, StoreError> {
    Ok(GatewayRecord {
        first_seen_at: time(row, "first_seen_at")?,
        last_seen_at: time(row, "last_seen_at")?,
        report: doc(row)?,
    })
}
