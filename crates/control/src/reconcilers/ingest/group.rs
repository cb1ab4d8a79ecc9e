//! Puts the findings of one record under an incident: an open one they belong to, or a new one.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use quell_domain::rule::RuleMode;
use quell_domain::{Actor, IncidentRecord, IncidentState, Severity, Signal};
use quell_store::{IncidentInteraction, PageRequest, SignalFilter};
use quell_triage::{
    Candidate, Classification, Group, Impact, JoinReason, classify, group_key, joins, opens,
};
use serde_json::json;

use super::{Ingest, Logged};
use crate::handle::Control;
use crate::incidents::record;
use crate::refused::Refused;
use crate::unit::Unit;

/// Open incidents of one application that findings may join.
const OPEN_MAX: u32 = 200;
/// Interactions whose principals are looked at again when severity rises.
const RESPOND_MAX: u32 = 100;
/// Signals looked at when an incident is classified again.
const SIGNALS_MAX: u32 = 200;

/// What is remembered about an open incident beyond its record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The rules its signals came from.
    pub(super) rules: BTreeSet<String>,
    /// What happened so far.
    pub(super) impact: Impact,
    /// The worst severity rules have set. What a person lowered, rules raise only beyond this.
    pub(super) ruled: Option<Severity>,
}

/// An incident the findings were put under.
pub(super) struct Grouped {
    pub(super) incident: IncidentRecord,
    pub(super) opened: bool,
    /// Somebody or something the incident did not know.
    pub(super) spread: bool,
}

impl Control {
    /// Groups, classifies, judges, and plans the response.
    pub(super) async fn group(
        &self,
        ingest: &mut Ingest,
        unit: &mut Unit<'_>,
        gateway: &str,
        logged: &Logged,
        new: &[Signal],
    ) -> Result<(), Refused> {
        let interaction = &logged.interaction;
        // Rules in shadow mode are watched, not believed: alone they open and change nothing.
        let live: Vec<Signal> =
            new.iter().filter(|signal| signal.mode == RuleMode::Enforce).cloned().collect();
        if live.is_empty() {
            return Ok(());
        }
        let found = classify(new);
        let candidate = Candidate {
            application: &interaction.application,
            kind: found.kind,
            rules: live.iter().map(|signal| signal.rule.as_str()).collect(),
            principal: &interaction.principal,
            at: interaction.started_at,
        };
        let joined = find(ingest, unit, &candidate).await?;
        let mut grouped = match joined {
            Some((incident, reason)) => {
                Grouped { incident, opened: false, spread: reason == JoinReason::Spread }
            }
            None if !opens(&live) => return Ok(()),
            None => self.open_for(unit, &candidate, &found).await?,
        };
        let id = grouped.incident.id;
        for signal in new {
            unit.assign_signal(&signal.id, id).await?;
        }
        let link = IncidentInteraction {
            incident: id,
            interaction: interaction.id,
            gateway: gateway.to_owned(),
            sequence: logged.sequence,
            at: interaction.started_at,
            principal: interaction.principal.clone(),
            why: live.first().map(|signal| signal.title.clone()).unwrap_or_default(),
        };
        let linked = unit.link_interaction(&link).await?;
        note(&mut grouped, logged, new, unit).await?;
        let known = ingest.known.entry(id).or_default();
        known.rules.extend(live.iter().map(|signal| signal.rule.clone()));
        let this = Impact::of(interaction, &live);
        known.impact = known.impact.and(Impact { interactions: u64::from(linked), ..this });
        if grouped.opened {
            known.ruled = Some(grouped.incident.severity);
        }
        let known = known.clone();
        let raised = self.judge(ingest, unit, &mut grouped, &known, this).await?;
        self.store_group(unit, &mut grouped, logged, &live).await?;
        if raised {
            // What is worse than thought concerns everybody found so far.
            let request = PageRequest::first(RESPOND_MAX);
            for link in unit.incident_interactions(id, &request).await?.items {
                self.respond(unit, &grouped.incident, &link.principal).await?;
            }
        }
        // Asked every time: a measure may have run out since the last finding.
        self.respond(unit, &grouped.incident, &interaction.principal).await
    }

    /// A new incident in triage, for findings that belong nowhere else.
    pub(super) async fn open_for(
        &self,
        unit: &mut Unit<'_>,
        candidate: &Candidate<'_>,
        found: &Classification,
    ) -> Result<Grouped, Refused> {
        let opening = record::Opening {
            application: candidate.application.to_owned(),
            kind: found.kind,
            severity: Severity::Low,
            rationale: String::new(),
            title: format!("{} in {}", found.kind.title(), candidate.application),
            grouping_key: group_key(candidate),
            first_signal_at: Some(candidate.at),
        };
        let mut incident = record::open(unit, opening).await?;
        incident.reasons.clone_from(&found.reasons);
        incident.taxonomy.clone_from(&found.taxonomy);
        incident.summary = format!("Classified as {} ({}).", found.kind, found.confidence.as_str());
        unit.insert_incident(&incident).await?;
        Ok(Grouped { incident, opened: true, spread: false })
    }

