//! Incidents: listed, declared, moved through their states, judged.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::incidents::{Declaration, IncidentReceipt, IncidentView};
use quell_control::{Access, Refused};
use quell_domain::{IncidentId, IncidentKind, IncidentRecord, IncidentState, Measure, Severity};
use quell_triage::IncidentEvent;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::paging::{Paged, page};
use crate::problem::{Problem, Result};
use crate::records::{IncidentFilter, SignalRecord};

/// Which incidents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichIncidents {
    /// Only open ones, or only ended ones.
    open: Option<bool>,
    /// In this state.
    state: Option<IncidentState>,
    /// Of this severity.
    severity: Option<Severity>,
    /// Of this kind.
    kind: Option<IncidentKind>,
    /// In this application.
    application: Option<String>,
    /// With this text in title or number.
    text: Option<String>,
    /// Opened at or after.
    from: Option<Timestamp>,
    /// Opened before.
    to: Option<Timestamp>,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists incidents, newest first.
#[utoipa::path(
    get, path = "/api/v1/incidents", tag = "incidents", params(WhichIncidents),
    responses((status = 200, body = Paged<IncidentRecord>))
)]
pub(crate) async fn list_incidents(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichIncidents>,
) -> Result<Reply<Paged<IncidentRecord>>> {
    let WhichIncidents { open, state, severity, kind, application, text, from, to, .. } = which;
    let filter = IncidentFilter { open, state, severity, kind, application, text, from, to };
    let page = page(which.limit, which.cursor);
    Ok(Reply(control.incidents(&access, &filter, &page).await?.into()))
}

/// An incident with what belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentDetail {
    /// The incident.
    incident: IncidentRecord,
    /// What could happen to it now: values for `event` of a change.
    possible: Vec<String>,
    /// How many interactions it holds.
    interactions: i64,
    /// Its measures, newest first.
    measures: Vec<Measure>,
    /// Its latest signals, newest first.
    signals: Vec<SignalRecord>,
}

impl From<IncidentView> for IncidentDetail {
    fn from(view: IncidentView) -> Self {
        let IncidentView { incident, possible, interactions, measures, signals } = view;
        let possible = possible.into_iter().map(Into::into).collect();
        Self { incident, possible, interactions, measures, signals }
    }
}

/// Shows one incident with its measures and latest signals.
#[utoipa::path(
    get, path = "/api/v1/incidents/{incident}", tag = "incidents",
    params(("incident", description = "Its id, or its number like INC-2026-0001")),
    responses((status = 200, body = IncidentDetail))
)]
pub(crate) async fn show_incident(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<Reply<IncidentDetail>> {
    Ok(Reply(control.incident(&access, &name).await?.into()))
}

/// What a person knows about an incident no rule saw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declare {
    /// The application.
    application: String,
    /// What sort.
    kind: IncidentKind,
    /// How bad.
    severity: Severity,
    /// One line.
    title: String,
    /// What happened.
    #[serde(default)]
    summary: String,
}

/// An incident after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentChanged {
    /// The incident now.
    incident: IncidentRecord,
    /// Global sequence of the timeline event that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
}

impl From<IncidentReceipt> for IncidentChanged {
    fn from(receipt: IncidentReceipt) -> Self {
        Self { incident: receipt.incident, sequence: receipt.sequence }
    }
}

/// Declares an incident that no rule saw.
#[utoipa::path(
    post, path = "/api/v1/incidents", tag = "incidents", request_body = Declare,
    responses((status = 201, body = IncidentChanged))
)]
pub(crate) async fn declare_incident(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(known): Json<Declare>,
) -> Result<(StatusCode, Reply<IncidentChanged>)> {
    let Declare { application, kind, severity, title, summary } = known;
    let declaration = Declaration { application, kind, severity, title, summary };
    let receipt = control.declare_incident(&access, declaration).await?;
    Ok((StatusCode::CREATED, Reply(receipt.into())))
}

