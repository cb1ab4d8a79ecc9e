//! The range on a port.

mod exchange;
mod reply_body;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{ConfigError, RangeConfig};
use exchange::Range;

const MAX_CONNECTIONS: usize = 1_024;
const HEADER_TIME: Duration = Duration::from_secs(15);
const HEADER_BYTES: usize = 64 * 1024;

/// Why the range did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The settings are out of their limits.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("range: cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Requests received, by endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RangeCounts {
    /// `POST /v1/chat/completions`.
    pub chat_completions: u64,
    /// `POST /v1/completions`.
    pub completions: u64,
    /// `POST /v1/responses`.
    pub responses: u64,
    /// `POST /v1/embeddings`.
    pub embeddings: u64,
    /// `GET /v1/models` and `GET /v1/models/{id}`.
    pub models: u64,
    /// `POST /v1/messages`.
    pub messages: u64,
    /// Everything else.
    pub other: u64,
}

impl RangeCounts {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.chat_completions
            + self.completions
            + self.responses
            + self.embeddings
            + self.models
            + self.messages
            + self.other
    }
}

/// Counters behind [`RangeCounts`].
#[derive(Debug, Default)]
struct Counters {
    chat_completions: AtomicU64,
    completions: AtomicU64,
    responses: AtomicU64,
    embeddings: AtomicU64,
    models: AtomicU64,
    messages: AtomicU64,
    other: AtomicU64,
}

/// A running range. Dropping it stops it at once.
#[derive(Debug)]
pub struct RangeServer {
    /// Where it listens.
    pub addr: SocketAddr,
    range: Arc<Range>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl RangeServer {
    /// Listens on `addr` (port 0: any free port) and serves until it is shut down or dropped.
    pub async fn start(config: RangeConfig, addr: SocketAddr) -> Result<Self, StartError> {
        config.check()?;
        let listen = |source| StartError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let range = Arc::new(Range::new(config));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&range), stopped));
        Ok(Self { addr, range, stop, task })
    }

    /// Where clients point their `base_url`, without `/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Requests received so far.
    pub fn counts(&self) -> RangeCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.range.counters;
        RangeCounts {
            chat_completions: read(&counters.chat_completions),
            completions: read(&counters.completions),
            responses: read(&counters.responses),
            embeddings: read(&counters.embeddings),
            models: read(&counters.models),
            messages: read(&counters.messages),
            other: read(&counters.other),
        }
    }

    /// Stops listening and drops every connection.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        // The accept loop ends on the signal; it only fails to join when the runtime is going.
        let _ = (&mut self.task).await;
    }

    /// Serves until `until` is ready, then shuts down.
    pub async fn serve_until(self, until: impl Future<Output = ()>) {
        until.await;
        self.shutdown().await;
    }

    /// Serves for as long as the process runs.
    pub async fn serve_forever(self) {
        self.serve_until(std::future::pending()).await;
    }
}

impl Drop for RangeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, range: Arc<Range>, mut stopped: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            next = next => next,
            _ = stopped.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let range = Arc::clone(&range);
                connections.spawn(async move {
                    serve(stream, range).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "range could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, range: Arc<Range>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let range = Arc::clone(&range);
        async move { Ok::<_, std::convert::Infallible>(range.handle(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "range connection ended");
    }
}
