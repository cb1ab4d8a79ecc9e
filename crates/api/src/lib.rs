//! The JSON API of the control plane: `/api/v1`, described at `/api/openapi.json`.
//!
//! Every operation is one short function over one control command, and stands once in the table
//! below together with what it needs of its caller; the guard and the OpenAPI document come from
//! that table. Errors are problem+json with stable codes. Bodies are strict: an unknown field is
//! refused by name.

#![expect(unused_qualifications, reason = "what utoipa's macros write is qualified twice")]

mod access;
mod accounts;
mod applications;
mod approvals;
mod baselines;
mod casework;
mod events;
mod evidence;
mod extract;
mod feedback;
mod incidents;
mod interactions;
mod keys;
mod measures;
mod models;
mod nodes;
mod overview;
mod paging;
mod problem;
mod records;
mod rule_changes;
mod rules;
mod session;
mod signals;
mod spend;
mod table;
mod tokens;

pub use access::{CSRF_HEADER, SESSION_COOKIE};

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Json, Router};
use quell_control::Control;
use quell_domain::AccessRole::{Admin, Approver, Responder, Viewer};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Need;
use crate::problem::{ProblemBody, no_such_method, no_such_path, write_problems};
use crate::table::Table;

/// The largest request body, bytes.
pub const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// Every path under `/api`.
pub fn router(control: Control) -> Router {
    let (router, document) = operations(control.clone()).split_for_parts();
    router
        .route("/api/openapi.json", get(async move || Json(document)))
        .route("/api/{*rest}", axum::routing::any(no_such_path))
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(write_problems))
        .with_state(control)
}

fn operations(control: Control) -> OpenApiRouter<Control> {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let cookie = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    Table::new(control, OpenApiRouter::with_openapi(document))
        .add(
            Need::Anyone,
            [
                routes!(health),
                routes!(session::show_setup),
                routes!(session::set_up),
                routes!(session::sign_in),
            ],
        )
        .add(
            Need::Node,
            [routes!(nodes::fetch_snapshot), routes!(nodes::report), routes!(models::fetch_model)],
        )
        .add(
            Need::Role(Viewer),
            [
                routes!(session::show_me),
                routes!(session::sign_out),
                routes!(session::change_password),
                routes!(accounts::list_accounts),
                routes!(applications::list_applications),
                routes!(applications::show_application),
                routes!(spend::show_spend),
                routes!(applications::list_upstreams),
                routes!(keys::list_keys),
                routes!(overview::show_overview),
                routes!(incidents::list_incidents),
                routes!(incidents::show_incident),
                routes!(casework::list_roles),
                routes!(casework::list_timeline),
                routes!(baselines::list_baselines),
                routes!(baselines::show_baseline),
                routes!(signals::list_signals),
                routes!(signals::show_signal),
                routes!(feedback::list_labels),
                routes!(models::list_models),
                routes!(feedback::list_rule_figures),
                routes!(interactions::list_interactions),
                routes!(interactions::show_interaction),
                routes!(interactions::list_incident_interactions),
                routes!(evidence::list_evidence),
                routes!(measures::list_measures),
                routes!(measures::show_measure),
                routes!(approvals::list_approvals),
                routes!(events::stream_events),
                routes!(rules::list_rules),
                routes!(rules::get_rule),
                routes!(rules::list_filters),
                routes!(rules::list_content),
                routes!(nodes::list_gateways),
            ],
        )
        .add(
            Need::Role(Responder),
            [
                routes!(incidents::declare_incident),
                routes!(incidents::change_incident),
                routes!(incidents::set_severity),
                routes!(incidents::set_kind),
                routes!(casework::assume_role),
                routes!(casework::renounce_role),
                routes!(casework::add_note),
                routes!(interactions::search_interactions),
                routes!(interactions::read_interaction),
                routes!(signals::label_signal),
                routes!(signals::unlabel_signal),
                routes!(feedback::export_feedback),
                routes!(rule_changes::backtest_rules),
                routes!(evidence::read_evidence),
                routes!(evidence::capture_evidence),
                routes!(evidence::export_evidence),
                routes!(measures::create_measure),
                routes!(measures::apply_proposed),
                routes!(measures::reject_measure),
                routes!(measures::lift_measure),
            ],
        )
        .add(
            Need::Role(Approver),
            [routes!(approvals::decide_approval), routes!(models::roll_back_model)],
        )
        .add(
            Need::Role(Admin),
            [
                routes!(accounts::create_account),
                routes!(accounts::change_account),
                routes!(tokens::list_tokens),
                routes!(tokens::create_token),
                routes!(tokens::revoke_token),
                routes!(applications::put_application),
                routes!(applications::delete_application),
                routes!(applications::put_upstream),
                routes!(applications::delete_upstream),
                routes!(keys::create_key),
                routes!(keys::revoke_key),
                routes!(rules::set_rule_mode),
                routes!(rule_changes::promote_rule),
                routes!(rule_changes::demote_rule),
                routes!(rules::reset_rule_mode),
                routes!(baselines::set_baseline_budget),
                routes!(models::propose_model),
                routes!(models::shadow_model),
                routes!(models::unshadow_model),
                routes!(models::request_release),
                routes!(rules::put_content),
                routes!(rules::delete_content),
                routes!(nodes::remove_gateway),
            ],
        )
        .finish()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Quell control API",
        description = "AI incident response: inventory, detection, incidents, containment, evidence.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody)),
    tags(
        (name = "incidents", description = "The cases and what belongs to them"),
        (name = "containment", description = "Measures and the approvals they rest on"),
        (name = "interactions", description = "What went through the gateways"),
        (name = "evidence", description = "What was preserved"),
        (name = "baselines", description = "What is normal, and what left it"),
        (name = "rules", description = "Detection rules and content"),
        (name = "feedback", description = "What people say about signals, and how rules fare by it"),
        (name = "models", description = "Classifier weights: brought, tried in shadow, released"),
        (name = "inventory", description = "Applications, upstreams, keys"),
        (name = "people", description = "Accounts, sessions, tokens"),
        (name = "gateways", description = "Gateways and what they fetch and report"),
    )
)]
struct Document;

/// Says whether the API and its database answer.
#[utoipa::path(get, path = "/api/v1/health", tag = "gateways", responses((status = 204)))]
async fn health(
    axum::extract::State(control): axum::extract::State<Control>,
) -> problem::Result<http::StatusCode> {
    control.ping().await?;
    Ok(http::StatusCode::NO_CONTENT)
}
