//! What control is started with.

use std::path::PathBuf;

use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;

/// What control is started with.
#[derive(Debug, Clone)]
pub struct ControlOptions {
    /// `sqlite:///path/quell.db?mode=rwc` or `postgres://…`.
    pub store_url: String,
    /// Where evidence lies: `{data_dir}/evidence`.
    pub data_dir: PathBuf,
    /// Folders with one interaction log per gateway.
    pub lake_dirs: Vec<PathBuf>,
    /// Time.
    pub clock: SharedClock,
    /// Ids and randomness.
    pub ids: SharedIds,
    /// Whether the reconcilers run by themselves. Tests drive them by hand.
    pub background: bool,
}

impl ControlOptions {
    /// Everything under `data_dir`, on the given store.
    pub fn new(store_url: &str, data_dir: PathBuf, clock: SharedClock, ids: SharedIds) -> Self {
        let lake_dirs = vec![data_dir.join("lake")];
        Self { store_url: store_url.into(), data_dir, lake_dirs, clock, ids, background: true }
    }
}
