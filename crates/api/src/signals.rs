//! Signals that control has read from the gateways' logs.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::feedback::SignalView;
use quell_domain::feedback::Label;
use quell_domain::{IncidentId, Severity};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::paging::{Paged, page};
use crate::problem::Result;
use crate::records::{SignalFilter, SignalLabel, SignalRecord};

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

/// A signal with what was said about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelledSignal {
    /// The signal and where it came from.
    record: SignalRecord,
    /// Its label.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<SignalLabel>,
}

impl From<SignalView> for LabelledSignal {
    fn from(view: SignalView) -> Self {
        Self { record: view.record, label: view.label }
    }
}

/// Shows one signal, without text, and what was said about it.
#[utoipa::path(
    get, path = "/api/v1/signals/{signal}", tag = "feedback",
    params(("signal", description = "Its id")),
    responses((status = 200, body = LabelledSignal))
)]
pub(crate) async fn show_signal(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<String>,
) -> Result<Reply<LabelledSignal>> {
    Ok(Reply(control.signal(&access, &id).await?.into()))
}

/// A judgement of a signal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelChoice {
    /// Whether the signal was right.
    label: Label,
    /// Why.
    reason: String,
}

/// Says whether a signal was right. Replaces what was said before.
#[utoipa::path(
    put, path = "/api/v1/signals/{signal}/label", tag = "feedback", request_body = LabelChoice,
    params(("signal", description = "Its id")),
    responses((status = 200, body = SignalLabel))
)]
pub(crate) async fn label_signal(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Json(choice): Json<LabelChoice>,
) -> Result<Reply<SignalLabel>> {
    Ok(Reply(control.label_signal(&access, &id, choice.label, &choice.reason).await?))
}

/// Takes a label away.
#[utoipa::path(
    delete, path = "/api/v1/signals/{signal}/label", tag = "feedback",
    params(("signal", description = "Its id")),
    responses((status = 204))
)]
pub(crate) async fn unlabel_signal(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    control.unlabel_signal(&access, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