    /// Stores the incident and says what happened to it.
    async fn store_group(
        &self,
        unit: &mut Unit<'_>,
        grouped: &mut Grouped,
        logged: &Logged,
        new: &[Signal],
    ) -> Result<(), Refused> {
        let incident = &mut grouped.incident;
        let at = logged.interaction.started_at;
        let rule = new.first().map_or_else(String::new, |signal| signal.rule.clone());
        unit.update_incident(incident).await?;
        if grouped.opened {
            let data = record::opened_data(incident);
            unit.event_first(incident.id, "incident.opened", Actor::Rule(rule), at, data);
            record::after_opening(unit, incident).await?;
        } else if grouped.spread {
            let data = json!({
                "rule": rule, "interaction": logged.interaction.id,
                "principals": principals(incident),
            });
            unit.event_by(Some(incident.id), "incident.spread", Actor::Rule(rule), at, data);
        }
        Ok(())
    }
}

/// The open incident that `candidate` belongs to.
pub(super) async fn find(
    ingest: &mut Ingest,
    unit: &mut Unit<'_>,
    candidate: &Candidate<'_>,
) -> Result<Option<(IncidentRecord, JoinReason)>, Refused> {
    let mut best: Option<(IncidentRecord, JoinReason)> = None;
    for incident in unit.open_incidents(candidate.application, OPEN_MAX).await? {
        let known = match ingest.known.entry(incident.id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(recall(unit, &incident).await?),
        };
        let group = Group { incident: &incident, rules: &known.rules };
        let Some(reason) = joins(&group, candidate) else { continue };
        // The newest incident of the same strength wins: they come newest first.
        if best.as_ref().is_none_or(|(_, held)| reason == JoinReason::Repetition && *held != reason)
        {
            best = Some((incident, reason));
        }
    }
    Ok(best)
}

/// Rebuilds what is remembered about an incident.
async fn recall(unit: &mut Unit<'_>, incident: &IncidentRecord) -> Result<Known, Refused> {
    let mut known = Known::default();
    let filter = SignalFilter { incident: Some(incident.id), ..SignalFilter::default() };
    let signals = unit.signals(&filter, &PageRequest::first(SIGNALS_MAX)).await?;
    for record in signals.items.into_iter().filter(|r| r.signal.mode == RuleMode::Enforce) {
        known.impact.signal_severity =
            known.impact.signal_severity.max(Some(record.signal.severity));
        known.rules.insert(record.signal.rule);
    }
    let interactions = unit.incident_interaction_count(incident.id).await?;
    known.impact.interactions = u64::try_from(interactions).unwrap_or(0);
    known.ruled = Some(incident.severity);
    for event in unit.events_of(incident.id, 0, 1_000).await? {
        if event.kind == "incident.severity_changed" {
            let word = event.data.get("from").and_then(|from| from.as_str());
            let from = word.and_then(|word| word.parse::<Severity>().ok());
            known.ruled = known.ruled.max(from);
        }
    }
    Ok(known)
}

/// Takes the findings into the record.
async fn note(
    grouped: &mut Grouped,
    logged: &Logged,
    new: &[Signal],
    unit: &mut Unit<'_>,
) -> Result<(), Refused> {
    let incident = &mut grouped.incident;
    let at = logged.interaction.started_at;
    incident.affected.add(&logged.interaction.principal);
    incident.signal_count += i64::try_from(new.len()).unwrap_or(0);
    incident.first_signal_at = Some(incident.first_signal_at.map_or(at, |first| first.min(at)));
    incident.last_signal_at = incident.last_signal_at.max(Some(at));
    if !grouped.opened {
        reclassify(incident, unit).await?;
    }
    Ok(())
}

/// Reasons and references follow the signals; the kind does while the incident is in triage.
/// Later only people change it.
async fn reclassify(incident: &mut IncidentRecord, unit: &mut Unit<'_>) -> Result<(), Refused> {
    let filter = SignalFilter { incident: Some(incident.id), ..SignalFilter::default() };
    let signals = unit.signals(&filter, &PageRequest::first(SIGNALS_MAX)).await?;
    let found = classify(signals.items.iter().map(|record| &record.signal));
    let by_people = incident.reasons.iter().filter(|r| r.starts_with("Classified by ")).cloned();
    let mut reasons: Vec<String> = by_people.collect();
    let person_decided = !reasons.is_empty();
    reasons.extend(found.reasons);
    reasons.truncate(classify::REASONS_MAX);
    incident.reasons = reasons;
    incident.taxonomy = found.taxonomy;
    if incident.state == IncidentState::Triage && !person_decided && found.kind != incident.kind {
        incident.kind = found.kind;
        incident.title = format!("{} in {}", found.kind.title(), incident.application);
    }
    Ok(())
}

/// How many principals an incident is known to touch, by its best-populated claim.
pub(super) fn principals(incident: &IncidentRecord) -> u64 {
    let affected = &incident.affected;
    let most = [&affected.users, &affected.sessions, &affected.addresses, &affected.keys]
        .into_iter()
        .map(BTreeSet::len)
        .max()
        .unwrap_or(0);
    let users = affected.users.len();
    (if users > 0 { users } else { most }) as u64
}
