//! `/sign-in`, `/sign-out`, `/theme`

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use quell_control::accounts::SessionCookie;
use serde::Deserialize;

use crate::Console;
use crate::http::failure::{sentence, status};
use crate::http::fields::Knocked;
use crate::http::visitor::{Visitor, visit_token};
use crate::http::{Failure, Posted, cookies};
use crate::render::{Page, page};
use crate::shell::Theme;
use crate::sign_in::context::SignIn;

/// How long the theme is remembered, seconds.
const THEME_SECONDS: u32 = 365 * 24 * 3_600;
/// How long a browser keeps the session's cookie, seconds. The session itself may end earlier.
const SESSION_SECONDS: u32 = 12 * 3_600;
/// How long the form before sign-in stays good, seconds.
const VISIT_SECONDS: u32 = 24 * 3_600;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Next {
    next: String,
}

/// `GET /sign-in`
pub(crate) async fn show(
    State(console): State<Console>,
    Query(next): Query<Next>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let content = SignIn {
        name: String::new(),
        next: inside(&next.next).into(),
        error: None,
        needs_setup: console.control.needs_setup().await?,
    };
    door(&console, &headers, &content).await
}

/// `POST /sign-in`
pub(crate) async fn sign_in(
    State(console): State<Console>,
    headers: HeaderMap,
    Knocked(fields): Knocked,
) -> Result<Response, Failure> {
    let (name, next) = (fields.get("name"), inside(fields.get("next")));
    let error = match console.control.sign_in(name, fields.exact("password")).await {
        Ok(session) => return Ok(enter(&console, &session, next)),
        Err(refused) => match status(&refused) {
            401 => "Name or password is wrong.".to_owned(),
            429 => sentence(&refused),
            _ => return Err(refused.into()),
        },
    };
    let content =
        SignIn { name: name.into(), next: next.into(), error: Some(error), needs_setup: false };
    door(&console, &headers, &content).await
}

/// `POST /sign-out`
pub(crate) async fn sign_out(
    State(console): State<Console>,
    headers: HeaderMap,
    _: Posted,
) -> Result<Response, Failure> {
    if let Some(session) = cookies::get(&headers, cookies::SESSION) {
        console.control.sign_out(&SessionCookie(session.into())).await?;
    }
    let gone = cookies::set(cookies::SESSION, "", Some(0), console.secure);
    Ok(with(Redirect::to("/sign-in").into_response(), gone))
}

/// `POST /theme`
pub(crate) async fn theme(Posted { by, fields }: Posted) -> Response {
    let theme = Theme::parse(fields.get("theme"));
    let cookie =
        cookies::set(cookies::THEME, theme.as_str(), Some(THEME_SECONDS), by.console.secure);
    with(Redirect::to(inside(fields.get("back"))).into_response(), cookie)
}

/// Signed in: the session goes into its cookie, the visitor to where they wanted.
pub(crate) fn enter(console: &Console, session: &SessionCookie, next: &str) -> Response {
    let cookie = cookies::set(cookies::SESSION, &session.0, Some(SESSION_SECONDS), console.secure);
    with(Redirect::to(next).into_response(), cookie)
}

/// A page before sign-in; its forms get a token from a cookie of their own.
pub(crate) async fn door<P: Page>(
    console: &Console,
    headers: &HeaderMap,
    content: &P,
) -> Result<Response, Failure> {
    let mut shell = Visitor::of(console, headers).await.shell(console, None, "/").await;
    let known = cookies::get(headers, cookies::VISIT).filter(|cookie| !cookie.is_empty());
    if let Some(cookie) = known {
        shell.csrf = visit_token(cookie);
        return Ok(Html(page(&shell, content)?).into_response());
    }
    let mut random = [0_u8; 16];
    console.ids.random(&mut random);
    let visit = hex::encode(random);
    shell.csrf = visit_token(&visit);
    let cookie = cookies::set(cookies::VISIT, &visit, Some(VISIT_SECONDS), console.secure);
    Ok(with(Html(page(&shell, content)?).into_response(), cookie))
}

fn with(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// `next`, if it is a path of this console and nothing cleverer.
fn inside(next: &str) -> &str {
    let bytes = next.as_bytes();
    let plain = bytes.first() == Some(&b'/')
        && !matches!(bytes.get(1), Some(b'/' | b'\\'))
        && bytes.iter().all(u8::is_ascii_graphic);
    if plain { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(inside("/incidents?q=a%20b"), "/incidents?q=a%20b");
        for next in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "x"]
        {
            assert_eq!(inside(next), "/", "{next:?}");
        }
    }
}
