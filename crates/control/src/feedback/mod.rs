//! What people say about signals: labels given one by one or by the end of an incident, how rules
//! fare by them, and the labelled texts as rows to train on.

mod explain;
mod export;
mod fares;

pub use explain::Explained;
pub(crate) use export::rows_of;
pub use export::{ExportPage, FeedbackRow, Provenance, Skipped};
pub use fares::{HITS_BUCKET_SECONDS, RuleFares};

use quell_domain::feedback::{Label, LabelSource};
use quell_domain::{AccessRole, IncidentId};
use quell_store::{LabelFilter, Page, PageRequest, SignalLabel, SignalRecord};
use quell_triage::IncidentEvent;
use serde::Serialize;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;
use crate::unit::Unit;

/// A signal with what was said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignalView {
    /// The signal and where it came from.
    pub record: SignalRecord,
    /// Its label.
    pub label: Option<SignalLabel>,
}

impl Control {
    /// One signal.
    pub async fn signal(&self, access: &Access, id: &str) -> Result<SignalView, Refused> {
        access.require(AccessRole::Viewer)?;
        let mut read = self.read().await?;
        let record = read.signal(id).await?.ok_or_else(|| Refused::not_found("signal", id))?;
        Ok(SignalView { record, label: read.signal_label(id).await? })
    }

    /// Says whether a signal was right.
    pub async fn label_signal(
        &self,
        access: &Access,
        id: &str,
        label: Label,
        reason: &str,
    ) -> Result<SignalLabel, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let record = unit.signal(id).await?.ok_or_else(|| Refused::not_found("signal", id))?;
        let stored = SignalLabel {
            signal: id.to_owned(),
            label,
            source: LabelSource::Person,
            rule: record.signal.rule,
            application: record.application,
            incident: record.incident,
            actor: access.actor.clone(),
            at: unit.now(),
            reason,
        };
        unit.put_signal_label(&stored).await?;
        let data = json!({
            "signal": id, "rule": stored.rule, "label": label, "reason": stored.reason,
        });
        unit.event(stored.incident, "signal.labelled", data);
        unit.commit().await?;
        Ok(stored)
    }

    /// Takes a label away.
    pub async fn unlabel_signal(&self, access: &Access, id: &str) -> Result<(), Refused> {
        access.require(AccessRole::Responder)?;
        let mut unit = self.unit(&access.actor).await?;
        let held = unit.signal_label(id).await?;
        let held = held.ok_or_else(|| Refused::not_found("label of signal", id))?;
        unit.delete_signal_label(id).await?;
        let data = json!({"signal": id, "rule": held.rule, "label": held.label});
        unit.event(held.incident, "signal.label_withdrawn", data);
        unit.commit().await?;
        Ok(())
    }

    /// A page of labels with their signals, newest first. No text.
    pub async fn labels(
        &self,
        access: &Access,
        filter: &LabelFilter,
        page: &PageRequest,
    ) -> Result<Page<(SignalLabel, SignalRecord)>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.labels(filter, page).await?)
    }
}

/// What the end of an incident says about its signals: dismissed means false positives, closed
/// means confirmed. Labels by people stay. Reopening takes back what the end said.
pub(crate) async fn of_incident(
    unit: &mut Unit<'_>,
    access: &Access,
    incident: IncidentId,
    event: &IncidentEvent,
) -> Result<(), Refused> {
    let (label, reason) = match event {
        IncidentEvent::Dismiss { reason } => (Label::FalsePositive, reason),
        IncidentEvent::Close { reason } => (Label::Confirmed, reason),
        IncidentEvent::Reopen { .. } => {
            let signals = unit.unlabel_incident(incident).await?;
            if signals > 0 {
                unit.event(Some(incident), "feedback.withdrawn", json!({"signals": signals}));
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    let signals = unit.label_incident(incident, label, &access.actor, reason).await?;
    if signals > 0 {
        let data = json!({"label": label, "signals": signals});
        unit.event(Some(incident), "feedback.labelled", data);
    }
    Ok(())
}
