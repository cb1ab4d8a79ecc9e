//! Errors as `application/problem+json` (RFC 9457). `code` is stable; texts may change.

use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use quell_control::{Class, Refused};
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// A URI made from `code`.
    r#type: String,
    /// What sort of thing went wrong.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Stable; see the error pages.
    code: &'static str,
    /// What is wrong here, and what to do.
    detail: String,
    /// The request's path.
    instance: String,
}

/// An error on its way to the caller.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
}

pub(crate) type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, code, title, detail: detail.into() }
    }

    /// The request says something that cannot be meant.
    pub(crate) fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, "The request is not valid", detail)
    }

    /// What the request names does not exist.
    pub(crate) fn unknown(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, "Not found", detail)
    }

    /// The state does not allow it.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, "Not possible in the present state", detail)
    }

    /// The caller may not.
    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, "Not allowed", detail)
    }

    /// The caller is not known.
    pub(crate) fn unauthenticated(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, "Sign in first", detail)
    }

    /// Something behind the API does not answer.
    pub(crate) fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Temporarily not available", detail)
    }

    /// Something is broken; the log has the particulars.
    pub(crate) fn internal(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, "Something is broken", detail)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (code, detail) = (refused.code(), refused.to_string());
        match refused.class() {
            Class::Unauthenticated => Self::unauthenticated(code, detail),
            Class::Forbidden => Self::forbidden(code, detail),
            Class::NotFound => Self::unknown(code, detail),
            Class::Invalid => Self::invalid(code, detail),
            Class::Conflict => Self::conflict(code, detail),
            Class::TooMany => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, "Too many attempts", detail)
            }
            Class::Unavailable => {
                log(&refused);
                Self::unavailable(code, detail)
            }
            Class::Internal => {
                log(&refused);
                Self::internal(code, detail)
            }
        }
    }
}

/// The caller gets the outer text only; operators get the cause too.
fn log(refused: &Refused) {
    let cause = std::error::Error::source(refused).map(ToString::to_string);
    tracing::error!(error = %refused, cause, "a request could not be served");
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"quell\"");
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of every [`Problem`], which needs the request's path.
pub(crate) async fn write_problems(request: Request, next: Next) -> Response {
    let instance = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let body = ProblemBody {
        r#type: format!("urn:quell:error:{}", problem.code),
        title: problem.title,
        status: problem.status.as_u16(),
        code: problem.code,
        detail: problem.detail,
        instance,
    };
    let mut written = (problem.status, Json(body)).into_response();
    written.headers_mut().extend(response.headers().clone());
    let problem_json = HeaderValue::from_static("application/problem+json");
    written.headers_mut().insert(CONTENT_TYPE, problem_json);
    written.headers_mut().remove(http::header::CONTENT_LENGTH);
    written
}

/// No such path.
pub(crate) async fn no_such_path() -> Problem {
    Problem::unknown("no_such_path", "there is nothing here; /api/openapi.json lists every path")
}

/// The path exists, the method does not.
pub(crate) async fn no_such_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        "Method not allowed",
        "this path does not answer this method; /api/openapi.json lists those it does",
    )
}
