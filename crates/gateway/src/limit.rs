//! Phase 2: how much at once, and how much of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use quell_domain::application::Limits;
use quell_wire::{Refusal, RefusalReason};
use tokio::sync::OwnedSemaphorePermit;

use crate::active::ActiveApplication;
use crate::shared::Shared;

/// How long a request body may take to arrive.
const BODY_SECONDS: u64 = 60;

/// How much of a refused request's body is still read, and for how long.
const DISCARDED_BYTES: usize = 16 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// One slot of the gateway and one of the application, or the refusal.
pub(crate) fn take_slots(
    shared: &Shared,
    application: &ActiveApplication,
) -> Result<Vec<OwnedSemaphorePermit>, Refusal> {
    let busy = |what: &str, limit: u32| {
        Refusal::new(
            RefusalReason::RateLimited,
            format!("{what} already has {limit} requests in flight; retry when some have finished"),
        )
    };
    let gateway = Arc::clone(&shared.slots)
        .try_acquire_owned()
        .map_err(|_| busy("this gateway", shared.options.concurrent))?;
    let own = Arc::clone(&application.slots)
        .try_acquire_owned()
        .map_err(|_| busy("this application", application.config.limits.concurrent))?;
    Ok(vec![gateway, own])
}

/// Reads the body of a request that is refused whatever it holds. A connection that is closed over
/// unread bytes can lose the reply, and the client's next request with it.
pub(crate) async fn discard(mut body: Incoming) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARDED_BYTES {
                return;
            }
        }
    };
    // A client that does not finish in time loses its connection.
    let _late = tokio::time::timeout(DISCARD_TIME, read).await;
}

/// Reads the body up to the application's limit. Errors name the limit.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    body: Incoming,
    limits: &Limits,
) -> Result<Bytes, (&'static str, Refusal)> {
    let encoded = headers
        .get(http::header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        discard(body).await;
        let message = "compressed request bodies are not accepted; send the JSON as it is";
        return Err(("encoding", Refusal::new(RefusalReason::InvalidRequest, message)));
    }
    let too_large = || {
        let message = format!(
            "the request body is larger than this application's limit of {} bytes",
            limits.request_bytes
        );
        ("request_bytes", Refusal::new(RefusalReason::TooLarge, message))
    };
    let declared = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits.request_bytes) {
        discard(body).await;
        return Err(too_large());
    }
    let limited = Limited::new(body, usize::try_from(limits.request_bytes).unwrap_or(usize::MAX));
    match tokio::time::timeout(Duration::from_secs(BODY_SECONDS), limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => {
            let message = "the request body ended early";
            Err(("body", Refusal::new(RefusalReason::InvalidRequest, message)))
        }
        Err(_) => {
            let message = format!("the request body did not arrive within {BODY_SECONDS} s");
            Err(("body_seconds", Refusal::new(RefusalReason::RequestTimeout, message)))
        }
    }
}
