//! The ledger on disk: what is spent, and up to where in the log that is counted. At the start the
//! log tells the rest.

use std::path::{Path, PathBuf};

use quell_lake::{LakeError, LogReader, log_dir};
use serde::{Deserialize, Serialize};

use super::charge::{Billed, Charge};
use super::{Counter, Key, State};
use crate::active::Active;
use crate::shared::Shared;
use crate::sync;

/// Records of the log read at a time, and bytes of them.
const BATCH: usize = 1_000;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Every record up to this one is counted.
    cursor: u64,
    /// So are these.
    above: Vec<u64>,
    counters: Vec<KeptCounter>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptCounter {
    key: Key,
    start: i64,
    spent: Charge,
    told: bool,
}

/// Takes up what was spent before this process, through this log and those of the processes it
/// stands beside or follows.
pub(crate) fn restore(shared: &Shared, logs: &[String]) {
    let Some(active) = shared.active().filter(|active| active.has_budgets()) else { return };
    for log in logs {
        if let Err(error) = restore_one(shared, &active, log) {
            tracing::error!(log, %error, "what was spent before cannot be read from the log; budgets begin without it");
        }
    }
}

fn restore_one(shared: &Shared, active: &Active, log: &str) -> Result<(), LakeError> {
    let inherited = log != shared.name;
    let kept = read(&path(&shared.options.data_dir, log));
    let mut state = shared.ledger.0.lock();
    for KeptCounter { key, start, spent, told } in kept.counters {
        let counter = state.counters.entry(key).or_default();
        counter.roll(start);
        if counter.start == start {
            let part = if inherited { &mut counter.inherited } else { &mut counter.spent };
            part.add(spent);
            counter.told |= told;
        }
    }
    let mut reader = LogReader::open(&log_dir(&shared.options.data_dir.join("lake"), log));
    let mut cursor = match reader.read_after(kept.cursor, 1, 1) {
        // The log is not the one that was counted, or its beginning is gone.
        Err(LakeError::BeyondEnd { .. } | LakeError::Gap { .. }) => 0,
        _ => kept.cursor,
    };
    loop {
        let records = reader.read_after(cursor, BATCH, BATCH_BYTES)?;
        let Some(last) = records.last() else { break };
        cursor = last.sequence;
        for record in records {
            if !kept.above.contains(&record.sequence)
                && let Ok(billed) = serde_json::from_slice::<Billed>(&record.payload)
            {
                count(&mut state, active, &billed, inherited);
            }
        }
    }
    if !inherited {
        state.last = cursor;
        state.changed = true;
    }
    Ok(())
}

fn count(state: &mut State, active: &Active, billed: &Billed, inherited: bool) {
    let Some(application) = active.application(&billed.application) else { return };
    let charge = billed.charge(&application.config);
    let principal = billed.principal();
    let mut counted: Vec<Key> = Vec::new();
    for budget in &application.config.spending.budgets {
        let key = Key::of(&billed.application, &principal, budget);
        if !counted.contains(&key) {
            counted.push(key.clone());
            state.count(key, billed.started_at, charge, inherited);
        }
    }
}

/// Writes what changed, if anything did.
pub(crate) fn save(shared: &Shared) {
    let kept = {
        let mut state = shared.ledger.0.lock();
        if !std::mem::take(&mut state.changed) {
            return;
        }
        let now = shared.clock.now();
        state.counters.retain(|key, counter| counter.start >= key.period.start(now));
        kept(&state)
    };
    let path = path(&shared.options.data_dir, &shared.name);
    let written = serde_json::to_vec(&kept).map_err(sync::SyncError::from);
    if let Err(error) = written.and_then(|bytes| sync::keep(&path, &bytes)) {
        tracing::error!(%error, "what was spent cannot be kept; a restart will count it from the log");
        shared.ledger.0.lock().changed = true;
    }
}

fn kept(state: &State) -> Kept {
    let spent = |(key, counter): (&Key, &Counter)| KeptCounter {
        key: key.clone(),
        start: counter.start,
        spent: counter.spent,
        told: counter.told,
    };
    Kept {
        cursor: state.cursor(),
        above: state.above.iter().copied().collect(),
        counters: state.counters.iter().map(spent).collect(),
    }
}

fn read(path: &Path) -> Kept {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Kept::default(),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "what was spent cannot be read; counting it from the log");
            return Kept::default();
        }
    };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::error!(path = %path.display(), %error, "what was spent is damaged; counting it from the log");
        Kept::default()
    })
}

fn path(data_dir: &Path, log: &str) -> PathBuf {
    data_dir.join("gateway").join(log).join("spent.json")
}
