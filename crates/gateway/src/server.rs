//! The listener: connections, their limits, and a shutdown that lets running requests finish.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::exchange;
use crate::outliving::{Outliving, Panicked};
use crate::reply;
use crate::shared::Shared;

/// How long a client may take to send a request's head.
const HEADER_SECONDS: u64 = 15;
/// How long open connections may bring one more request once the gateway stops. Its answer tells
/// the client to connect anew; closing at once would break what is already on its way.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// How long streams that outlived the drain may take to be ended and recorded.
const LAST_RECORDS: Duration = Duration::from_secs(3);

/// Accepts until `stop`, then drains.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(shared.options.connections as usize));
    let drain = Duration::from_secs(shared.options.drain_seconds);
    let last_request = LAST_REQUEST.min(drain / 2);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors or the like: give it a moment instead of spinning.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            tracing::warn!(limit = shared.options.connections, "connection refused: at the limit");
            continue;
        };
        // Without it a token waits until the client has acknowledged the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's delay");
        }
        let (serving, stopping) = (Arc::clone(&shared), stop.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (shared, stopping) = (Arc::clone(&serving), stopping.clone());
            async move {
                // A client that leaves drops this future, but not the exchange: it is settled and
                // recorded all the same.
                let running = exchange::serve(Arc::clone(&shared), request, peer);
                let mut response =
                    Outliving::new(running, &shared.tasks).await.unwrap_or_else(|Panicked| {
                        tracing::error!("an exchange panicked");
                        reply::internal_error()
                    });
                if stopping.is_cancelled() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(HEADER_SECONDS))
            .max_headers(shared.options.header_fields)
            .max_buf_size(shared.options.header_bytes)
            .serve_connection(TokioIo::new(stream), service);
        let stopping = stop.clone();
        shared.tasks.spawn(async move {
            tokio::pin!(connection);
            let until_last_request = async {
                stopping.cancelled().await;
                tokio::time::sleep(last_request).await;
            };
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = until_last_request => {
                    connection.as_mut().graceful_shutdown();
                    connection.as_mut().await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    let finished = async {
        shared.tasks.close();
        shared.tasks.wait().await;
    };
    tokio::pin!(finished);
    if tokio::time::timeout(drain, finished.as_mut()).await.is_ok() {
        return;
    }
    // What still runs is ended with an error the client can see, and recorded.
    shared.cut_streams.cancel();
    if tokio::time::timeout(LAST_RECORDS, finished).await.is_err() {
        tracing::warn!(
            in_flight = shared.counters.in_flight.load(Ordering::Relaxed),
            "drain time is over; stopping with requests running"
        );
    }
}
