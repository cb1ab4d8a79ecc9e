//! Signing in and out, and who one is.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use quell_control::Control;
use quell_control::accounts::SessionCookie;
use quell_domain::{AccessRole, Actor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Caller, SESSION_COOKIE, session_cookie};
use crate::extract::Json;
use crate::problem::{Problem, Result};

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The account's name.
    name: String,
    /// Its password.
    password: String,
}

/// Who one is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// As whom one's changes are recorded.
    actor: Actor,
    /// What one may do.
    role: AccessRole,
    /// For sessions: what unsafe requests must repeat in `x-quell-csrf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<String>,
}

/// Signs in: sets the session cookie and gives the CSRF value.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "people", request_body = SignIn,
    responses((status = 200, body = Me))
)]
pub(crate) async fn sign_in(
    State(control): State<Control>,
    Json(given): Json<SignIn>,
) -> Result<Response> {
    let cookie = control.sign_in(&given.name, &given.password).await?;
    signed_in(&control, &cookie).await
}

/// The reply to a successful sign-in.
pub(crate) async fn signed_in(control: &Control, cookie: &SessionCookie) -> Result<Response> {
    let person = control.session(cookie).await?;
    let me = Me { actor: person.access.actor, role: person.access.role, csrf: Some(person.csrf) };
    Ok(([(SET_COOKIE, set_cookie(&cookie.0))], Reply(me)).into_response())
}

/// Says who one is.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "people", responses((status = 200, body = Me))
)]
pub(crate) async fn show_me(
    State(control): State<Control>,
    Caller(access): Caller,
    headers: HeaderMap,
) -> Result<Reply<Me>> {
    let csrf = match (&access.actor, session_cookie(&headers)) {
        (Actor::User(_), Some(text)) => Some(control.session(&SessionCookie(text)).await?.csrf),
        _ => None,
    };
    Ok(Reply(Me { actor: access.actor, role: access.role, csrf }))
}

/// Signs out: ends the session and takes the cookie back.
#[utoipa::path(delete, path = "/api/v1/session", tag = "people", responses((status = 204)))]
pub(crate) async fn sign_out(
    State(control): State<Control>,
    headers: HeaderMap,
) -> Result<Response> {
    if let Some(text) = session_cookie(&headers) {
        control.sign_out(&SessionCookie(text)).await?;
    }
    let cleared = format!("{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cleared)]).into_response())
}

/// The present and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The present one.
    present: String,
    /// The new one, at least 12 characters.
    new: String,
}

/// Changes one's own password; every other session of the account ends.
#[utoipa::path(
    put, path = "/api/v1/session/password", tag = "people", request_body = PasswordChange,
    responses((status = 204))
)]
pub(crate) async fn change_password(
    State(control): State<Control>,
    Caller(access): Caller,
    headers: HeaderMap,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode> {
    if !matches!(access.actor, Actor::User(_)) {
        return Err(Problem::forbidden("session_needed", "sign in to change a password"));
    }
    let keep = session_cookie(&headers).map(SessionCookie);
    control.change_password(&access, &change.present, &change.new, keep.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the product still waits for its first administrator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetupState {
    /// True until the setup link was used.
    needed: bool,
}

/// Says whether the product still waits for its first administrator.
#[utoipa::path(
    get, path = "/api/v1/setup", tag = "people", responses((status = 200, body = SetupState))
)]
pub(crate) async fn show_setup(State(control): State<Control>) -> Result<Reply<SetupState>> {
    Ok(Reply(SetupState { needed: control.needs_setup().await? }))
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstAdministrator {
    /// The token of the setup link.
    token: String,
    /// The account's name.
    name: String,
    /// Its password, at least 12 characters.
    password: String,
}

/// Makes the first administrator with the one-time setup link, and signs in.
#[utoipa::path(
    post, path = "/api/v1/setup", tag = "people", request_body = FirstAdministrator,
    responses((status = 200, body = Me))
)]
pub(crate) async fn set_up(
    State(control): State<Control>,
    Json(first): Json<FirstAdministrator>,
) -> Result<Response> {
    let cookie = control.set_up(&first.token, &first.name, &first.password).await?;
    signed_in(&control, &cookie).await
}

/// Strict and HTTP only. Not `Secure`: on loopback there is no TLS, and in front of it a proxy
/// that speaks TLS adds the word.
fn set_cookie(value: &str) -> String {
    format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict")
}
