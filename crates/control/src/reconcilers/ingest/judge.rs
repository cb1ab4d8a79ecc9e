//! How bad it is now, and what follows from that alone.

use quell_domain::{Actor, IncidentRecord, IncidentState};
use quell_triage::{Impact, IncidentEvent, lifecycle};
use serde_json::json;

use super::Ingest;
use super::group::{Grouped, Known, principals};
use crate::handle::Control;
use crate::incidents::change_data;
use crate::refused::Refused;
use crate::unit::Unit;

impl Control {
    /// Raises severity where the rules say so, declares what is bad enough, and notices when
    /// harm goes on after containment. True when severity rose.
    pub(super) async fn judge(
        &self,
        ingest: &mut Ingest,
        unit: &mut Unit<'_>,
        grouped: &mut Grouped,
        known: &Known,
        this: Impact,
    ) -> Result<bool, Refused> {
        let criticality = match unit.application(&grouped.incident.application).await? {
            Some(row) => row.value.criticality,
            None => quell_domain::Severity::Medium,
        };
        let incident = &mut grouped.incident;
        let impact = Impact { principals: principals(incident), ..known.impact };
        let verdict = self.severity_rules().judge(incident.kind, &impact, criticality);
        let actor = Actor::Rule(verdict.rule.clone());
        let mut raised = false;
        if grouped.opened {
            incident.severity = verdict.severity;
            incident.severity_rationale.clone_from(&verdict.rationale);
        } else if verdict.severity > incident.severity
            && known.ruled.is_none_or(|ruled| verdict.severity > ruled)
        {
            let from = incident.severity;
            *incident =
                lifecycle::set_severity(incident, verdict.severity, &verdict.rationale, &actor)?;
            let data = json!({"from": from, "to": verdict.severity, "reason": verdict.rationale});
            let now = unit.now();
            unit.event_by(Some(incident.id), "incident.severity_changed", actor.clone(), now, data);
            let payload = json!({
                "about": "incident.severity", "incident": incident.id, "number": incident.number,
                "severity": verdict.severity,
            });
            let key = format!("notify:severity:{}:{}", incident.id, verdict.severity);
            unit.notify(&key, &payload).await?;
            raised = true;
        }
        if let Some(known) = ingest.known.get_mut(&incident.id) {
            known.ruled = known.ruled.max(Some(verdict.severity));
        }
        let event = match incident.state {
            IncidentState::Triage if verdict.declare => Some(IncidentEvent::Declare),
            IncidentState::Contained if goes_on(incident, this) => {
                let reason = "it took effect again after it was contained".to_owned();
                Some(IncidentEvent::Relapse { reason })
            }
            _ => None,
        };
        if let Some(event) = event {
            let now = unit.now();
            let incident = &mut grouped.incident;
            *incident = lifecycle::apply(incident, &event, now)?;
            let data = change_data(&event, incident);
            let kind = format!("incident.{}", event.verb());
            unit.event_by(Some(incident.id), &kind, actor, now, data);
        }
        Ok(raised)
    }
}

/// Whether this record, by its own time, did harm after containment.
fn goes_on(incident: &IncidentRecord, this: Impact) -> bool {
    let after = incident
        .contained_at
        .is_some_and(|contained| incident.last_signal_at.is_some_and(|last| last > contained));
    this.took_effect && after
}
