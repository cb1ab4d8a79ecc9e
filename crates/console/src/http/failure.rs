//! Why a request was not answered with its page, and the page that says so.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use quell_control::{Class, Refused};

use crate::Console;
use crate::errors::context::ErrorPage;
use crate::http::visitor::Visitor;
use crate::render::{RenderError, page};

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is signed in: to the door, and back here afterwards.
    SignIn(String),
    /// Anything else: a page that says what to do.
    Page(ErrorPage),
}

impl Failure {
    /// A page for `status`.
    pub(crate) fn new(status: u16, detail: impl Into<String>) -> Self {
        Self::Page(ErrorPage::new(status, detail))
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, detail)
    }

    /// The request itself makes no sense.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(422, detail)
    }
}

/// The status that fits a refusal.
pub(crate) fn status(refused: &Refused) -> u16 {
    match refused.class() {
        Class::Unauthenticated => 401,
        Class::Forbidden => 403,
        Class::NotFound => 404,
        Class::Invalid => 422,
        Class::Conflict => 409,
        Class::TooMany => 429,
        Class::Unavailable => 503,
        Class::Internal => 500,
    }
}

/// A refusal as a sentence. What only operators should see stays in the log.
pub(crate) fn sentence(refused: &Refused) -> String {
    if matches!(refused.class(), Class::Unavailable | Class::Internal) {
        tracing::error!(error.code = refused.code(), error = %refused, "a page could not be answered");
        return String::new();
    }
    let mut text = refused.to_string();
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match status(&refused) {
            401 => Self::SignIn("/".into()),
            status => Self::new(status, sentence(&refused)),
        }
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        tracing::error!(%error, "a page could not be rendered");
        Self::new(500, "")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(next) => Redirect::to(&sign_in(&next)).into_response(),
            Self::Page(page) => {
                let mut response = StatusCode::from_u16(page.status)
                    .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
                    .into_response();
                response.extensions_mut().insert(page);
                response
            }
        }
    }
}

/// The door, remembering where somebody wanted to go.
fn sign_in(next: &str) -> String {
    crate::http::link("/sign-in", &[("next", if next == "/" { "" } else { next })])
}

/// Puts the console's frame around a failure, so that a reader is never left without a way on.
pub(crate) async fn frame(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers().clone();
    let mut response = next.run(request).await;
    let Some(mut error) = response.extensions_mut().remove::<ErrorPage>() else { return response };
    let visitor = Visitor::of(&console, &headers).await;
    let shell = visitor.shell(&console, None, "/").await;
    error.framed = visitor.signed_in();
    match page(&shell, &error) {
        Ok(html) => {
            let status = response.status();
            let cache = [(header::CACHE_CONTROL, "no-store")];
            (status, cache, Html(html)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the error page could not be rendered");
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_remembers_the_way() {
        assert_eq!(sign_in("/"), "/sign-in");
        assert_eq!(sign_in("/incidents?q=a b"), "/sign-in?next=%2Fincidents%3Fq%3Da%20b");
    }
}
