//! Gateways: what people see of them, and the two calls they make themselves.

use std::time::Duration;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::nodes::Node;
use quell_domain::snapshot::{GatewayReport, Snapshot};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::problem::Result;

/// How long a poll waits for a newer snapshot.
const POLL: Duration = Duration::from_secs(25);

/// A gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Gateway)]
pub(crate) struct GatewayState {
    /// When it first reported.
    first_seen_at: Timestamp,
    /// When it last reported.
    last_seen_at: Timestamp,
    /// Whether that was lately.
    live: bool,
    /// Whether it runs on the newest epoch.
    current: bool,
    /// What it last reported.
    report: GatewayReport,
    /// The sequence number up to which control has read its log.
    read_to: u64,
}

impl From<Node> for GatewayState {
    fn from(node: Node) -> Self {
        let Node { first_seen_at, last_seen_at, live, current, report, read_to } = node;
        Self { first_seen_at, last_seen_at, live, current, report, read_to }
    }
}

/// Lists every gateway that ever reported: whether it is live and current, and its last report.
#[utoipa::path(
    get, path = "/api/v1/gateways", tag = "gateways",
    responses((status = 200, body = Vec<GatewayState>))
)]
pub(crate) async fn list_gateways(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<GatewayState>>> {
    let nodes = control.nodes(&access).await?;
    Ok(Reply(nodes.into_iter().map(GatewayState::from).collect()))
}

/// Forgets a gateway that is gone for good; it no longer counts when measures are verified.
#[utoipa::path(
    delete, path = "/api/v1/gateways/{name}", tag = "gateways",
    params(("name", description = "The gateway's name")),
    responses((status = 204))
)]
pub(crate) async fn remove_gateway(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    control.remove_node(&access, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which snapshot a gateway holds.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Held {
    /// The gateway's name.
    #[serde(default)]
    gateway: String,
    /// The epoch it holds; 0 for none.
    #[serde(default)]
    epoch: u64,
    /// The hash of what it holds; empty for none.
    #[serde(default)]
    hash: String,
}

/// Waits for a snapshot newer than the one held.
#[utoipa::path(
    get, path = "/api/v1/node/snapshot", tag = "gateways", params(Held),
    responses((status = 200, body = Snapshot), (status = 204, description = "Nothing newer yet"))
)]
pub(crate) async fn fetch_snapshot(
    State(control): State<Control>,
    Query(held): Query<Held>,
) -> Response {
    tracing::trace!(gateway = held.gateway, epoch = held.epoch, hash = held.hash, "poll");
    match control.snapshot_after(held.epoch, POLL).await {
        Some(snapshot) => Reply(&*snapshot).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Takes a gateway's report: the epoch it runs on, and what its probes met.
#[utoipa::path(
    post, path = "/api/v1/node/report", tag = "gateways", request_body = GatewayReport,
    responses((status = 204))
)]
pub(crate) async fn report(
    State(control): State<Control>,
    Json(report): Json<GatewayReport>,
) -> Result<StatusCode> {
    control.report(report).await?;
    Ok(StatusCode::NO_CONTENT)
}
