//! `/incidents/{number}` and what people do there.

use axum::extract::{Path, Query};
use axum::response::{Html, Redirect};
use quell_control::incidents::Declaration;
use quell_domain::{IncidentId, IncidentKind, IncidentState, Severity};
use quell_triage::IncidentEvent;
use serde::Deserialize;

use crate::http::failure::{sentence, status};
use crate::http::{Failure, Posted, Signed};
use crate::incident::context::{Declare, IncidentPage};
use crate::incident::fill;
use crate::incidents::context::Choices;
use crate::shell::Section;

/// How much of the timeline a page shows.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    #[serde(default)]
    timeline: String,
}

/// `GET /incidents/{number}`
pub(crate) async fn show(
    by: Signed,
    Path(name): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Html<String>, Failure> {
    let content: IncidentPage = fill::page(&by, &name, shown.timeline == "all").await?;
    by.page(Section::Incidents, &content).await
}

/// `GET /incidents/declare`
pub(crate) async fn declare(by: Signed) -> Result<Html<String>, Failure> {
    let form = declaration_form(&by, None, "", "").await?;
    by.page(Section::Incidents, &form).await
}

/// `POST /incidents`
pub(crate) async fn create(
    Posted { by, fields }: Posted,
) -> Result<Result<Redirect, Html<String>>, Failure> {
    let (title, summary) = (fields.get("title"), fields.get("reason"));
    let declaration = Declaration {
        application: fields.get("application").into(),
        kind: fields
            .some("kind")
            .map_or(Ok(IncidentKind::Unclassified), |_| fields.parse("kind"))?,
        severity: fields.parse::<Severity>("severity")?,
        title: title.into(),
        summary: summary.into(),
    };
    match by.console.control.declare_incident(&by.access, declaration).await {
        Ok(receipt) => Ok(Ok(back(&receipt.incident.number, "declared"))),
        Err(refused) if status(&refused) == 422 => {
            let form = declaration_form(&by, Some(sentence(&refused)), title, summary).await?;
            Ok(Err(by.page(Section::Incidents, &form).await?))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn declaration_form(
    by: &Signed,
    error: Option<String>,
    title: &str,
    reason: &str,
) -> Result<Declare, Failure> {
    let applications = by.console.control.applications(&by.access).await?;
    let names: Vec<String> = applications.into_iter().map(|row| row.value.name).collect();
    let choices = Choices::new(&names);
    Ok(Declare {
        applications: choices.applications,
        kinds: choices.kinds,
        severities: choices.severities,
        error,
        title: title.into(),
        reason: reason.into(),
    })
}

/// `POST /incidents/{number}/note`
pub(crate) async fn note(
    Path(name): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let (id, number) = find(&by, &name).await?;
    by.console.control.add_note(&by.access, id, fields.get("text"), None).await?;
    Ok(back(&number, "noted"))
}

/// `POST /incidents/{number}/roles`
pub(crate) async fn roles(
    Path(name): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let (id, number) = find(&by, &name).await?;
    let (control, role, me) = (&by.console.control, fields.get("role"), &by.viewer.name);
    if fields.get("do") == "renounce" {
        control.renounce_role(&by.access, id, role, me).await?;
        return Ok(back(&number, "renounced"));
    }
    control.assume_role(&by.access, id, role, me).await?;
    Ok(back(&number, "assumed"))
}

/// `POST /incidents/{number}/severity`
pub(crate) async fn severity(
    Path(name): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let (id, number) = find(&by, &name).await?;
    let severity = fields.parse("severity")?;
    by.console.control.set_severity(&by.access, id, severity, fields.get("reason")).await?;
    Ok(back(&number, "severity"))
}

/// `POST /incidents/{number}/state`
pub(crate) async fn state(
    Path(name): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let (id, number) = find(&by, &name).await?;
    let reason = fields.get("reason").to_owned();
    let event = event(fields.get("to"), reason.clone())
        .ok_or_else(|| Failure::invalid("Choose the state to move to."))?;
    let silent = event.reason().is_none() && !reason.is_empty();
    by.console.control.change_incident(&by.access, id, event).await?;
    if silent {
        // The event has no place for a reason, so the reason becomes a note.
        by.console.control.add_note(&by.access, id, &reason, None).await?;
    }
    Ok(back(&number, "state"))
}

/// The event behind a verb.
fn event(verb: &str, reason: String) -> Option<IncidentEvent> {
    Some(match verb {
        "declared" => IncidentEvent::Declare,
        "dismissed" => IncidentEvent::Dismiss { reason },
        "contained" => IncidentEvent::Contain,
        "relapsed" => IncidentEvent::Relapse { reason },
        "eradicating" => IncidentEvent::Eradicate,
        "recovering" => IncidentEvent::Recover,
        "monitoring" => IncidentEvent::Monitor,
        "closed" => IncidentEvent::Close { reason },
        "reopened" => IncidentEvent::Reopen { reason },
        _ => return None,
    })
}

/// The incident called `name`, by id or number: its id and its number.
pub(crate) async fn find(by: &Signed, name: &str) -> Result<(IncidentId, String), Failure> {
    let view = by.console.control.incident(&by.access, name).await?;
    Ok((view.incident.id, view.incident.number))
}

/// Back to the incident, saying what was done.
pub(crate) fn back(number: &str, done: &str) -> Redirect {
    Redirect::to(&format!("/incidents/{number}?done={done}"))
}

/// What comes next for an incident in `state`: a verb of [`event`], the words and why.
pub(crate) const fn next_step(
    state: IncidentState,
) -> Option<(&'static str, &'static str, &'static str)> {
    match state {
        IncidentState::Triage => Some((
            "#status",
            "Decide whether this is an incident",
            "Nobody has declared it yet. Look at the reasons, then declare or dismiss it.",
        )),
        IncidentState::Active => Some((
            "#levels",
            "Contain it",
            "Nothing is in force for this incident. Choose the smallest level that stops the harm.",
        )),
        IncidentState::Contained => Some((
            "#status",
            "Remove the cause",
            "Harm has stopped. Move to eradicating when work on the cause begins.",
        )),
        IncidentState::Eradicating => Some((
            "#status",
            "Bring traffic back",
            "Move to recovering when the cause is gone, and lift measures step by step.",
        )),
        IncidentState::Recovering => Some((
            "#contain",
            "Lift what is no longer needed",
            "Move to monitoring when traffic is back to normal.",
        )),
        IncidentState::Monitoring => {
            Some(("#status", "Watch, then close", "Close it when it has stayed quiet long enough."))
        }
        IncidentState::Closed | IncidentState::FalsePositive | IncidentState::Merged => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::context::transitions;

    #[test]
    fn every_choice_offered_is_an_event() {
        for state in IncidentState::ALL {
            for choice in transitions(quell_triage::lifecycle::possible(state)) {
                let event = event(choice.to, "because".into()).expect("a known verb");
                assert_eq!(event.verb(), choice.to);
            }
        }
    }
}
