//! Exchanges that went through the gateways. Metadata is for everybody; reading or searching text
//! needs a reason or leaves an event.

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use quell_control::interactions::{InteractionFilter, InteractionSummary, InteractionText};
use quell_control::{Access, Control};
use quell_domain::interaction::{Cut, Endpoint, Outcome};
use quell_domain::{IncidentId, Interaction, InteractionId, Principal, Severity};
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

/// An exchange without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InteractionSummary)]
pub(crate) struct Summary {
    /// Identity.
    id: InteractionId,
    /// The gateway whose log holds it.
    gateway: String,
    /// Its number in that log.
    sequence: u64,
    /// When it began.
    at: Timestamp,
    /// The application.
    application: String,
    /// The surface.
    endpoint: Endpoint,
    /// Whether it was a stream.
    stream: bool,
    /// Who.
    principal: Principal,
    /// The model asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// HTTP status.
    status: u16,
    /// What became of it.
    outcome: Outcome,
    /// The stream's end, if it was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Cut>,
    /// Rules that matched, by title.
    findings: Vec<String>,
    /// The worst of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// Characters of request text.
    request_chars: u64,
    /// Characters of response text.
    response_chars: u64,
}

impl From<InteractionSummary> for Summary {
    fn from(from: InteractionSummary) -> Self {
        Self {
            id: from.id,
            gateway: from.gateway,
            sequence: from.sequence,
            at: from.at,
            application: from.application,
            endpoint: from.endpoint,
            stream: from.stream,
            principal: from.principal,
            model: from.model,
            status: from.status,
            outcome: from.outcome,
            cut: from.cut,
            findings: from.findings,
            severity: from.severity,
            request_chars: from.request_chars,
            response_chars: from.response_chars,
        }
    }
}

async fn found(
    control: &Control,
    access: &Access,
    filter: InteractionFilter,
) -> Result<Reply<Vec<Summary>>> {
    let found = control.interactions(access, filter).await?;
    Ok(Reply(found.into_iter().map(Summary::from).collect()))
}

/// Lists exchanges without their text, newest first. Looks at the newest records only, up to a
/// limit.
#[utoipa::path(
    get, path = "/api/v1/interactions", tag = "interactions", params(WhichInteractions),
    responses((status = 200, body = [Summary]))
)]
pub(crate) async fn list_interactions(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichInteractions>,
) -> Result<Reply<Vec<Summary>>> {
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
    found(&control, &access, filter).await
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
    responses((status = 200, body = [Summary]))
)]
pub(crate) async fn search_interactions(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(search): Json<Search>,
) -> Result<Reply<Vec<Summary>>> {
    let filter = InteractionFilter {
        application: search.application,
        text: Some(search.text),
        from: search.from,
        to: search.to,
        limit: search.limit.unwrap_or(LIMIT) as usize,
        ..InteractionFilter::default()
    };
    found(&control, &access, filter).await
}

/// Shows one exchange without its text.
#[utoipa::path(
    get, path = "/api/v1/interactions/{interaction}", tag = "interactions",
    params(("interaction" = InteractionId, Path, description = "Its id")),
    responses((status = 200, body = Summary))
)]
pub(crate) async fn show_interaction(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<InteractionId>,
) -> Result<Reply<Summary>> {
    Ok(Reply(control.interaction(&access, id).await?.into()))
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
