//! What people do on an incident: take roles, write notes, read its timeline.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use quell_control::Control;
use quell_control::incidents::RoleView;
use quell_domain::event::TimelineEvent;
use quell_domain::{EventId, NoteId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::incidents::identify;
use crate::problem::Result;
use crate::records::RoleAssignment;

/// An incident role and who holds or held it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoleHeld {
    /// Its name, e.g. `incident_commander`.
    role: String,
    /// What people call it.
    title: String,
    /// What it is for.
    purpose: String,
    /// Who holds or held it, in the order they assumed it.
    assignments: Vec<RoleAssignment>,
}

impl From<RoleView> for RoleHeld {
    fn from(view: RoleView) -> Self {
        let RoleView { role, assignments } = view;
        Self { role: role.id, title: role.title, purpose: role.purpose, assignments }
    }
}

/// Lists every incident role with who holds or held it.
#[utoipa::path(
    get, path = "/api/v1/incidents/{incident}/roles", tag = "incidents",
    params(("incident", description = "Its id or number")),
    responses((status = 200, body = Vec<RoleHeld>))
)]
pub(crate) async fn list_roles(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<Reply<Vec<RoleHeld>>> {
    let id = identify(&control, &access, &name).await?;
    let roles = control.incident_roles(&access, id).await?;
    Ok(Reply(roles.into_iter().map(RoleHeld::from).collect()))
}

/// Gives a person an incident role from now on.
#[utoipa::path(
    put, path = "/api/v1/incidents/{incident}/roles/{role}/{person}", tag = "incidents",
    params(
        ("incident", description = "Its id or number"),
        ("role", description = "E.g. incident_commander"),
        ("person", description = "The account's name"),
    ),
    responses((status = 204))
)]
pub(crate) async fn assume_role(
    State(control): State<Control>,
    Caller(access): Caller,
    Path((name, role, person)): Path<(String, String, String)>,
) -> Result<StatusCode> {
    let id = identify(&control, &access, &name).await?;
    control.assume_role(&access, id, &role, &person).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes an incident role back from a person.
#[utoipa::path(
    delete, path = "/api/v1/incidents/{incident}/roles/{role}/{person}", tag = "incidents",
    params(
        ("incident", description = "Its id or number"),
        ("role", description = "E.g. incident_commander"),
        ("person", description = "The account's name"),
    ),
    responses((status = 204))
)]
pub(crate) async fn renounce_role(
    State(control): State<Control>,
    Caller(access): Caller,
    Path((name, role, person)): Path<(String, String, String)>,
) -> Result<StatusCode> {
    let id = identify(&control, &access, &name).await?;
    control.renounce_role(&access, id, &role, &person).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNote {
    /// What to remember. No prompt or response text: refer to the interaction.
    text: String,
    /// The event it corrects.
    #[serde(default)]
    corrects: Option<EventId>,
}

/// A stored note.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoteAdded {
    /// Identity.
    id: NoteId,
    /// Global sequence of its timeline event.
    sequence: i64,
}

/// Writes a note into an incident's timeline.
#[utoipa::path(
    post, path = "/api/v1/incidents/{incident}/notes", tag = "incidents", request_body = NewNote,
    params(("incident", description = "Its id or number")),
    responses((status = 201, body = NoteAdded))
)]
pub(crate) async fn add_note(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Json(note): Json<NewNote>,
) -> Result<(StatusCode, Reply<NoteAdded>)> {
    let incident = identify(&control, &access, &name).await?;
    let added = control.add_note(&access, incident, &note.text, note.corrects).await?;
    let added = NoteAdded { id: added.id, sequence: added.sequence };
    Ok((StatusCode::CREATED, Reply(added)))
}

/// Where to continue.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// Events after this `sequence`.
    #[serde(default)]
    after: i64,
}

/// Lists an incident's timeline, oldest first, at most 1000 events at a time. Each event carries
/// the SHA-256 of its canonical bytes.
#[utoipa::path(
    get, path = "/api/v1/incidents/{incident}/timeline", tag = "incidents",
    params(("incident", description = "Its id or number"), After),
    responses((status = 200, body = Vec<TimelineEvent>))
)]
pub(crate) async fn list_timeline(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
    Query(After { after }): Query<After>,
) -> Result<Reply<Vec<TimelineEvent>>> {
    let id = identify(&control, &access, &name).await?;
    Ok(Reply(control.timeline(&access, id, after).await?))
}
