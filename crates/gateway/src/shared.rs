//! What all exchanges of one gateway share.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use quell_detection::{FieldCache, Second};
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_domain::interaction::Interaction;
use quell_lake::LogWriter;
use quell_outbound::{GuardedClient, UpstreamClient};
use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::active::{Active, Local};
use crate::fallback::Handoffs;
use crate::probe::Probes;
use crate::spend::Ledger;

/// Process settings of a gateway.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// This gateway's name in reports and logs.
    pub name: String,
    /// Where its snapshot and interaction log live.
    pub data_dir: PathBuf,
    /// Control's base URL, e.g. `http://127.0.0.1:8601`.
    pub control_url: String,
    /// The token that identifies this gateway to control.
    pub node_token: SecretString,
    /// Proxies whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Hosts that hand-off webhooks may reach although they are private.
    pub outbound_allow: Vec<String>,
    /// Requests in flight over all applications.
    pub concurrent: u32,
    /// Connections open at once.
    pub connections: u32,
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub header_fields: usize,
    /// How long running requests may take to finish at shutdown, seconds.
    pub drain_seconds: u64,
    /// How long a client whose stream waits to be judged hears nothing.
    pub keep_alive: Duration,
    /// A classifier of the operator's own, asked where the shipped one is unsure.
    pub second_opinion: Option<Second>,
}

impl GatewayOptions {
    /// Every default.
    pub fn new(name: &str, data_dir: PathBuf, control_url: &str, node_token: SecretString) -> Self {
        Self {
            name: name.to_owned(),
            data_dir,
            control_url: control_url.to_owned(),
            node_token,
            trusted_proxies: Vec::new(),
            outbound_allow: Vec::new(),
            concurrent: 4_096,
            connections: 8_192,
            header_bytes: 64 * 1024,
            header_fields: 100,
            drain_seconds: 60,
            keep_alive: Duration::from_secs(10),
            second_opinion: None,
        }
    }

    pub(crate) fn local(&self) -> Local<'_> {
        Local { data_dir: &self.data_dir, second: self.second_opinion.as_ref() }
    }
}

/// Most memory for what fields said, bytes, as the cache counts it.
const FIELD_CACHE_BYTES: usize = 16 * 1024 * 1024;

fn secret(ids: &SharedIds) -> [u8; 16] {
    let mut key = [0; 16];
    ids.random(&mut key);
    key
}

/// The state behind every exchange.
#[derive(Debug)]
pub(crate) struct Shared {
    pub name: String,
    pub options: GatewayOptions,
    pub clock: SharedClock,
    pub ids: SharedIds,
    pub log: LogWriter,
    /// The way to control.
    pub control: UpstreamClient,
    pub webhooks: GuardedClient,
    pub probes: Probes,
    pub known_responses: KnownResponses,
    /// What fields of requests said, so that earlier turns are not read again.
    pub fields: FieldCache,
    pub handoffs: Handoffs,
    /// Requests in flight over all applications.
    pub slots: Arc<Semaphore>,
    /// Where the gateway listens, for its own probes.
    pub address: SocketAddr,
    pub counters: Counters,
    pub ledger: Ledger,
    /// Connections and streams that a shutdown waits for.
    pub tasks: TaskTracker,
    /// Ends running streams: the gateway has drained for as long as it may.
    pub cut_streams: CancellationToken,
    /// Asks for a round of probes.
    pub probe_now: Notify,
    #[cfg(feature = "fault-injection")]
    pub fault: Mutex<Option<crate::faults::Fault>>,
    #[cfg(feature = "fault-injection")]
    pub previous: ArcSwapOption<Active>,
    active: ArcSwapOption<Active>,
    epoch: watch::Sender<u64>,
}

/// What is counted for reports.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub in_flight: AtomicU64,
    pub recorded: AtomicU64,
    pub record_failed: AtomicU64,
}

/// The parts of [`Shared`] that are made before it.
#[derive(Debug)]
pub(crate) struct SharedParts {
    pub options: GatewayOptions,
    pub name: String,
    pub clock: SharedClock,
    pub ids: SharedIds,
    pub log: LogWriter,
    /// The way to control.
    pub control: UpstreamClient,
    pub webhooks: GuardedClient,
    pub address: SocketAddr,
}

impl Shared {
    pub(crate) fn new(parts: SharedParts) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(parts.options.concurrent as usize)),
            probes: Probes::new(Arc::clone(&parts.ids)),
            known_responses: KnownResponses::default(),
            fields: FieldCache::new(secret(&parts.ids), FIELD_CACHE_BYTES),
            handoffs: Handoffs::default(),
            counters: Counters::default(),
            ledger: Ledger::default(),
            tasks: TaskTracker::new(),
            cut_streams: CancellationToken::new(),
            probe_now: Notify::new(),
            #[cfg(feature = "fault-injection")]
            fault: Mutex::new(None),
            #[cfg(feature = "fault-injection")]
            previous: ArcSwapOption::empty(),
            active: ArcSwapOption::empty(),
            epoch: watch::Sender::new(0),
            name: parts.name,
            options: parts.options,
            clock: parts.clock,
            ids: parts.ids,
            log: parts.log,
            control: parts.control,
            webhooks: parts.webhooks,
            address: parts.address,
        }
    }

    /// What the gateway runs on, if anything yet.
    pub(crate) fn active(&self) -> Option<Arc<Active>> {
        self.active.load_full()
    }

    /// Swaps in `active` and wakes running streams.
    pub(crate) fn activate(&self, active: Active) {
        let epoch = active.epoch;
        #[cfg(feature = "fault-injection")]
        self.previous.store(self.active.load_full());
        self.active.store(Some(Arc::new(active)));
        self.epoch.send_replace(epoch);
    }

    /// Changes whenever a new epoch is in force.
    pub(crate) fn epochs(&self) -> watch::Receiver<u64> {
        self.epoch.subscribe()
    }

    pub(crate) fn count_recorded(&self) {
        self.counters.recorded.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts one request in flight for as long as it lives.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Shared>);

impl InFlight {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.counters.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Provider-side response ids whose content passed through this gateway, so that
/// `previous_response_id` can be followed. Bounded; the oldest are forgotten.
#[derive(Debug, Default)]
pub(crate) struct KnownResponses(Mutex<KnownInner>);

#[derive(Debug, Default)]
struct KnownInner {
    order: VecDeque<String>,
    applications: HashMap<String, String>,
}

/// Response ids remembered.
const KNOWN_RESPONSES_MAX: usize = 50_000;

impl KnownResponses {
    /// Remembers the response of an exchange that was delivered.
    pub(crate) fn remember(&self, record: &Interaction) {
        let Some(id) = record.response_id.as_ref().filter(|id| id.len() <= 256) else { return };
        if record.status >= 300 || record.cut.is_some() {
            return;
        }
        let mut inner = self.0.lock();
        if inner.applications.insert(id.clone(), record.application.clone()).is_none() {
            inner.order.push_back(id.clone());
        }
        while inner.order.len() > KNOWN_RESPONSES_MAX {
            if let Some(oldest) = inner.order.pop_front() {
                inner.applications.remove(&oldest);
            }
        }
    }

    /// Whether `id` was given to `application` through this gateway.
    pub(crate) fn contains(&self, application: &str, id: &str) -> bool {
        self.0.lock().applications.get(id).is_some_and(|known| known == application)
    }
}
