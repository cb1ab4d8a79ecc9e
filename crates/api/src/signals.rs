//! Signals that control has read from the gateways' logs.

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use quell_control::Control;
use quell_domain::{IncidentId, Severity};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::access::Caller;
use crate::extract::Query;
use crate::paging::{Paged, page};
use crate::problem::Result;
use crate::records::{SignalFilter, SignalRecord};

/// Which signals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichSignals {
    /// Of this incident.
    #[param(value_type = Option<String>)]
    incident: Option<IncidentId>,
    /// Of this application.
    application: Option<String>,
    /// Raised by this rule.
    rule: Option<String>,
    /// Of this severity.
    severity: Option<Severity>,
    /// At or after.
    from: Option<Timestamp>,
    /// Before.
    to: Option<Timestamp>,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists signals, newest first.
#[utoipa::path(
    get, path = "/api/v1/signals", tag = "incidents", params(WhichSignals),
    responses((status = 200, body = Paged<SignalRecord>))
)]
pub(crate) async fn list_signals(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichSignals>,
) -> Result<Reply<Paged<SignalRecord>>> {
    let WhichSignals { incident, application, rule, severity, from, to, limit, cursor } = which;
    let filter = SignalFilter { incident, application, rule, severity, from, to };
    Ok(Reply(control.signals(&access, &filter, &page(limit, cursor)).await?.into()))
}
