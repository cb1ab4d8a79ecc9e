//! Containment measures: proposed, applied, lifted, and how far each got.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use quell_control::Control;
use quell_control::measures::{MeasureReceipt, NewMeasure};
use quell_domain::measure::{Effect, Target};
use quell_domain::snapshot::ProbeResult;
use quell_domain::{IncidentId, Measure, MeasureId, MeasureState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::paging::{Paged, page};
use crate::problem::Result;
use crate::records::MeasureFilter;

/// Which measures.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichMeasures {
    /// Of this application.
    application: Option<String>,
    /// Of this incident.
    #[param(value_type = Option<String>)]
    incident: Option<IncidentId>,
    /// In this state.
    state: Option<MeasureState>,
    /// Only those not ended, or only ended ones.
    current: Option<bool>,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists measures, newest first.
#[utoipa::path(
    get, path = "/api/v1/measures", tag = "containment", params(WhichMeasures),
    responses((status = 200, body = Paged<Measure>))
)]
pub(crate) async fn list_measures(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichMeasures>,
) -> Result<Reply<Paged<Measure>>> {
    let WhichMeasures { application, incident, state, current, limit, cursor } = which;
    let filter = MeasureFilter { application, incident, state, current };
    Ok(Reply(control.measures(&access, &filter, &page(limit, cursor)).await?.into()))
}

/// A measure and its proof.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeasureDetail {
    /// The measure.
    measure: Measure,
    /// What each gateway's last probe of it met, by gateway.
    probes: BTreeMap<String, ProbeResult>,
}

/// Shows one measure, with what each gateway's last probe of it met.
#[utoipa::path(
    get, path = "/api/v1/measures/{measure}", tag = "containment",
    params(("measure" = MeasureId, Path, description = "Its id")),
    responses((status = 200, body = MeasureDetail))
)]
pub(crate) async fn show_measure(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<MeasureId>,
) -> Result<Reply<MeasureDetail>> {
    let (measure, probes) = control.measure(&access, id).await?;
    Ok(Reply(MeasureDetail { measure, probes }))
}

/// A measure that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMeasure)]
pub(crate) struct MeasureWanted {
    /// The application it acts on.
    application: String,
    /// What inside the application.
    target: Target,
    /// What it does.
    effect: Effect,
    /// Why.
    reason: String,
    /// The incident it belongs to.
    #[serde(default)]
    incident: Option<IncidentId>,
    /// How long it lasts; absent: until somebody lifts it.
    #[serde(default)]
    minutes: Option<u32>,
    /// Only suggest it. Level 4 must be proposed: that asks for the approval it needs.
    #[serde(default)]
    propose: bool,
}

/// A measure after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeasureChanged {
    /// The measure now.
    measure: Measure,
    /// Global sequence of the timeline event that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    /// The epoch that carries it to gateways, if that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

impl From<MeasureReceipt> for MeasureChanged {
    fn from(receipt: MeasureReceipt) -> Self {
        let MeasureReceipt { measure, sequence, epoch } = receipt;
        Self { measure, sequence, epoch }
    }
}

/// Applies a measure of level 1 to 3 at once, or proposes one of any level.
#[utoipa::path(
    post, path = "/api/v1/measures", tag = "containment", request_body = MeasureWanted,
    responses((status = 201, body = MeasureChanged))
)]
pub(crate) async fn create_measure(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(wanted): Json<MeasureWanted>,
) -> Result<(StatusCode, Reply<MeasureChanged>)> {
    let MeasureWanted { application, target, effect, reason, incident, minutes, propose } = wanted;
    let new = NewMeasure { application, target, effect, reason, incident, minutes };
    let receipt = if propose {
        control.propose_measure(&access, new).await?
    } else {
        control.apply_measure(&access, new).await?
    };
    Ok((StatusCode::CREATED, Reply(receipt.into())))
}

/// Applies a proposed measure; at level 4 it spends the approval that was granted.
#[utoipa::path(
    post, path = "/api/v1/measures/{measure}/apply", tag = "containment",
    params(("measure" = MeasureId, Path, description = "Its id")),
    responses((status = 200, body = MeasureChanged))
)]
pub(crate) async fn apply_proposed(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<MeasureId>,
) -> Result<Reply<MeasureChanged>> {
    Ok(Reply(control.apply_proposed(&access, id).await?.into()))
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// Why.
    pub(crate) reason: String,
}

/// Declines a proposed measure.
#[utoipa::path(
    post, path = "/api/v1/measures/{measure}/reject", tag = "containment", request_body = Reason,
    params(("measure" = MeasureId, Path, description = "Its id")),
    responses((status = 200, body = MeasureChanged))
)]
pub(crate) async fn reject_measure(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<MeasureId>,
    Json(given): Json<Reason>,
) -> Result<Reply<MeasureChanged>> {
    Ok(Reply(control.reject_measure(&access, id, &given.reason).await?.into()))
}

/// Withdraws a measure in force. It is `lifted` once probes pass again.
#[utoipa::path(
    post, path = "/api/v1/measures/{measure}/lift", tag = "containment", request_body = Reason,
    params(("measure" = MeasureId, Path, description = "Its id")),
    responses((status = 200, body = MeasureChanged))
)]
pub(crate) async fn lift_measure(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<MeasureId>,
    Json(given): Json<Reason>,
) -> Result<Reply<MeasureChanged>> {
    Ok(Reply(control.lift_measure(&access, id, &given.reason).await?.into()))
}
