//! Moves an incident through its states.

use quell_domain::{AccessRole, IncidentId, IncidentRecord};
use quell_triage::{IncidentEvent, lifecycle};
use serde_json::{Value, json};

use super::{IncidentReceipt, load};
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;
use crate::unit::Unit;

impl Control {
    /// Applies `event` to an incident.
    pub async fn change_incident(
        &self,
        access: &Access,
        id: IncidentId,
        event: IncidentEvent,
    ) -> Result<IncidentReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let mut unit = self.unit(&access.actor).await?;
        let incident = load(&mut unit, id).await?;
        let now = unit.now();
        let mut next = lifecycle::apply(&incident, &event, now)?;
        if let IncidentEvent::Merge { into } = &event {
            merge(&mut unit, &incident, *into).await?;
        }
        unit.update_incident(&mut next).await?;
        if matches!(event, IncidentEvent::Contain | IncidentEvent::Eradicate) {
            // Before anything is removed, what led here is preserved.
            super::record::capture_later(&mut unit, id, next.version).await?;
        }
        unit.event(Some(id), &format!("incident.{}", event.verb()), data(&event, &next));
        crate::feedback::of_incident(&mut unit, access, id, &event).await?;
        let committed = unit.commit().await?;
        Ok(IncidentReceipt { incident: next, sequence: committed.sequence, at: now })
    }
}

/// What the timeline says about `event`.
pub(crate) fn data(event: &IncidentEvent, next: &IncidentRecord) -> Value {
    let mut data = json!({"state": next.state});
    if let Some(reason) = event.reason() {
        data["reason"] = json!(reason);
    }
    if let IncidentEvent::Merge { into } = event {
        data["into"] = json!(into);
    }
    data
}

/// Everything of `from` continues in `into`.
async fn merge(
    unit: &mut Unit<'_>,
    from: &IncidentRecord,
    into: IncidentId,
) -> Result<(), Refused> {
    let mut target = load(unit, into).await?;
    if !target.state.is_open() {
        return Err(Refused::state("incident.over", "the other incident is over; reopen it first"));
    }
    if target.application != from.application {
        let message = "incidents of different applications cannot be merged";
        return Err(Refused::state("incident.application", message));
    }
    unit.move_signals(from.id, into).await?;
    let linked = quell_store::PageRequest::first(500);
    let mut page = unit.incident_interactions(from.id, &linked).await?;
    loop {
        for link in &page.items {
            let moved = quell_store::IncidentInteraction { incident: into, ..link.clone() };
            unit.link_interaction(&moved).await?;
        }
        let Some(cursor) = page.next.take() else { break };
        let next = quell_store::PageRequest { limit: 500, cursor: Some(cursor) };
        page = unit.incident_interactions(from.id, &next).await?;
    }
    target.signal_count = unit.signal_count(into).await?;
    target.severity = target.severity.max(from.severity);
    target.first_signal_at = earliest(target.first_signal_at, from.first_signal_at);
    target.last_signal_at = target.last_signal_at.max(from.last_signal_at);
    let affected = &mut target.affected;
    for (mine, theirs) in [
        (&mut affected.users, &from.affected.users),
        (&mut affected.sessions, &from.affected.sessions),
        (&mut affected.addresses, &from.affected.addresses),
        (&mut affected.keys, &from.affected.keys),
    ] {
        mine.extend(theirs.iter().cloned());
        affected.cut |= from.affected.cut;
        while mine.len() > quell_domain::AffectedPrincipals::LIMIT {
            mine.pop_last();
            affected.cut = true;
        }
    }
    unit.update_incident(&mut target).await?;
    unit.event(Some(into), "incident.absorbed", json!({"from": from.id, "number": from.number}));
    Ok(())
}

fn earliest(a: Option<jiff::Timestamp>, b: Option<jiff::Timestamp>) -> Option<jiff::Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
