//! The gateway's side of the contract with control: fetch a snapshot, keep it on disk, swap it in,
//! probe, report. Control is never waited for by a request; while it is away the last snapshot
//! stays in force, from disk across restarts.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use quell_domain::snapshot::{GatewayReport, ProbeResult, Snapshot};
use quell_outbound::{full_body, read_body};
use secrecy::ExposeSecret;

use crate::active::{ActivateError, Active};
use crate::shared::Shared;
use crate::{models, probe, spend};

/// Largest snapshot accepted, bytes.
const SNAPSHOT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long control may hold a long poll, plus a margin.
const POLL_TIMEOUT: Duration = Duration::from_secs(35);
/// How long a model may take to come.
const MODEL_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after control could not be reached.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// What was spent is written this often; what is not yet is counted from the log at the start.
const KEEP_SPENT_EVERY: Duration = Duration::from_secs(2);
/// Longest time between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Why a snapshot could not be fetched, kept or run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    /// Control is away or answered with an error.
    #[error("control: {0}")]
    Control(String),
    /// What control sent is not a snapshot.
    #[error("the snapshot does not parse: {0}")]
    Parse(#[from] serde_json::Error),
    /// The snapshot cannot be run.
    #[error(transparent)]
    Activate(#[from] ActivateError),
    /// The snapshot cannot be kept.
    #[error("cannot keep the snapshot at {path}: {source}")]
    Keep {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Where the gateway keeps its snapshot.
pub(crate) fn snapshot_path(shared: &Shared) -> PathBuf {
    shared.options.data_dir.join("gateway").join(&shared.options.name).join("snapshot.json")
}

/// Takes up the snapshot kept on disk, if there is a sound one. Runs before the listener opens, so
/// that whoever was blocked is blocked from the first request on.
pub(crate) fn resume(shared: &Shared) {
    let path = snapshot_path(shared);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "the kept snapshot cannot be read; waiting for control");
            return;
        }
    };
    let taken =
        serde_json::from_slice::<Snapshot>(&bytes).map_err(SyncError::from).and_then(|snapshot| {
            Ok(Active::compile(Arc::new(snapshot), None, shared.options.local())?)
        });
    match taken {
        Ok(active) => {
            tracing::info!(epoch = active.epoch, "resumed the kept snapshot");
            shared.activate(active);
        }
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "the kept snapshot is unusable; waiting for control");
        }
    }
}

/// Follows control until cancelled.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let mut refused = None;
    loop {
        match fetch(&shared).await {
            Ok(Some(snapshot)) => match take(&shared, snapshot).await {
                Ok(()) => {
                    refused = None;
                    report(&shared, Vec::new(), None).await;
                    shared.probe_now.notify_one();
                }
                Err(error) => {
                    tracing::error!(%error, "snapshot refused; the one before stays in force");
                    refused = Some(error.to_string());
                    report(&shared, Vec::new(), refused.clone()).await;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            },
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "control is away; the last snapshot stays in force");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
        if refused.is_some() {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        if let Err(error) = fetch_models(&shared).await {
            tracing::warn!(%error, "a model cannot be had; judging with the one at hand");
        }
    }
}

/// Fetches the models that the snapshot in force names, and takes them up. The snapshot itself never
/// waits for them.
async fn fetch_models(shared: &Arc<Shared>) -> Result<(), SyncError> {
    let Some(active) = shared.active() else { return Ok(()) };
    let missing = active.missing_models();
    if missing.is_empty() {
        return Ok(());
    }
    for sha256 in &missing {
        let path = format!("/api/v1/node/models/{sha256}");
        let (status, bytes) = call(shared, Method::GET, &path, Bytes::new(), MODEL_TIMEOUT).await?;
        if status != StatusCode::OK || bytes.len() > models::MODEL_BYTES_MAX {
            let message = format!("answered {status}, {} bytes, to a model", bytes.len());
            return Err(SyncError::Control(message));
        }
        models::keep(&shared.options.data_dir, sha256, &bytes).map_err(SyncError::Control)?;
    }
    let shared = Arc::clone(shared);
    let taken = tokio::task::spawn_blocking(move || {
        let active = active.with_models(shared.options.local())?;
        tracing::info!(epoch = active.epoch, ?missing, "models taken up");
        shared.activate(active);
        Ok(())
    });
    taken
        .await
        .unwrap_or_else(|_| Err(SyncError::Control("taking the models was interrupted".into())))
}

/// Probes after every new snapshot and on request, and reports at least every few seconds.
pub(crate) async fn probe_and_report(shared: Arc<Shared>) {
    let mut proven = probe::Proven::default();
    loop {
        let woken = tokio::time::timeout(REPORT_EVERY, shared.probe_now.notified()).await.is_ok();
        let results = match shared.active() {
            Some(active) if woken || proven.is_due(&active) => {
                probe::run(&shared, &active, &mut proven).await
            }
            _ => Vec::new(),
        };
        if !report(&shared, results.clone(), None).await && !results.is_empty() {
            proven.forget(&results);
        }
    }
}

/// Keeps what was spent.
pub(crate) async fn keep_spent(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(KEEP_SPENT_EVERY).await;
        let shared = Arc::clone(&shared);
        if tokio::task::spawn_blocking(move || spend::keep::save(&shared)).await.is_err() {
            tracing::error!("keeping what was spent was interrupted");
        }
    }
}