/// What happens to an incident.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Happening {
    /// It is one: people are on it.
    Declare,
    /// It was none. Needs a reason.
    Dismiss,
    /// It continues in another. Needs `into`.
    Merge,
    /// Harm has stopped.
    Contain,
    /// Harm goes on after all. Needs a reason.
    Relapse,
    /// Work on the cause begins.
    Eradicate,
    /// Traffic comes back step by step.
    Recover,
    /// Back to normal, watched.
    Monitor,
    /// Done. Needs a reason.
    Close,
    /// It was not over. Needs a reason.
    Reopen,
}

/// A change of an incident's state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// What happens.
    event: Happening,
    /// Why.
    #[serde(default)]
    reason: String,
    /// The incident it continues in: id or number.
    #[serde(default)]
    into: Option<String>,
}

/// Moves an incident: declare, contain, close, reopen and so on. Refused with 409 where the
/// present state does not allow it.
#[utoipa::path(
    post, path = "/api/v1/incidents/{incident}/changes", tag = "incidents", request_body = Change,
    params(("incident", description = "Its id or number")),
    responses((status = 200, body = IncidentChanged))
)]
pub(crate) async fn change_incident(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Json(change): Json<Change>,
) -> Result<Reply<IncidentChanged>> {
    let id = identify(&control, &access, &name).await?;
    let reason = change.reason;
    let event = match change.event {
        Happening::Declare => IncidentEvent::Declare,
        Happening::Dismiss => IncidentEvent::Dismiss { reason },
        Happening::Merge => {
            let into = change.into.ok_or_else(|| {
                Problem::invalid("invalid_field", "into: name the incident it continues in")
            })?;
            IncidentEvent::Merge { into: identify(&control, &access, &into).await? }
        }
        Happening::Contain => IncidentEvent::Contain,
        Happening::Relapse => IncidentEvent::Relapse { reason },
        Happening::Eradicate => IncidentEvent::Eradicate,
        Happening::Recover => IncidentEvent::Recover,
        Happening::Monitor => IncidentEvent::Monitor,
        Happening::Close => IncidentEvent::Close { reason },
        Happening::Reopen => IncidentEvent::Reopen { reason },
    };
    Ok(Reply(control.change_incident(&access, id, event).await?.into()))
}

/// A person's judgement of how bad it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeverityChoice {
    /// How bad.
    severity: Severity,
    /// Why.
    reason: String,
}

/// Sets an incident's severity.
#[utoipa::path(
    put, path = "/api/v1/incidents/{incident}/severity", tag = "incidents",
    request_body = SeverityChoice,
    params(("incident", description = "Its id or number")),
    responses((status = 200, body = IncidentChanged))
)]
pub(crate) async fn set_severity(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Json(choice): Json<SeverityChoice>,
) -> Result<Reply<IncidentChanged>> {
    let id = identify(&control, &access, &name).await?;
    let receipt = control.set_severity(&access, id, choice.severity, &choice.reason).await?;
    Ok(Reply(receipt.into()))
}

/// A person's judgement of what it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KindChoice {
    /// What sort.
    kind: IncidentKind,
    /// Why.
    reason: String,
}

/// Sets what sort of incident it is.
#[utoipa::path(
    put, path = "/api/v1/incidents/{incident}/kind", tag = "incidents", request_body = KindChoice,
    params(("incident", description = "Its id or number")),
    responses((status = 200, body = IncidentChanged))
)]
pub(crate) async fn set_kind(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Json(choice): Json<KindChoice>,
) -> Result<Reply<IncidentChanged>> {
    let id = identify(&control, &access, &name).await?;
    Ok(Reply(control.reclassify(&access, id, choice.kind, &choice.reason).await?.into()))
}

/// The incident behind an id or a number.
pub(crate) async fn identify(
    control: &Control,
    access: &Access,
    name: &str,
) -> std::result::Result<IncidentId, Refused> {
    match name.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(control.incident(access, name).await?.incident.id),
    }
}
