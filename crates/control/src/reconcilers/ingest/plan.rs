//! What the application's policy does about an incident: apply a measure at once, or propose it.

use jiff::Timestamp;
use quell_domain::application::PolicyAction;
use quell_domain::measure::Target;
use quell_domain::{
    AccessRole, Actor, IncidentRecord, Measure, MeasureId, MeasureState, Principal,
};
use quell_response::policy::plan;
use quell_response::{PlannedMeasure, Reach, Situation};
use quell_store::{MeasureFilter, PageRequest, Read};

use super::batch::behind;
use crate::access::Access;
use crate::handle::Control;
use crate::measures::{after, propose, request};
use crate::refused::Refused;
use crate::unit::Unit;

/// Open proposals of one incident: past it people have enough to choose from.
const PROPOSALS_MAX: usize = 20;

impl Control {
    /// Plans for the incident and one principal behind it, and carries it out.
    pub(super) async fn respond(
        &self,
        unit: &mut Unit<'_>,
        incident: &IncidentRecord,
        principal: &Principal,
    ) -> Result<(), Refused> {
        let Some(application) = unit.application(&incident.application).await? else {
            return Ok(());
        };
        let now = unit.now();
        let reach = reach(unit, &incident.application, principal, now).await?;
        let situation =
            Situation { kind: incident.kind, severity: incident.severity, principal, reach };
        let Some(planned) = plan(&application.value.policy, &situation) else { return Ok(()) };
        let actor = Actor::Policy(incident.application.clone());
        if planned.action == PolicyAction::Apply
            && let Some(mut proposed) = proposed_before(unit, &planned, &actor).await?
        {
            // What it only suggested, it may now do; nobody has decided about it.
            proposed.reason = planned.rationale;
            proposed.expires_at = Some(after(now, planned.minutes));
            let access = Access { actor, role: AccessRole::Responder };
            request(unit, &access, &proposed).await?;
            return Ok(());
        }
        if !is_wanted(unit, incident, &planned).await? {
            return Ok(());
        }
        let measure = Measure {
            id: MeasureId::new(unit.ids().as_ref()),
            application: incident.application.clone(),
            target: planned.target,
            effect: planned.effect,
            reason: planned.rationale,
            incident: Some(incident.id),
            actor: actor.clone(),
            approval: None,
            expires_at: Some(after(now, planned.minutes)),
            state: MeasureState::Proposed,
            created_at: now,
            requested_at: None,
            acknowledged_at: None,
            verified_at: None,
            ended_at: None,
            epoch: 0,
            detail: None,
            version: 1,
        };
        if let Err(invalid) = quell_response::validate(&measure)
            && invalid != quell_response::Invalid::Unapproved
        {
            // A header may hold what no target can be, such as an address that is none.
            tracing::warn!(incident.id = %incident.id, %invalid, "no measure could be planned");
            return Ok(());
        }
        propose(unit, &measure).await?;
        if planned.action == PolicyAction::Apply {
            let access = Access { actor, role: AccessRole::Responder };
            request(unit, &access, &measure).await?;
        }
        Ok(())
    }
}

/// The policy's own proposal of exactly this, if it still waits for a person.
async fn proposed_before(
    read: &mut Read,
    planned: &PlannedMeasure,
    actor: &Actor,
) -> Result<Option<Measure>, Refused> {
    let current = read.current_measures().await?;
    Ok(current.into_iter().find(|measure| {
        measure.state == MeasureState::Proposed
            && measure.actor == *actor
            && measure.target == planned.target
            && measure.effect == planned.effect
    }))
}

/// Whether nobody decided about this already: it is not in force or proposed, and no person
/// rejected or lifted it in this incident.
async fn is_wanted(
    read: &mut Read,
    incident: &IncidentRecord,
    planned: &PlannedMeasure,
) -> Result<bool, Refused> {
    let same = |measure: &Measure| {
        measure.application == incident.application
            && measure.target == planned.target
            && measure.effect.level() >= planned.effect.level()
    };
    let current = read.current_measures().await?;
    if current.iter().any(|measure| same(measure) && measure.state != MeasureState::Lifting) {
        return Ok(false);
    }
    let proposals = current
        .iter()
        .filter(|m| m.incident == Some(incident.id) && m.state == MeasureState::Proposed);
    if planned.action == PolicyAction::Propose && proposals.count() >= PROPOSALS_MAX {
        return Ok(false);
    }
    let filter = MeasureFilter { incident: Some(incident.id), ..MeasureFilter::default() };
    let all = read.measures(&filter, &PageRequest::first(500)).await?;
    let decided = |measure: &Measure| {
        let by_people = [MeasureState::Rejected, MeasureState::Lifted, MeasureState::Lifting];
        same(measure) && by_people.contains(&measure.state)
    };
    Ok(!all.items.iter().any(decided))
}

/// Whom measures would touch, over the last hour.
async fn reach(
    read: &mut Read,
    application: &str,
    principal: &Principal,
    now: Timestamp,
) -> Result<Reach, Refused> {
    let now_of = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let mut reach = Reach {
        seen: now_of(read.recent_principals(application, now).await?),
        behind_session: 1,
        ..Reach::default()
    };
    if let Some(key) = principal.key {
        let scope = behind(application, &key.to_string());
        reach.behind_key = now_of(read.recent_principals(&scope, now).await?);
    }
    if let Some(address) = &principal.address {
        let scope = behind(application, address);
        reach.behind_address = now_of(read.recent_principals(&scope, now).await?);
    }
    for measure in read.current_measures().await? {
        let automatic = matches!(measure.actor, Actor::Policy(_)) && measure.state.in_force();
        if !automatic || measure.application != application {
            continue;
        }
        let touches = match &measure.target {
            Target::ApiKey { key } => {
                now_of(read.recent_principals(&behind(application, key), now).await?)
            }
            Target::Address { address } => {
                now_of(read.recent_principals(&behind(application, address), now).await?)
            }
            Target::User { .. } | Target::Session { .. } => 1,
            _ => reach.seen,
        };
        reach.touched = reach.touched.saturating_add(touches.max(1));
    }
    Ok(reach)
}
