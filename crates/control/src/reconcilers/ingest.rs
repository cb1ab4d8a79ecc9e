//! Intended: every record of every gateway's log was read once. Observed: the cursors. Period:
//! 100 ms.
//!
//! What a batch of records leads to and the cursor behind it are one transaction: a crash in
//! between repeats the batch, and the signals' ids make the repetition change nothing.

mod alarm;
mod batch;
mod group;
mod judge;
mod plan;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use quell_detection::{Correlator, RuleSet};
use quell_domain::{Actor, IncidentId, Interaction};
use quell_lake::{LakeError, LogReader, LogRecord, gateways, log_dir};
use serde_json::json;

use crate::handle::Control;
use crate::refused::Refused;

pub(crate) use group::Known;

/// Records of one transaction.
const RECORDS_MAX: usize = 500;
/// Bytes of one transaction's records.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Incidents remembered between batches.
const KNOWN_MAX: usize = 2_000;

/// What ingest keeps between runs. All of it can be lost: it is rebuilt from the store.
#[derive(Default)]
pub(crate) struct Ingest {
    readers: HashMap<PathBuf, Arc<Mutex<LogReader>>>,
    /// By application: the engine, and the rules it was made with.
    correlators: HashMap<String, (Arc<RuleSet>, Correlator)>,
    /// By application: the digest of the engine's state as it was last saved.
    saved: HashMap<String, String>,
    /// By incident: what grouping and severity need to know beyond the record.
    known: HashMap<IncidentId, Known>,
}

/// A record that could be read.
pub(crate) struct Logged {
    pub(crate) sequence: u64,
    pub(crate) interaction: Interaction,
}

impl Control {
    /// Reads on in every gateway's log until its end.
    pub async fn reconcile_ingest(&self) -> Result<(), Refused> {
        let mut ingest = self.ingest_state().lock().await;
        for lake in &self.options().lake_dirs {
            let names = gateways(lake).map_err(Refused::files)?;
            for name in names {
                while self.ingest_some(&mut ingest, lake, &name).await? {}
            }
        }
        Ok(())
    }

    /// Reads one batch. False at the end of the log.
    async fn ingest_some(
        &self,
        ingest: &mut Ingest,
        lake: &Path,
        gateway: &str,
    ) -> Result<bool, Refused> {
        let cursor = self.read().await?.log_cursor(gateway).await?.unwrap_or(0);
        let dir = log_dir(lake, gateway);
        let reader = ingest.readers.entry(dir.clone());
        let reader =
            Arc::clone(reader.or_insert_with(|| Arc::new(Mutex::new(LogReader::open(&dir)))));
        let read = move || reader.lock().read_after(cursor, RECORDS_MAX, BYTES_MAX);
        let records = tokio::task::spawn_blocking(read).await.map_err(Refused::files)?;
        let records = match records {
            Ok(records) => records,
            Err(error) => return self.skip_damage(gateway, cursor, &error).await,
        };
        let Some(last) = records.last().map(|record| record.sequence) else { return Ok(false) };
        let logged = parsed(gateway, &records);
        match self.ingest_batch(ingest, gateway, &logged, last).await {
            Ok(()) => Ok(true),
            Err(error) => {
                // The transaction is gone; so is whatever was counted for it.
                ingest.correlators.clear();
                ingest.saved.clear();
                ingest.known.clear();
                Err(error)
            }
        }
    }

    /// Damage is passed over and recorded: what follows it must still be seen.
    async fn skip_damage(
        &self,
        gateway: &str,
        cursor: u64,
        error: &LakeError,
    ) -> Result<bool, Refused> {
        let resume = match error {
            LakeError::Damaged(damage) => damage.resumes_at.saturating_sub(1),
            LakeError::Gap { found, .. } => found.saturating_sub(1),
            // The log is another one than before: read it from its beginning.
            LakeError::BeyondEnd { .. } | LakeError::ChainBroken { .. } => 0,
            _ => return Err(Refused::files(error)),
        };
        if resume == cursor {
            return Err(Refused::files(error));
        }
        tracing::error!(gateway, cursor, resume, %error, "part of an interaction log was skipped");
        let mut unit = self.unit(&Actor::System).await?;
        unit.put_log_cursor(gateway, resume).await?;
        let why = error.to_string();
        let data = json!({"gateway": gateway, "from": cursor, "resumes_after": resume, "why": why});
        unit.event(None, "log.skipped", data);
        unit.commit().await?;
        Ok(true)
    }
}

fn parsed(gateway: &str, records: &[LogRecord]) -> Vec<Logged> {
    let mut logged = Vec::with_capacity(records.len());
    for record in records {
        match serde_json::from_slice::<Interaction>(&record.payload) {
            Ok(interaction) => logged.push(Logged { sequence: record.sequence, interaction }),
            Err(error) => {
                let sequence = record.sequence;
                tracing::error!(gateway, sequence, %error, "a record is no interaction; skipped");
            }
        }
    }
    logged
}
