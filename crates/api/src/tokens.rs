//! Tokens of this API. A token's text is in the reply that makes it and nowhere else.

use crate::records::ApiToken;
use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::tokens::NewToken;
use quell_domain::{AccessRole, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::extract::{Json, Path};
use crate::problem::Result;

/// A token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenView {
    /// Identity.
    id: TokenId,
    /// The account it acts for.
    owner: String,
    /// What it is for. Its changes are recorded as `token:<owner>/<name>`.
    name: String,
    /// What it may do, and never more than its owner.
    role: AccessRole,
    /// Whether it is a gateway's: then it opens the node endpoints and nothing else.
    node: bool,
    /// When it was made.
    created_at: Timestamp,
    /// When it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, owner, name, role, node, created_at, expires_at, revoked_at, .. } =
            token;
        Self { id, owner, name, role, node, created_at, expires_at, revoked_at }
    }
}

/// Lists every token, oldest first.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "people",
    responses((status = 200, body = Vec<TokenView>))
)]
pub(crate) async fn list_tokens(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<TokenView>>> {
    let tokens = control.tokens(&access).await?;
    Ok(Reply(tokens.into_iter().map(TokenView::from).collect()))
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub(crate) struct TokenWanted {
    /// 1 to 64 of `a-z 0-9 -`.
    name: String,
    /// What it may do.
    role: AccessRole,
    /// Whether it is a gateway's.
    #[serde(default)]
    node: bool,
    /// When it stops working.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// A new token with its text.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenMade {
    /// The token.
    token: TokenView,
    /// Its text; shown this once.
    secret: String,
}

/// Makes a token.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "people", request_body = TokenWanted,
    responses((status = 201, body = TokenMade))
)]
pub(crate) async fn create_token(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(wanted): Json<TokenWanted>,
) -> Result<(StatusCode, Reply<TokenMade>)> {
    let TokenWanted { name, role, node, expires_at } = wanted;
    let made = control.create_token(&access, NewToken { name, role, node, expires_at }).await?;
    let made = TokenMade { token: made.token.into(), secret: made.secret };
    Ok((StatusCode::CREATED, Reply(made)))
}

/// Withdraws a token.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{token}", tag = "people",
    params(("token" = TokenId, Path, description = "The token's id")),
    responses((status = 204))
)]
pub(crate) async fn revoke_token(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(token): Path<TokenId>,
) -> Result<StatusCode> {
    control.revoke_token(&access, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
