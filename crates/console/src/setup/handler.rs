//! `/setup/{token}`: the one-time link that makes the first admin.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::Console;
use crate::http::Failure;
use crate::http::failure::{sentence, status};
use crate::http::fields::Knocked;
use crate::setup::context::Setup;
use crate::sign_in::handler::{door, enter};

/// `GET /setup/{token}`
pub(crate) async fn show(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if !console.control.setup_token_works(&token).await? {
        return Err(used());
    }
    let content = Setup { action: action(&token), name: String::new(), error: None };
    door(&console, &headers, &content).await
}

/// `POST /setup/{token}`
pub(crate) async fn create(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Knocked(fields): Knocked,
) -> Result<Response, Failure> {
    if !console.control.setup_token_works(&token).await? {
        return Err(used());
    }
    let name = fields.get("name");
    match console.control.set_up(&token, name, fields.exact("password")).await {
        Ok(session) => Ok(enter(&console, &session, "/")),
        Err(refused) if status(&refused) == 422 => {
            let content = Setup {
                action: action(&token),
                name: name.into(),
                error: Some(sentence(&refused)),
            };
            door(&console, &headers, &content).await
        }
        Err(refused) => Err(refused.into()),
    }
}

fn action(token: &str) -> String {
    format!("/setup/{token}")
}

fn used() -> Failure {
    Failure::not_found(
        "This setup link is unknown, used or too old. If nobody has set Quell up yet, restart it: \
         it prints a new link. Otherwise sign in.",
    )
}
