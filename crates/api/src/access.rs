//! Who may call what. Every operation states its [`Need`] once, in the table of `lib.rs`; the
//! guard and the OpenAPI document both come from there.

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use quell_control::accounts::SessionCookie;
use quell_control::tokens::Bearer;
use quell_control::{Access, Control};
use quell_domain::AccessRole;

use crate::problem::{Problem, Result};

/// The cookie of a console session.
pub const SESSION_COOKIE: &str = "quell_session";
/// The header that repeats a session's CSRF value on unsafe requests.
pub const CSRF_HEADER: &str = "x-quell-csrf";

/// What an operation asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: health, setup, signing in.
    Anyone,
    /// A gateway's token.
    Node,
    /// An account or API token with at least this role.
    Role(AccessRole),
}

impl Need {
    /// The name in the OpenAPI document, under `x-quell-access`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Node => "node",
            Self::Role(role) => role.as_str(),
        }
    }
}

/// Whoever calls, once the guard let them through.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Access);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get().cloned().ok_or_else(not_signed_in)
    }
}

/// How a caller proves who they are.
pub(crate) enum Credential {
    Bearer(String),
    Session(String),
}

impl Credential {
    /// A token wins over a cookie: it was sent on purpose.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(authorization) = text(header::AUTHORIZATION) {
            let (scheme, token) = authorization.split_once(' ')?;
            let token = token.trim().to_owned();
            return scheme.eq_ignore_ascii_case("bearer").then_some(Self::Bearer(token));
        }
        session_cookie(headers).map(Self::Session)
    }
}

/// The session cookie's value.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == SESSION_COOKIE)?;
    Some(value.trim().to_owned())
}

/// Lets through whoever the operation's need admits, and tells the handler who it is.
pub(crate) async fn guard(
    State((control, need)): State<(Control, Need)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&control, need, &parts).await {
        Ok(Some(caller)) => parts.extensions.insert(caller),
        Ok(None) => None,
        Err(problem) => return problem.into_response(),
    };
    next.run(Request::from_parts(parts, body)).await
}

async fn admit(control: &Control, need: Need, request: &Parts) -> Result<Option<Caller>> {
    if need == Need::Anyone {
        return Ok(None);
    }
    let access = match Credential::of(&request.headers).ok_or_else(not_signed_in)? {
        Credential::Bearer(secret) => match control.bearer(&secret).await? {
            Bearer::Node(_) if need == Need::Node => return Ok(None),
            Bearer::Node(_) => {
                let detail = "a gateway's token opens /api/v1/node/ and nothing else";
                return Err(Problem::forbidden("node_token", detail));
            }
            Bearer::Person(access) => access,
        },
        Credential::Session(cookie) => {
            let person = control.session(&SessionCookie(cookie)).await?;
            check_csrf(request, &person.csrf)?;
            person.access
        }
    };
    match need {
        Need::Role(role) => access.require(role)?,
        Need::Node | Need::Anyone => {
            let detail = "only a gateway's own token opens this";
            return Err(Problem::forbidden("node_token_needed", detail));
        }
    }
    Ok(Some(Caller(access)))
}

/// A browser sends cookies along with forged requests too, but cannot read this value for them.
fn check_csrf(request: &Parts, csrf: &str) -> Result<()> {
    let safe = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let sent = request.headers.get(CSRF_HEADER);
    if safe || sent.is_some_and(|sent| sent.as_bytes() == csrf.as_bytes()) {
        return Ok(());
    }
    let detail = "repeat the session's csrf value in the header x-quell-csrf";
    Err(Problem::forbidden("csrf", detail))
}

fn not_signed_in() -> Problem {
    Problem::unauthenticated(
        "not_signed_in",
        "sign in, or send `Authorization: Bearer` with an API token",
    )
}
