//! The data plane: stands in front of LLM endpoints, enforces the last table it was given,
//! inspects what passes, records every exchange.
//!
//! Read [`exchange`] first: it is the path of a request. Invariants: the gateway never opens the
//! database and never waits for control; without a snapshot it serves 503; nothing leaves before
//! its exchange is with the log, down to the last byte.

mod active;
mod body;
mod exchange;
mod fallback;
#[cfg(feature = "fault-injection")]
pub mod faults;
mod forward;
mod gate;
mod held;
mod identify;
mod limit;
mod models;
mod outliving;
mod probe;
mod record;
mod reply;
pub mod secrets;
mod server;
mod shared;
mod spend;
mod stream;
mod sync;
mod token;
mod unescape;

use std::net::SocketAddr;
use std::sync::Arc;

use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_lake::{LakeError, LogWriter, Repair, WriterOptions};
use quell_outbound::{GuardOptions, GuardedClient, UpstreamClient, UpstreamOptions};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use crate::shared::GatewayOptions;
use crate::shared::{Shared, SharedParts};

/// Gateways of one name that may write side by side, as while one replaces another.
const SLOTS_MAX: u32 = 8;

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    repair: Repair,
}

/// Why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The interaction log cannot be opened.
    #[error("the interaction log cannot be opened: {0}")]
    Log(#[from] LakeError),
    /// Too many gateways of this name are running.
    #[error("{SLOTS_MAX} gateways named {0:?} are already running on this data directory")]
    NameTaken(String),
    /// The listener is unusable.
    #[error("the listening socket is unusable: {0}")]
    Listener(#[from] std::io::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

impl Gateway {
    /// Opens the log (repairing a torn tail), resumes the kept snapshot, and serves `listener`.
    pub fn start(
        options: GatewayOptions,
        listener: TcpListener,
        clock: SharedClock,
        ids: SharedIds,
    ) -> Result<Self, StartError> {
        let (log, repair, name) = open_log(&options)?;
        let logs: Vec<String> = (1..=SLOTS_MAX).map(|slot| slot_name(&options, slot)).collect();
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(SharedParts {
            control: UpstreamClient::new(&UpstreamOptions::default())
                .map_err(|error| StartError::Client(error.to_string()))?,
            webhooks: GuardedClient::new(GuardOptions {
                allow: options.outbound_allow.clone(),
                ..GuardOptions::default()
            }),
            address,
            options,
            name,
            clock,
            ids,
            log,
        }));
        sync::resume(&shared);
        spend::keep::restore(&shared, &logs);
        let stop = CancellationToken::new();
        let following = tokio::spawn(sync::follow(Arc::clone(&shared)));
        let probing = tokio::spawn(sync::probe_and_report(Arc::clone(&shared)));
        let keeping = tokio::spawn(sync::keep_spent(Arc::clone(&shared)));
        let serving = tokio::spawn({
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            async move {
                server::serve(Arc::clone(&shared), listener, stop).await;
                following.abort();
                probing.abort();
                keeping.abort();
                spend::keep::save(&shared);
            }
        });
        Ok(Self { shared, stop, serving, repair })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The name it reports and records under.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What opening the log had to mend.
    pub const fn repair(&self) -> &Repair {
        &self.repair
    }

    /// The epoch in force; 0 before the first snapshot.
    pub fn epoch(&self) -> u64 {
        self.shared.active().map_or(0, |active| active.epoch)
    }

    /// Breaks enforcement in one way, until another is injected.
    #[cfg(feature = "fault-injection")]
    pub fn inject(&self, fault: Option<faults::Fault>) {
        *self.shared.fault.lock() = fault;
    }

    /// Stops accepting, lets running requests finish, then returns.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the gateway's listener task ended badly");
        }
    }
}

fn slot_name(options: &GatewayOptions, slot: u32) -> String {
    match slot {
        1 => options.name.clone(),
        slot => format!("{}.{slot}", options.name),
    }
}

/// Opens this gateway's log. While a predecessor of the same name still drains, the newcomer
/// writes a log of its own beside it: `gw-1`, then `gw-1.2`.
fn open_log(options: &GatewayOptions) -> Result<(LogWriter, Repair, String), StartError> {
    let lake = options.data_dir.join("lake");
    for slot in 1..=SLOTS_MAX {
        let name = slot_name(options, slot);
        let dir = quell_lake::log_dir(&lake, &name);
        match LogWriter::open(&dir, &name, WriterOptions::default()) {
            Ok((log, repair)) => return Ok((log, repair, name)),
            Err(LakeError::Locked { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StartError::NameTaken(options.name.clone()))
}
