//! Puts an alarm of a baseline under an incident. It belongs to no exchange and to nobody: it
//! joins an open incident of the same rule, and severity follows from the rule alone.

use quell_domain::rule::RuleMode;
use quell_domain::{Actor, Principal};
use quell_store::SignalRecord;
use quell_triage::{Candidate, Impact, classify};
use serde_json::json;

use super::Ingest;
use super::group::{Grouped, find};
use crate::handle::Control;
use crate::incidents::record;
use crate::refused::Refused;
use crate::unit::Unit;

impl Control {
    /// Groups one alarm, and plans the response.
    pub(crate) async fn group_alarm(
        &self,
        ingest: &mut Ingest,
        unit: &mut Unit<'_>,
        alarm: &SignalRecord,
    ) -> Result<(), Refused> {
        let signal = &alarm.signal;
        if signal.mode != RuleMode::Enforce {
            return Ok(());
        }
        let found = classify([signal]);
        let nobody = Principal::default();
        let candidate = Candidate {
            application: &alarm.application,
            kind: found.kind,
            rules: [signal.rule.as_str()].into(),
            principal: &nobody,
            at: alarm.at,
        };
        let mut grouped = match find(ingest, unit, &candidate).await? {
            Some((incident, _)) => Grouped { incident, opened: false, spread: false },
            None => self.open_for(unit, &candidate, &found).await?,
        };
        let id = grouped.incident.id;
        unit.assign_signal(&signal.id, id).await?;
        let incident = &mut grouped.incident;
        incident.signal_count += 1;
        incident.last_signal_at = incident.last_signal_at.max(Some(alarm.at));
        let known = ingest.known.entry(id).or_default();
        known.rules.insert(signal.rule.clone());
        let this = Impact { signal_severity: Some(signal.severity), ..Impact::default() };
        known.impact = known.impact.and(this);
        if grouped.opened {
            known.ruled = Some(grouped.incident.severity);
        }
        let known = known.clone();
        self.judge(ingest, unit, &mut grouped, &known, this).await?;
        unit.update_incident(&mut grouped.incident).await?;
        let incident = &grouped.incident;
        let actor = Actor::Rule(signal.rule.clone());
        if grouped.opened {
            let data = record::opened_data(incident);
            unit.event_first(id, "incident.opened", actor, alarm.at, data);
            record::after_opening(unit, incident).await?;
        } else {
            let data = json!({"rule": signal.rule, "signal": signal.id});
            unit.event_by(Some(id), "incident.alarm", actor, alarm.at, data);
        }
        self.respond(unit, &grouped.incident, &nobody).await
    }
}
