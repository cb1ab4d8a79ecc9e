//! Detection rules and the content files they come from.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use quell_control::Control;
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::extract::{Json, Path};
use crate::problem::Result;

/// Lists every rule in force, with the mode it ships with and the one a person chose.
#[utoipa::path(
    get, path = "/api/v1/rules", tag = "rules",
    responses((status = 200, body = Vec<Object>))
)]
pub(crate) async fn list_rules(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Response> {
    Ok(Reply(control.rules(&access).await?).into_response())
}

/// A rule's new mode.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModeChoice {
    /// `shadow` reports what would have happened, `enforce` does it.
    mode: RuleMode,
    /// Why.
    reason: String,
}

/// Gives a rule another mode than it ships with.
#[utoipa::path(
    put, path = "/api/v1/rules/{rule}/mode", tag = "rules", request_body = ModeChoice,
    params(("rule", description = "The rule's id")),
    responses((status = 204))
)]
pub(crate) async fn set_rule_mode(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(rule): Path<String>,
    Json(choice): Json<ModeChoice>,
) -> Result<StatusCode> {
    control.set_rule_mode(&access, &rule, choice.mode, &choice.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a rule back the mode it ships with.
#[utoipa::path(
    delete, path = "/api/v1/rules/{rule}/mode", tag = "rules",
    params(("rule", description = "The rule's id")),
    responses((status = 204))
)]
pub(crate) async fn reset_rule_mode(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(rule): Path<String>,
) -> Result<StatusCode> {
    control.reset_rule_mode(&access, &rule).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the content files that override or extend what is shipped.
#[utoipa::path(
    get, path = "/api/v1/content", tag = "rules",
    responses((status = 200, body = Vec<ContentFile>))
)]
pub(crate) async fn list_content(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<ContentFile>>> {
    Ok(Reply(control.content_files(&access).await?))
}

/// Stores a content file; refused, with the line named, if the rules would not load with it.
#[utoipa::path(
    put, path = "/api/v1/content", tag = "rules", request_body = ContentFile,
    responses((status = 204))
)]
pub(crate) async fn put_content(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(file): Json<ContentFile>,
) -> Result<StatusCode> {
    control.put_content(&access, file).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a content file; what ships under its path is in force again.
#[utoipa::path(
    delete, path = "/api/v1/content/{path}", tag = "rules",
    params(("path", description = "The file's path, with `/` written as `%2F`")),
    responses((status = 204))
)]
pub(crate) async fn delete_content(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(path): Path<String>,
) -> Result<StatusCode> {
    control.delete_content(&access, &path).await?;
    Ok(StatusCode::NO_CONTENT)
}
