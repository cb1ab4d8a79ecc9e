//! A person declares an incident that no rule saw.

use quell_domain::{AccessRole, IncidentKind, Severity};
use quell_triage::{IncidentEvent, lifecycle};
use serde_json::json;

use super::{IncidentReceipt, record, text_of};
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// What a person knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The application.
    pub application: String,
    /// What sort.
    pub kind: IncidentKind,
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What happened.
    pub summary: String,
}

impl Control {
    /// Opens an incident and declares it.
    pub async fn declare_incident(
        &self,
        access: &Access,
        declaration: Declaration,
    ) -> Result<IncidentReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let title = text_of("a title", &declaration.title)?;
        let mut unit = self.unit(&access.actor).await?;
        if unit.application(&declaration.application).await?.is_none() {
            return Err(Refused::not_found("application", &declaration.application));
        }
        let opening = record::Opening {
            grouping_key: format!("{}/{}/declared", declaration.application, declaration.kind),
            application: declaration.application,
            kind: declaration.kind,
            severity: declaration.severity,
            rationale: format!("Set by {} on declaration.", access.actor),
            title: title.chars().take(200).collect(),
            first_signal_at: None,
        };
        let now = unit.now();
        let mut incident = record::open(&mut unit, opening).await?;
        incident.summary = declaration.summary.chars().take(super::TEXT_CHARS_MAX).collect();
        let incident = lifecycle::apply(&incident, &IncidentEvent::Declare, now)?;
        unit.insert_incident(&incident).await?;
        unit.event(Some(incident.id), "incident.opened", record::opened_data(&incident));
        unit.event(Some(incident.id), "incident.declared", json!({"state": incident.state}));
        record::after_opening(&mut unit, &incident).await?;
        let committed = unit.commit().await?;
        Ok(IncidentReceipt { incident, sequence: committed.sequence, at: now })
    }
}
