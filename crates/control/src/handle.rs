//! The handle everything else holds, and how it is started.

use std::sync::Arc;

use jiff::Timestamp;
use quell_domain::Actor;
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_domain::snapshot::Snapshot;
use quell_evidence::{BlobStore, FsBlobs};
use quell_store::{Read, Store};
use quell_triage::SeverityRules;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Throttle;
use crate::options::ControlOptions;
use crate::reconcilers::{self, Baselines, Ingest};
use crate::refused::Refused;
use crate::rules::RuleBook;
use crate::snapshot;

/// The control plane. Clones share one.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    options: ControlOptions,
    store: Store,
    blobs: Arc<dyn BlobStore>,
    severity: SeverityRules,
    rules: RuleBook,
    /// The rules without the modes that people set.
    unset_rules: RuleBook,
    snapshot: watch::Sender<Option<Arc<Snapshot>>>,
    head: watch::Sender<i64>,
    /// Serialises refreshes, so that an older snapshot never replaces a newer one.
    refreshing: Mutex<()>,
    ingest: Mutex<Ingest>,
    baselines: Mutex<Baselines>,
    jobs: Notify,
    throttle: Throttle,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("data_dir", &self.0.options.data_dir).finish()
    }
}

// === impl Control ===

impl Control {
    /// Opens the store, compiles the first snapshot and starts the reconcilers.
    pub async fn start(options: ControlOptions) -> Result<Self, Refused> {
        let (clock, ids) = (Arc::clone(&options.clock), Arc::clone(&options.ids));
        let store = Store::open(&options.store_url, clock, ids).await?;
        let blobs = Arc::new(FsBlobs::new(options.data_dir.join("evidence")));
        let background = options.background;
        let control = Self(Arc::new(Inner {
            options,
            store,
            blobs,
            severity: SeverityRules::shipped(),
            rules: RuleBook::default(),
            unset_rules: RuleBook::default(),
            snapshot: watch::Sender::new(None),
            head: watch::Sender::new(0),
            refreshing: Mutex::default(),
            ingest: Mutex::default(),
            baselines: Mutex::default(),
            jobs: Notify::new(),
            throttle: Throttle::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        control.first_epoch().await?;
        control.refresh().await?;
        if background {
            reconcilers::spawn(&control);
        }
        Ok(control)
    }

    /// Stops the reconcilers and closes the store.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.store.close().await;
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Refused> {
        Ok(self.store().ping().await?)
    }

    /// The injected time.
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.0.snapshot.borrow().clone()
    }

    /// The severity rules in use.
    pub fn severity_rules(&self) -> &SeverityRules {
        &self.0.severity
    }

    pub(crate) fn options(&self) -> &ControlOptions {
        &self.0.options
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) async fn read(&self) -> Result<Read, Refused> {
        Ok(self.0.store.read().await?)
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.0.options.clock
    }

    pub(crate) fn ids(&self) -> &SharedIds {
        &self.0.options.ids
    }

    pub(crate) fn blobs(&self) -> &Arc<dyn BlobStore> {
        &self.0.blobs
    }

    pub(crate) fn rule_book(&self) -> &RuleBook {
        &self.0.rules
    }

    pub(crate) fn unset_rules(&self) -> &RuleBook {
        &self.0.unset_rules
    }

    pub(crate) fn snapshots(&self) -> &watch::Sender<Option<Arc<Snapshot>>> {
        &self.0.snapshot
    }

    pub(crate) fn head(&self) -> &watch::Sender<i64> {
        &self.0.head
    }

    pub(crate) fn ingest_state(&self) -> &Mutex<Ingest> {
        &self.0.ingest
    }

    pub(crate) fn baselines_state(&self) -> &Mutex<Baselines> {
        &self.0.baselines
    }

    pub(crate) fn jobs_waiting(&self) -> &Notify {
        &self.0.jobs
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.0.stop
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Tells whoever waits that a commit changed something.
    pub(crate) async fn committed(&self, sequence: Option<i64>, epoch: Option<u64>) {
        if let Some(sequence) = sequence {
            self.advance_head(sequence);
        }
        self.jobs_waiting().notify_one();
        if epoch.is_some()
            && let Err(error) = self.refresh().await
        {
            // The enforcement reconciler refreshes again within a second.
            tracing::warn!(%error, "the snapshot could not be compiled yet");
        }
    }

    pub(crate) fn advance_head(&self, sequence: i64) {
        self.head().send_if_modified(|head| {
            let newer = sequence > *head;
            *head = sequence.max(*head);
            newer
        });
    }

    /// Compiles the snapshot again where the store has a newer epoch. Also catches up with what
    /// other control nodes committed.
    pub(crate) async fn refresh(&self) -> Result<(), Refused> {
        let _turn = self.0.refreshing.lock().await;
        let mut read = self.read().await?;
        self.advance_head(read.last_event().await?);
        let held = self.snapshot().map_or(0, |snapshot| snapshot.epoch);
        if read.epoch().await? > held {
            let fresh = snapshot::compile(&mut read).await?.map(Arc::new);
            self.0.snapshot.send_replace(fresh);
        }
        Ok(())
    }

    /// A product that was never configured still gives gateways something to run on.
    async fn first_epoch(&self) -> Result<(), Refused> {
        if self.read().await?.epoch().await? > 0 {
            return Ok(());
        }
        let mut unit = self.unit(&Actor::System).await?;
        unit.epoch().await?;
        unit.commit().await?;
        Ok(())
    }
}
