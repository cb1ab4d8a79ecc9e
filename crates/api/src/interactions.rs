//! Exchanges that went through the gateways. Metadata is for everybody; reading or searching text
//! needs a reason or leaves an event.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use quell_control::Control;
use quell_control::interactions::{InteractionFilter, InteractionText};
use quell_domain::interaction::Outcome;
use quell_domain::{IncidentId, Interaction, InteractionId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::incidents::identify;
use crate::measures::Reason;
use crate::paging::{LIMIT, Paged, page};
use crate::problem::Result;
use crate::records::IncidentInteraction;

/// Which exchanges.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichInteractions {
    /// Of this application.
    application: Option<String>,
    /// By this user.
    user: Option<String>,
    /// In this session.
    session: Option<String>,
    /// With this outcome.
    outcome: Option<Outcome>,
    /// In which this rule matched.
    rule: Option<String>,
    /// Only those with findings.
    #[serde(default)]
    flagged: bool,
    /// At or after.
    from: Option<Timestamp>,
    /// Before; for the next page, the `at` of the last item.
    to: Option<Timestamp>,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
}

/// Lists exchanges without their text, newest first. Looks at the newest records only, up to a
/// limit.
#[utoipa::path(
    get, path = "/api/v1/interactions", tag = "interactions", params(WhichInteractions),
    responses((status = 200, body = Vec<Object>))
)]
pub(crate) async fn list_interactions(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichInteractions>,
) -> Result<Response> {
    let WhichInteractions { application, user, session, outcome, rule, flagged, .. } = which;
    let limit = which.limit.unwrap_or(LIMIT) as usize;
    let (from, to, text) = (which.from, which.to, None);
    let filter = InteractionFilter {
        application,
        user,
        session,
        outcome,
        rule,
        flagged,
        text,
        from,
        to,
        limit,
    };
    Ok(Reply(control.interactions(&access, filter).await?).into_response())
}

/// A search in text. In a body, so that the text stands in no log of addresses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// The text to find, whatever the case.
    text: String,
    /// In this application.
    #[serde(default)]
    application: Option<String>,
    /// At or after.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Before; for the next page, the `at` of the last item.
    #[serde(default)]
    to: Option<Timestamp>,
    /// At most so many, 1 to 500.
    #[serde(default)]
    limit: Option<u32>,
}

/// Searches the text of exchanges, newest first. That it was searched is an event.
#[utoipa::path(
    post, path = "/api/v1/interactions/search", tag = "interactions", request_body = Search,
    responses((status = 200, body = Vec<Object>))
)]
pub(crate) async fn search_interactions(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(search): Json<Search>,
) -> Result<Response> {
    let filter = InteractionFilter {
        application: search.application,
        text: Some(search.text),
        from: search.from,
        to: search.to,
        limit: search.limit.unwrap_or(LIMIT) as usize,
        ..InteractionFilter::default()
    };
    Ok(Reply(control.interactions(&access, filter).await?).into_response())
}

/// Shows one exchange without its text.
#[utoipa::path(
    get, path = "/api/v1/interactions/{interaction}", tag = "interactions",
    params(("interaction" = InteractionId, Path, description = "Its id")),
    responses((status = 200, body = Object))
)]
pub(crate) async fn show_interaction(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<InteractionId>,
) -> Result<Response> {
    Ok(Reply(control.interaction(&access, id).await?).into_response())
}

/// An exchange with everything recorded about it.
#[derive(Serialize, ToSchema)]
pub(crate) struct InteractionRead {
    /// The record.
    interaction: Interaction,
    /// The incidents it belongs to.
    incidents: Vec<IncidentId>,
    /// Global sequence of the event that says it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
}

impl From<InteractionText> for InteractionRead {
    fn from(text: InteractionText) -> Self {
        let InteractionText { interaction, incidents, sequence, .. } = text;
        Self { interaction, incidents, sequence }
    }
}

/// Shows one exchange with its text, for a reason. That it was read is an event, stored first.
#[utoipa::path(
    post, path = "/api/v1/interactions/{interaction}/text", tag = "interactions",
    request_body = Reason,
    params(("interaction" = InteractionId, Path, description = "Its id")),
    responses((status = 200, body = InteractionRead))
)]
pub(crate) async fn read_interaction(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<InteractionId>,
    Json(given): Json<Reason>,
) -> Result<Reply<InteractionRead>> {
    Ok(Reply(control.read_interaction(&access, id, &given.reason).await?.into()))
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// At most so many, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists the exchanges of an incident, oldest first, with why each belongs to it.
#[utoipa::path(
    get, path = "/api/v1/incidents/{incident}/interactions", tag = "incidents",
    params(("incident", description = "Its id or number"), Part),
    responses((status = 200, body = Paged<IncidentInteraction>))
)]
pub(crate) async fn list_incident_interactions(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Query(part): Query<Part>,
) -> Result<Reply<Paged<IncidentInteraction>>> {
    let id = identify(&control, &access, &name).await?;
    let page = page(part.limit, part.cursor);
    Ok(Reply(control.incident_interactions(&access, id, &page).await?.into()))
}
