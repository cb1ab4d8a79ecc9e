//! `/applications/{name}`: how it is treated, and what it spent.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use quell_domain::application::Application;
use quell_store::Versioned;

use crate::application::context::{ApplicationPage, periods, scopes, streams};
use crate::application::form::{Errors, Form};
use crate::application::spend::SpendView;
use crate::http::failure::{sentence, status};
use crate::http::{Failure, Posted, Signed, segment};
use crate::settings::handler::application as view;
use crate::shell::Section;

/// The page of an application.
pub(crate) fn href(name: &str) -> String {
    format!("/applications/{}", segment(name))
}

/// `GET /applications/{name}`
pub(crate) async fn show(by: Signed, Path(name): Path<String>) -> Result<Html<String>, Failure> {
    let stored = by.console.control.application(&by.access, &name).await?;
    let form = Form::of(&stored.value, stored.version);
    let content = content(&by, stored, form, Errors::new()).await?;
    by.page(Section::Settings, &content).await
}

/// `POST /applications/{name}`: stores what the form says, or gives it back with what is wrong.
pub(crate) async fn save(
    Path(name): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Response, Failure> {
    let stored = by.console.control.application(&by.access, &name).await?;
    let mut form = Form::read(&fields);
    let errors = match stored_over(&by, &stored, &form).await {
        Ok(()) => {
            let place = format!("{}?done=application", href(&name));
            return Ok(Redirect::to(&place).into_response());
        }
        Err(Wrong::Form(errors)) => errors,
        Err(Wrong::Failure(failure)) => return Err(failure),
    };
    form.offer_rows();
    let content = content(&by, stored, form, errors).await?;
    let html = by.page(Section::Settings, &content).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}

enum Wrong {
    Form(Errors),
    Failure(Failure),
}

async fn stored_over(
    by: &Signed,
    stored: &Versioned<Application>,
    form: &Form,
) -> Result<(), Wrong> {
    let at = |field: &str, text: String| Wrong::Form(Errors::from([(field.to_owned(), text)]));
    if form.version != stored.version.to_string() {
        return Err(at(
            "form",
            "Somebody changed this application meanwhile. What you typed stands below; open the \
             page anew to see the newest."
                .into(),
        ));
    }
    let changed = form.apply(&stored.value).map_err(Wrong::Form)?;
    match by.console.control.put_application(&by.access, changed, Some(stored.version)).await {
        Ok(_) => Ok(()),
        Err(refused) if matches!(status(&refused), 404 | 409 | 422) => {
            let field = match refused.code() {
                "application.tool_destinations" => "tool_destinations",
                "application.user_token" | "secret.reference" => "user_token_secret",
                "application.stream" => "window_chars",
                "application.spending" => "budgets",
                _ => "form",
            };
            Err(at(field, sentence(&refused)))
        }
        Err(refused) => Err(Wrong::Failure(refused.into())),
    }
}

async fn content(
    by: &Signed,
    stored: Versioned<Application>,
    form: Form,
    errors: Errors,
) -> Result<ApplicationPage, Failure> {
    let control = &by.console.control;
    let spend = control.spend(&by.access, &stored.value.name).await?;
    Ok(ApplicationPage {
        view: view(stored.value),
        form,
        errors,
        streams: streams(),
        scopes: scopes(),
        periods: periods(),
        spend: SpendView::new(&spend, control.now()),
        can_admin: by.viewer.can_admin,
    })
}
