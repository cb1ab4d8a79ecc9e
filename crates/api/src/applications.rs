//! The inventory: applications and the upstreams that serve them.

use crate::records::Versioned;
use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_domain::application::{Application, Upstream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, Result};

/// Something stored, and the version to give back when changing it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stored<T> {
    /// Rises with every change.
    version: i64,
    /// When it was last changed.
    updated_at: Timestamp,
    /// The thing itself.
    value: T,
}

impl<T> From<Versioned<T>> for Stored<T> {
    fn from(row: Versioned<T>) -> Self {
        Self { version: row.version, updated_at: row.updated_at, value: row.value }
    }
}

/// Something to be stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToStore<T> {
    /// The version it replaces; absent to make a new one.
    #[serde(default)]
    version: Option<i64>,
    /// The thing itself.
    value: T,
}

/// The version now stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewVersion {
    /// To be given back on the next change.
    version: i64,
}

/// Lists every application, by name.
#[utoipa::path(
    get, path = "/api/v1/applications", tag = "inventory",
    responses((status = 200, body = [Stored<Application>]))
)]
pub(crate) async fn list_applications(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<Stored<Application>>>> {
    let rows = control.applications(&access).await?;
    Ok(Reply(rows.into_iter().map(Stored::from).collect()))
}

/// Shows one application.
#[utoipa::path(
    get, path = "/api/v1/applications/{name}", tag = "inventory",
    params(("name", description = "The application's name")),
    responses((status = 200, body = Stored<Application>))
)]
pub(crate) async fn show_application(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<Reply<Stored<Application>>> {
    Ok(Reply(control.application(&access, &name).await?.into()))
}

/// Stores an application: as new without `version`, else over that version. Gateways have it
/// within seconds.
#[utoipa::path(
    put, path = "/api/v1/applications/{name}", tag = "inventory",
    request_body = ToStore<Application>,
    params(("name", description = "The application's name")),
    responses((status = 200, body = NewVersion))
)]
pub(crate) async fn put_application(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Json(to_store): Json<ToStore<Application>>,
) -> Result<Reply<NewVersion>> {
    same_name(&name, &to_store.value.name)?;
    let version = control.put_application(&access, to_store.value, to_store.version).await?;
    Ok(Reply(NewVersion { version }))
}

/// Removes an application that has no measure in force.
#[utoipa::path(
    delete, path = "/api/v1/applications/{name}", tag = "inventory",
    params(("name", description = "The application's name")),
    responses((status = 204))
)]
pub(crate) async fn delete_application(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    control.delete_application(&access, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists every upstream, by name.
#[utoipa::path(
    get, path = "/api/v1/upstreams", tag = "inventory",
    responses((status = 200, body = [Stored<Upstream>]))
)]
pub(crate) async fn list_upstreams(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<Stored<Upstream>>>> {
    let rows = control.upstreams(&access).await?;
    Ok(Reply(rows.into_iter().map(Stored::from).collect()))
}

/// Stores an upstream: as new without `version`, else over that version.
#[utoipa::path(
    put, path = "/api/v1/upstreams/{name}", tag = "inventory", request_body = ToStore<Upstream>,
    params(("name", description = "The upstream's name")),
    responses((status = 200, body = NewVersion))
)]
pub(crate) async fn put_upstream(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Json(to_store): Json<ToStore<Upstream>>,
) -> Result<Reply<NewVersion>> {
    same_name(&name, &to_store.value.name)?;
    let version = control.put_upstream(&access, to_store.value, to_store.version).await?;
    Ok(Reply(NewVersion { version }))
}

/// Removes an upstream that no application uses.
#[utoipa::path(
    delete, path = "/api/v1/upstreams/{name}", tag = "inventory",
    params(("name", description = "The upstream's name")),
    responses((status = 204))
)]
pub(crate) async fn delete_upstream(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    control.delete_upstream(&access, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn same_name(path: &str, body: &str) -> Result<()> {
    if path == body {
        return Ok(());
    }
    Err(Problem::invalid("name_differs", format!("the path says {path:?}, the body {body:?}")))
}
