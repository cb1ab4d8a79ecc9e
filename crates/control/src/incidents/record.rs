//! What a new incident looks like, whoever opens it.

use jiff::Timestamp;
use quell_domain::{
    AffectedPrincipals, IncidentId, IncidentKind, IncidentRecord, IncidentState, Severity,
};
use serde_json::{Value, json};

use crate::refused::Refused;
use crate::unit::Unit;

/// What is known when an incident is opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) application: String,
    pub(crate) kind: IncidentKind,
    pub(crate) severity: Severity,
    pub(crate) rationale: String,
    pub(crate) title: String,
    pub(crate) grouping_key: String,
    pub(crate) first_signal_at: Option<Timestamp>,
}

/// A record in triage, numbered, not stored yet.
pub(crate) async fn open(unit: &mut Unit<'_>, opening: Opening) -> Result<IncidentRecord, Refused> {
    let now = unit.now();
    let id = IncidentId::new(unit.ids().as_ref());
    let number = unit.next_incident_number().await?;
    Ok(IncidentRecord {
        id,
        number,
        application: opening.application,
        kind: opening.kind,
        severity: opening.severity,
        severity_rationale: opening.rationale,
        state: IncidentState::Triage,
        title: opening.title,
        summary: String::new(),
        reasons: Vec::new(),
        taxonomy: Vec::new(),
        grouping_key: opening.grouping_key,
        affected: AffectedPrincipals::default(),
        first_signal_at: opening.first_signal_at,
        last_signal_at: opening.first_signal_at,
        opened_at: now,
        declared_at: None,
        contained_at: None,
        closed_at: None,
        closing_reason: None,
        merged_into: None,
        signal_count: 0,
        version: 1,
    })
}

/// What an `incident.opened` event says.
pub(crate) fn opened_data(incident: &IncidentRecord) -> Value {
    json!({
        "number": incident.number,
        "application": incident.application,
        "kind": incident.kind,
        "severity": incident.severity,
        "rationale": incident.severity_rationale,
        "title": incident.title,
        "reasons": incident.reasons,
    })
}

/// Tells people, and preserves what is known: both happen because of the commit, not before it.
pub(crate) async fn after_opening(
    unit: &mut Unit<'_>,
    incident: &IncidentRecord,
) -> Result<(), Refused> {
    let id = incident.id;
    unit.notify(
        &format!("notify:opened:{id}"),
        &json!({
            "about": "incident.opened", "incident": id, "number": incident.number,
            "severity": incident.severity, "kind": incident.kind, "title": incident.title,
        }),
    )
    .await?;
    capture_later(unit, id, 0).await
}

/// Asks for a capture of evidence. `round` tells later captures of one incident apart.
pub(crate) async fn capture_later(
    unit: &mut Unit<'_>,
    id: IncidentId,
    round: i64,
) -> Result<(), Refused> {
    let payload = json!({"job": "evidence.capture", "incident": id, "round": round});
    unit.job(&format!("job:capture:{id}:{round}"), &payload).await
}
