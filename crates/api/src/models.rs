//! Classifier weights: brought, tried in shadow, released by two people, rolled back.

use axum::Json as Reply;
use axum::body::Bytes;
use axum::extract::State;
use http::{StatusCode, header};
use quell_control::Control;
use quell_control::models::{ModelView, Models};
use quell_domain::snapshot::ShadowCounts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::measures::Reason;
use crate::problem::Result;
use crate::records::{Approval, ModelRecord};

/// Every model, and which is in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AllModels {
    /// SHA-256 of the one that ships.
    shipped: String,
    /// SHA-256 of the one in force.
    current: String,
    /// Those that people brought, newest first.
    models: Vec<Model>,
}

/// A model that somebody brought.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// What is known about it.
    #[serde(flatten)]
    record: ModelRecord,
    /// What it would have flagged in shadow, over all gateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<ShadowCounts>,
    /// The request for its release, while it waits for somebody's decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Approval>,
}

impl From<Models> for AllModels {
    fn from(all: Models) -> Self {
        let model = |ModelView { record, shadow, request }| Model { record, shadow, request };
        let models = all.brought.into_iter().map(model).collect();
        Self { shipped: all.shipped, current: all.current, models }
    }
}

/// Lists every classifier that somebody brought, its gate result and what it would have flagged, and
/// says which is in force.
#[utoipa::path(
    get, path = "/api/v1/models", tag = "models",
    responses((status = 200, body = AllModels))
)]
pub(crate) async fn list_models(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<AllModels>> {
    Ok(Reply(control.models(&access).await?.into()))
}

/// Why.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// Why.
    reason: String,
}

/// Takes a candidate in and runs the gate on it.
#[utoipa::path(
    post, path = "/api/v1/models", tag = "models", params(Why),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ModelRecord))
)]
pub(crate) async fn propose_model(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(why): Query<Why>,
    bytes: Bytes,
) -> Result<(StatusCode, Reply<ModelRecord>)> {
    let record = control.propose_model(&access, bytes.to_vec(), &why.reason).await?;
    Ok((StatusCode::CREATED, Reply(record)))
}

/// Lets gateways try a candidate beside the model in force; it decides nothing.
#[utoipa::path(
    put, path = "/api/v1/models/{sha256}/shadow", tag = "models",
    params(("sha256", description = "SHA-256 of the model")),
    responses((status = 200, body = ModelRecord))
)]
pub(crate) async fn shadow_model(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(sha256): Path<String>,
) -> Result<Reply<ModelRecord>> {
    Ok(Reply(control.shadow_model(&access, &sha256).await?))
}

/// Ends the trial of the model in shadow.
#[utoipa::path(
    delete, path = "/api/v1/models/{sha256}/shadow", tag = "models",
    params(("sha256", description = "SHA-256 of the model")),
    responses((status = 204))
)]
pub(crate) async fn unshadow_model(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(sha256): Path<String>,
) -> Result<StatusCode> {
    control.unshadow_model(&access, &sha256).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for the release of the model in shadow. Granting the approval releases it; whoever brought
/// it or asks cannot grant it.
#[utoipa::path(
    post, path = "/api/v1/models/{sha256}/release", tag = "models", request_body = Reason,
    params(("sha256", description = "SHA-256 of the model")),
    responses((status = 201, body = Approval))
)]
pub(crate) async fn request_release(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(sha256): Path<String>,
    Json(given): Json<Reason>,
) -> Result<(StatusCode, Reply<Approval>)> {
    let approval = control.request_model_release(&access, &sha256, &given.reason).await?;
    Ok((StatusCode::CREATED, Reply(approval)))
}

/// The model in force after a roll-back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RolledBack {
    /// What is known about it; absent for the one that ships.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelRecord>,
}

/// Goes back to the model that was in force before the present one.
#[utoipa::path(
    post, path = "/api/v1/models/rollback", tag = "models", request_body = Reason,
    responses((status = 200, body = RolledBack))
)]
pub(crate) async fn roll_back_model(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(given): Json<Reason>,
) -> Result<Reply<RolledBack>> {
    let model = control.roll_back_model(&access, &given.reason).await?;
    Ok(Reply(RolledBack { model }))
}

/// Gives a gateway the bytes of a model by its digest.
#[utoipa::path(
    get, path = "/api/v1/node/models/{sha256}", tag = "gateways",
    params(("sha256", description = "SHA-256 of the model")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn fetch_model(
    State(control): State<Control>,
    Path(sha256): Path<String>,
) -> Result<([(header::HeaderName, &'static str); 1], Vec<u8>)> {
    let bytes = control.model_bytes(&sha256).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes))
}
