//! People set severity and kind, with a reason.

use quell_domain::{AccessRole, IncidentId, IncidentKind, Severity};
use quell_triage::lifecycle;
use serde_json::json;

use super::{IncidentReceipt, load, text_of};
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

impl Control {
    /// Sets an incident's severity.
    pub async fn set_severity(
        &self,
        access: &Access,
        id: IncidentId,
        severity: Severity,
        reason: &str,
    ) -> Result<IncidentReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let incident = load(&mut unit, id).await?;
        let mut next = lifecycle::set_severity(&incident, severity, &reason, &access.actor)?;
        unit.update_incident(&mut next).await?;
        let data = json!({"from": incident.severity, "to": severity, "reason": reason});
        unit.event(Some(id), "incident.severity_changed", data);
        let now = unit.now();
        let committed = unit.commit().await?;
        Ok(IncidentReceipt { incident: next, sequence: committed.sequence, at: now })
    }

    /// Sets what sort of incident it is.
    pub async fn reclassify(
        &self,
        access: &Access,
        id: IncidentId,
        kind: IncidentKind,
        reason: &str,
    ) -> Result<IncidentReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut incident = load(&mut unit, id).await?;
        let from = std::mem::replace(&mut incident.kind, kind);
        incident.reasons.insert(0, format!("Classified by {}: {reason}", access.actor));
        incident.reasons.truncate(quell_triage::classify::REASONS_MAX);
        unit.update_incident(&mut incident).await?;
        let data = json!({"from": from, "to": kind, "reason": reason});
        unit.event(Some(id), "incident.reclassified", data);
        let now = unit.now();
        let committed = unit.commit().await?;
        Ok(IncidentReceipt { incident, sequence: committed.sequence, at: now })
    }
}
