//! Measures: proposed, approved, applied, lifted.

mod apply;
mod approve;
mod lift;
mod view;

pub use apply::NewMeasure;
pub(crate) use apply::{after, propose, request};
pub use approve::ApprovalReceipt;

use quell_domain::{Actor, IncidentState, Measure, MeasureId};
use quell_response::{MeasureEvent, measure};
use quell_store::Read;
use quell_triage::{IncidentEvent, lifecycle};
use serde::Serialize;
use serde_json::{Value, json};

use crate::incidents;
use crate::refused::Refused;
use crate::unit::Unit;

/// What a command on a measure gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeasureReceipt {
    /// The measure now.
    pub measure: Measure,
    /// Global sequence of the timeline event that says so.
    pub sequence: Option<i64>,
    /// The epoch that carries it to gateways, if it changed what they run on.
    pub epoch: Option<u64>,
}

pub(crate) async fn load(read: &mut Read, id: MeasureId) -> Result<Measure, Refused> {
    read.measure(id).await?.ok_or_else(|| Refused::not_found("measure", id))
}

/// What the timeline says about a measure.
pub(crate) fn data(measure: &Measure) -> Value {
    let mut data = json!({
        "measure": measure.id,
        "application": measure.application,
        "level": measure.effect.level(),
        "effect": measure.effect.name(),
        "target": target_data(measure),
        "state": measure.state,
        "reason": measure.reason,
        "epoch": measure.epoch,
    });
    if let Some(detail) = &measure.detail {
        data["detail"] = json!(detail);
    }
    if let Some(approval) = measure.approval {
        data["approval"] = json!(approval);
    }
    if let Some(end) = measure.expires_at {
        data["expires_at"] = json!(end);
    }
    data
}

/// The target without the text of a pattern: that may be a piece of a prompt.
fn target_data(measure: &Measure) -> Value {
    use quell_domain::measure::Target;
    match &measure.target {
        Target::Pattern { pattern } => json!({
            "type": "pattern",
            "regex": pattern.regex,
            "sha256": quell_domain::canonical::sha256_hex(pattern.text.as_bytes()),
            "directions": pattern.directions,
        }),
        other => json!(other),
    }
}

/// Applies `event`, stores the measure and adds its timeline event by `actor`.
pub(crate) async fn advance(
    unit: &mut Unit<'_>,
    measure: &Measure,
    event: &MeasureEvent,
    actor: &Actor,
) -> Result<Measure, Refused> {
    let now = unit.now();
    let mut next = measure::apply(measure, event, now)?;
    unit.update_measure(&mut next).await?;
    let kind = format!("measure.{}", event.verb());
    unit.event_by(next.incident, &kind, actor.clone(), now, data(&next));
    Ok(next)
}

/// An incident whose every measure in force is verified is contained; one that somebody contains
/// is declared by that.
pub(crate) async fn note_containment(
    unit: &mut Unit<'_>,
    measure: &Measure,
) -> Result<(), Refused> {
    let Some(id) = measure.incident else { return Ok(()) };
    let all = unit.current_measures().await?;
    let mut of_incident = all.iter().filter(|m| m.incident == Some(id) && m.state.in_force());
    if !of_incident.all(|m| m.state == quell_domain::MeasureState::Verified) {
        return Ok(());
    }
    let mut incident = incidents::load(unit, id).await?;
    let steps: &[IncidentEvent] = match incident.state {
        IncidentState::Triage => &[IncidentEvent::Declare, IncidentEvent::Contain],
        IncidentState::Active => &[IncidentEvent::Contain],
        _ => return Ok(()),
    };
    let now = unit.now();
    for step in steps {
        incident = lifecycle::apply(&incident, step, now)?;
        let kind = format!("incident.{}", step.verb());
        let data = json!({"state": incident.state, "measure": measure.id});
        unit.event_by(Some(id), &kind, Actor::System, now, data);
    }
    unit.update_incident(&mut incident).await?;
    incidents::record::capture_later(unit, id, incident.version).await?;
    let payload = json!({"about": "incident.contained", "incident": id, "number": incident.number});
    unit.notify(&format!("notify:contained:{id}:{}", incident.version), &payload).await
}