/// Long-polls for a snapshot newer than the one held. `None`: nothing new.
async fn fetch(shared: &Shared) -> Result<Option<Snapshot>, SyncError> {
    let held = shared.active();
    let (epoch, hash) = held.map_or((0, String::new()), |held| (held.epoch, held.hash.clone()));
    let path = format!("/api/v1/node/snapshot?gateway={}&epoch={epoch}&hash={hash}", shared.name);
    let (status, bytes) = call(shared, Method::GET, &path, Bytes::new(), POLL_TIMEOUT).await?;
    match status {
        StatusCode::OK => Ok(Some(serde_json::from_slice(&bytes)?)),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Ok(None),
        status => Err(SyncError::Control(format!("answered {status} to the snapshot poll"))),
    }
}

/// Swaps in, then keeps.
async fn take(shared: &Arc<Shared>, snapshot: Snapshot) -> Result<(), SyncError> {
    let shared = Arc::clone(shared);
    let taken = tokio::task::spawn_blocking(move || {
        let snapshot = Arc::new(snapshot);
        let held = shared.active();
        let active =
            Active::compile(Arc::clone(&snapshot), held.as_deref(), shared.options.local())?;
        tracing::info!(epoch = active.epoch, measures = active.table.len(), "snapshot in force");
        // In force first: a disk that is full is no reason not to contain.
        shared.activate(active);
        keep(&snapshot_path(&shared), &serde_json::to_vec(&*snapshot)?)
    });
    taken
        .await
        .unwrap_or_else(|_| Err(SyncError::Control("taking the snapshot was interrupted".into())))
}

/// Writes beside, fsyncs, renames, fsyncs the folder.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<(), SyncError> {
    let failed = |source| SyncError::Keep { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let beside = path.with_extension("json.new");
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(failed)
}

/// Tells control where this gateway stands. False when control did not take it.
async fn report(shared: &Shared, probes: Vec<ProbeResult>, refused: Option<String>) -> bool {
    let active = shared.active();
    let report = GatewayReport {
        gateway: shared.name.clone(),
        epoch: active.as_ref().map_or(0, |active| active.epoch),
        hash: active.as_ref().map(|active| active.hash.clone()).unwrap_or_default(),
        probes,
        refused,
        in_flight: shared.counters.in_flight.load(Ordering::Relaxed),
        recorded: shared.counters.recorded.load(Ordering::Relaxed),
        open_breakers: active
            .as_ref()
            .map_or_else(Vec::new, |a| a.open_breakers(shared.clock.ticks())),
        model: active
            .as_ref()
            .and_then(|active| active.rules.classifier())
            .map(|classifier| classifier.sha256().to_owned()),
        shadow: active.as_ref().and_then(|active| Some(active.shadow.as_ref()?.counts())),
        spend: active
            .filter(|active| active.has_budgets())
            .map(|active| spend::tell::report(shared, &active)),
    };
    let Ok(body) = serde_json::to_vec(&report) else { return false };
    let path = "/api/v1/node/report";
    match call(shared, Method::POST, path, body.into(), Duration::from_secs(5)).await {
        Ok((status, _)) if status.is_success() => true,
        Ok((status, _)) => {
            tracing::warn!(%status, "control did not take the report");
            false
        }
        Err(error) => {
            tracing::debug!(%error, "control is away; the report will be repeated");
            false
        }
    }
}

async fn call(
    shared: &Shared,
    method: Method,
    path: &str,
    body: Bytes,
    timeout: Duration,
) -> Result<(StatusCode, Bytes), SyncError> {
    let control = |error: &dyn std::fmt::Display| SyncError::Control(error.to_string());
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", shared.options.control_url.trim_end_matches('/')))
        .header(AUTHORIZATION, format!("Bearer {}", shared.options.node_token.expose_secret()))
        .header(CONTENT_TYPE, "application/json")
        .body(full_body(body))
        .map_err(|error| control(&error))?;
    let exchange = async {
        let response =
            shared.control.send(request, timeout).await.map_err(|error| control(&error))?;
        let status = response.status();
        let body = read_body(response.into_body(), SNAPSHOT_BYTES_MAX).await;
        Ok((status, body.map_err(|error| control(&error))?))
    };
    tokio::time::timeout(timeout, exchange)
        .await
        .unwrap_or_else(|_| Err(SyncError::Control("did not answer in time".into())))
}
