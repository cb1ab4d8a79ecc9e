//! Keys that clients of the gateway present. A key's text is in the reply that makes it and
//! nowhere else.

use crate::records::ApiKey;
use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::applications::NewKey;
use quell_domain::ApiKeyId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::problem::Result;

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyView {
    /// Identity.
    id: ApiKeyId,
    /// The application it opens.
    application: String,
    /// The user it stands for, if bound to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// What it is for.
    label: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.binding.id,
            application: key.binding.application,
            user: key.binding.user,
            label: key.label,
            created_at: key.created_at,
            expires_at: key.binding.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// Which keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichKeys {
    /// Of this application.
    #[serde(default)]
    application: Option<String>,
}

/// Lists keys, oldest first.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "inventory", params(WhichKeys),
    responses((status = 200, body = Vec<KeyView>))
)]
pub(crate) async fn list_keys(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichKeys>,
) -> Result<Reply<Vec<KeyView>>> {
    let keys = control.keys(&access, which.application.as_deref()).await?;
    Ok(Reply(keys.into_iter().map(KeyView::from).collect()))
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub(crate) struct KeyWanted {
    /// The application it opens.
    application: String,
    /// What it is for.
    #[serde(default)]
    label: String,
    /// The user it stands for; requests with it then come from an authenticated principal.
    #[serde(default)]
    user: Option<String>,
    /// When it stops working.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// A new key with its text.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyMade {
    /// The key.
    key: KeyView,
    /// Its text; shown this once.
    secret: String,
}

/// Makes a key.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "inventory", request_body = KeyWanted,
    responses((status = 201, body = KeyMade))
)]
pub(crate) async fn create_key(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(wanted): Json<KeyWanted>,
) -> Result<(StatusCode, Reply<KeyMade>)> {
    let KeyWanted { application, label, user, expires_at } = wanted;
    let made = control.create_key(&access, NewKey { application, label, user, expires_at }).await?;
    let made = KeyMade { key: made.key.into(), secret: made.secret };
    Ok((StatusCode::CREATED, Reply(made)))
}

/// Withdraws a key. Gateways refuse it within seconds.
#[utoipa::path(
    delete, path = "/api/v1/keys/{key}", tag = "inventory",
    params(("key" = ApiKeyId, Path, description = "The key's id")),
    responses((status = 204))
)]
pub(crate) async fn revoke_key(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(key): Path<ApiKeyId>,
) -> Result<StatusCode> {
    control.revoke_key(&access, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
