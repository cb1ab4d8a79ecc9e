//! Where each page lives.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Router, middleware};
use quell_control::Control;
use quell_control::models::MODEL_BYTES_MAX;
use quell_domain::id::SharedIds;
use tokio::sync::Semaphore;

use crate::http::{Failure, events, failure, headers};
use crate::{
    application, assets, baselines, containment, detections, incident, incidents, interaction,
    interactions, models, overview, people, rule, settings, setup, sign_in, signal,
};

/// Largest form.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What every handler holds.
#[derive(Debug, Clone)]
pub struct Console {
    pub(crate) control: Control,
    pub(crate) ids: SharedIds,
    pub(crate) secure: bool,
    pub(crate) streams: Arc<Semaphore>,
}

impl Console {
    /// A console over `control`. `secure` marks cookies for HTTPS only: right wherever the console
    /// is reached through TLS.
    pub fn new(control: Control, ids: SharedIds, secure: bool) -> Self {
        let streams = Arc::new(Semaphore::new(events::STREAMS_MAX));
        Self { control, ids, secure, streams }
    }
}

/// The pages at `/`, their assets under `/assets/`, live updates at `/events`.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/", get(overview::handler::show))
        .route("/setup/{token}", get(setup::handler::show).post(setup::handler::create))
        .route("/sign-in", get(sign_in::handler::show).post(sign_in::handler::sign_in))
        .route("/sign-out", post(sign_in::handler::sign_out))
        .route("/theme", post(sign_in::handler::theme))
        .merge(of_incidents())
        .route("/containment", get(containment::handler::show).post(containment::handler::apply))
        .route("/containment/review", post(containment::handler::review))
        .route("/measures/{id}/apply", post(containment::handler::apply_proposed))
        .route(
            "/measures/{id}/{what}",
            get(containment::handler::ask).post(containment::handler::decide),
        )
        .route("/interactions", get(interactions::handler::list))
        .route(
            "/interactions/{id}",
            get(interaction::handler::show).post(interaction::handler::reveal),
        )
        .route("/detections", get(detections::handler::list))
        .route("/detections/mode", get(detections::handler::ask).post(detections::handler::change))
        .route("/detections/try", get(detections::proposed::show).post(detections::proposed::run))
        .route("/rules/{id}", get(rule::handler::show))
        .route("/rules/{id}/backtest", post(rule::backtest::run))
        .merge(of_models())
        .route("/signals/{id}", get(signal::handler::show).post(signal::handler::reveal))
        .route("/signals/{id}/label", post(signal::handler::label))
        .route("/signals/{id}/unlabel", post(signal::handler::unlabel))
        .route("/baselines", get(baselines::handler::list))
        .route("/baselines/{application}", get(baselines::handler::show))
        .route("/baselines/{application}/budget", post(baselines::handler::budget))
        .route("/people", get(people::handler::list).post(people::handler::create))
        .route("/people/{id}", post(people::handler::change))
        .route("/settings", get(settings::handler::show))
        .route("/settings/keys", post(settings::handler::create_key))
        .route("/settings/keys/{id}/revoke", post(settings::handler::revoke_key))
        .route(
            "/applications/{name}",
            get(application::handler::show).post(application::handler::save),
        )
        .route("/events", get(events::stream))
        .route("/assets/{name}", get(asset))
        .fallback(async || Failure::not_found("No page has this address."))
        .method_not_allowed_fallback(async || Failure::new(405, ""))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(console.clone(), failure::frame))
        .layer(middleware::from_fn(headers::secure))
        .with_state(console)
}

fn of_incidents() -> Router<Console> {
    use incident::{evidence, handler};
    Router::new()
        .route("/incidents", get(incidents::handler::list).post(handler::create))
        .route("/incidents/declare", get(handler::declare))
        .route("/incidents/{name}", get(handler::show))
        .route("/incidents/{name}/note", post(handler::note))
        .route("/incidents/{name}/roles", post(handler::roles))
        .route("/incidents/{name}/severity", post(handler::severity))
        .route("/incidents/{name}/state", post(handler::state))
        .route("/incidents/{name}/evidence/verify", post(evidence::verify))
        .route("/incidents/{name}/evidence/capture", post(evidence::capture))
        .route("/incidents/{name}/evidence/export", get(evidence::ask).post(evidence::export))
}

fn of_models() -> Router<Console> {
    use models::handler;
    let upload = DefaultBodyLimit::max(MODEL_BYTES_MAX + FORM_BYTES_MAX);
    Router::new()
        .route("/models", get(handler::list).post(handler::propose).layer(upload))
        .route("/models/rollback", get(handler::ask_back).post(handler::roll_back))
        .route("/models/{sha256}/{what}", get(handler::ask).post(handler::change))
}

async fn asset(Path(name): Path<String>) -> Result<impl IntoResponse, Failure> {
    let asset =
        assets::find(&name).ok_or_else(|| Failure::not_found("No such file belongs to Quell."))?;
    let headers = [
        (header::CONTENT_TYPE, asset.media),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.body))
}
