//! What was preserved. Its bytes may hold prompt text, so reading them needs a reason.

use std::io::{self, Write};

use axum::Json as Reply;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use quell_control::Control;
use quell_domain::{EvidenceId, IncidentId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Path, Query};
use crate::incidents::identify;
use crate::paging::{Paged, page};
use crate::problem::{Problem, Result};
use crate::records::EvidenceItem;

/// Chunks of a bundle that wait for a slow reader.
const CHUNKS_WAITING: usize = 16;

/// Which items.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichEvidence {
    /// Of this incident.
    #[param(value_type = Option<String>)]
    incident: Option<IncidentId>,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists preserved items, oldest first.
#[utoipa::path(
    get, path = "/api/v1/evidence", tag = "evidence", params(WhichEvidence),
    responses((status = 200, body = Paged<EvidenceItem>))
)]
pub(crate) async fn list_evidence(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichEvidence>,
) -> Result<Reply<Paged<EvidenceItem>>> {
    let page = page(which.limit, which.cursor);
    Ok(Reply(control.evidence(&access, which.incident, &page).await?.into()))
}

/// Why somebody reads evidence.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// Goes into the timeline.
    reason: String,
}

/// Gives the bytes of one item, for a reason. That they were read is an event.
#[utoipa::path(
    get, path = "/api/v1/evidence/{item}/content", tag = "evidence",
    params(("item" = EvidenceId, Path, description = "Its id"), Why),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>))
)]
pub(crate) async fn read_evidence(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<EvidenceId>,
    Query(why): Query<Why>,
) -> Result<Response> {
    let (item, bytes) = control.read_evidence(&access, id, &why.reason).await?;
    let name = item.name.rsplit('/').next().unwrap_or("item");
    Ok((attachment("application/octet-stream", name), bytes).into_response())
}

/// What a capture preserved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Capture {
    /// Items new in this capture.
    new: usize,
    /// Items of the incident altogether.
    total: usize,
    /// SHA-256 of the manifest over all of them.
    manifest_sha256: String,
}

/// Captures what there is now about an incident; what was captured before is not captured again.
#[utoipa::path(
    post, path = "/api/v1/incidents/{incident}/evidence", tag = "evidence",
    params(("incident", description = "Its id or number")),
    responses((status = 200, body = Capture))
)]
pub(crate) async fn capture_evidence(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<Reply<Capture>> {
    let id = identify(&control, &access, &name).await?;
    let captured = control.capture_evidence(&access, id).await?;
    let (new, total) = (captured.new, captured.total);
    Ok(Reply(Capture { new, total, manifest_sha256: captured.manifest_sha256 }))
}

/// Gives an incident's evidence as one tar with its manifest, for a reason. `quell evidence
/// verify` checks it without Quell.
#[utoipa::path(
    get, path = "/api/v1/incidents/{incident}/evidence.tar", tag = "evidence",
    params(("incident", description = "Its id or number"), Why),
    responses((status = 200, content_type = "application/x-tar", body = Vec<u8>))
)]
pub(crate) async fn export_evidence(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Query(why): Query<Why>,
) -> Result<Response> {
    let id = identify(&control, &access, &name).await?;
    let (sender, mut chunks) = mpsc::channel(CHUNKS_WAITING);
    let export = tokio::spawn(async move {
        let out = Chunks { sender };
        control.export_evidence_tar(&access, id, &why.reason, out).await
    });
    // The first bytes come only after everything that can be refused was checked.
    let Some(first) = chunks.recv().await else {
        let ended = export.await.map_err(|_| Problem::internal("export_ended", "nothing came"))?;
        ended?;
        return Err(Problem::internal("export_empty", "the bundle has no content"));
    };
    let rest = Rest { chunks, export: Some(export) };
    let body = stream::unfold((Some(first), rest), |(first, mut rest)| async move {
        let chunk = match first {
            Some(chunk) => Ok(chunk),
            None => rest.next().await?,
        };
        Some((chunk, (None, rest)))
    });
    let headers = attachment("application/x-tar", &format!("{name}.tar"));
    Ok((headers, Body::from_stream(body)).into_response())
}

/// What is still to come of a bundle.
struct Rest<T> {
    chunks: mpsc::Receiver<Bytes>,
    export: Option<tokio::task::JoinHandle<std::result::Result<T, quell_control::Refused>>>,
}

impl<T> Rest<T> {
    /// A bundle that broke off must not look complete: the last item is then an error.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(chunk) = self.chunks.recv().await {
            return Some(Ok(chunk));
        }
        match self.export.take()?.await {
            Ok(Ok(_)) => None,
            Ok(Err(refused)) => Some(Err(io::Error::other(refused.to_string()))),
            Err(_) => Some(Err(io::Error::other("the export was interrupted"))),
        }
    }
}

/// Hands what is written to a reader elsewhere, and waits when that reader is slow.
struct Chunks {
    sender: mpsc::Sender<Bytes>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Bytes::copy_from_slice(bytes);
        match self.sender.blocking_send(chunk) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A download, never rendered: what was preserved may be hostile.
fn attachment(media_type: &'static str, name: &str) -> [(http::HeaderName, String); 3] {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.chars().filter(fits).collect();
    [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ]
}
