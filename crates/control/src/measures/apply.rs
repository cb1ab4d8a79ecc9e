//! Applies a measure, or proposes it.

use jiff::{SignedDuration, Timestamp};
use quell_domain::measure::{Effect, Target};
use quell_domain::{AccessRole, ApprovalId, IncidentId, Measure, MeasureId, MeasureState};
use quell_response::measure::needs_approval;
use quell_response::{MeasureEvent, validate};

use super::{MeasureReceipt, advance, approve, data, load};
use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;
use crate::unit::Unit;

/// Longest a measure with an expiry lasts: 90 days.
pub(super) const MINUTES_MAX: u32 = 90 * 24 * 60;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMeasure {
    /// The application it acts on.
    pub application: String,
    /// What inside the application.
    pub target: Target,
    /// What it does.
    pub effect: Effect,
    /// Why, in words.
    pub reason: String,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// How long it lasts; none: until somebody lifts it.
    pub minutes: Option<u32>,
}

impl Control {
    /// Applies a measure of level 1 to 3. Level 4 is refused: it needs an approval, see
    /// [`Control::propose_measure`].
    pub async fn apply_measure(
        &self,
        access: &Access,
        new: NewMeasure,
    ) -> Result<MeasureReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut measure = build(&mut unit, access, new).await?;
        // Before anything else, and whoever asks: no approval, no shutdown.
        validate(&measure)?;
        measure.state = MeasureState::Proposed;
        unit.insert_measure(&measure).await?;
        let measure = request(&mut unit, access, &measure).await?;
        let committed = unit.commit().await?;
        Ok(receipt(measure, committed))
    }

    /// Suggests a measure for a person to apply. At level 4 this asks for the approval, too.
    pub async fn propose_measure(
        &self,
        access: &Access,
        new: NewMeasure,
    ) -> Result<MeasureReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let mut unit = self.unit(&access.actor).await?;
        let measure = build(&mut unit, access, new).await?;
        propose(&mut unit, &measure).await?;
        let committed = unit.commit().await?;
        Ok(receipt(measure, committed))
    }

    /// Applies a proposed or approved measure.
    pub async fn apply_proposed(
        &self,
        access: &Access,
        id: MeasureId,
    ) -> Result<MeasureReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut measure = load(&mut unit, id).await?;
        if needs_approval(&measure) {
            let approval = measure.approval.ok_or(quell_response::Invalid::Unapproved)?;
            spend(&mut unit, approval, &measure).await?;
        } else {
            // The time runs from now on, not from the proposal.
            let now = unit.now();
            let length = measure.expires_at.map(|end| end.duration_since(measure.created_at));
            if !quell_response::measure::has_run_out(&measure, now) {
                measure.expires_at = length.map(|length| now + length);
            }
            if access.actor.is_person() {
                measure.actor = access.actor.clone();
            }
        }
        let measure = request(&mut unit, access, &measure).await?;
        let committed = unit.commit().await?;
        Ok(receipt(measure, committed))
    }

    /// Declines a proposed or approved measure.
    pub async fn reject_measure(
        &self,
        access: &Access,
        id: MeasureId,
        reason: &str,
    ) -> Result<MeasureReceipt, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let measure = load(&mut unit, id).await?;
        let event = MeasureEvent::Reject { reason };
        let measure = advance(&mut unit, &measure, &event, &access.actor).await?;
        let committed = unit.commit().await?;
        Ok(receipt(measure, committed))
    }
}

fn receipt(measure: Measure, committed: crate::unit::Committed) -> MeasureReceipt {
    MeasureReceipt { measure, sequence: committed.sequence, epoch: committed.epoch }
}

/// A measure as proposed, checked against the inventory, not stored yet.
async fn build(unit: &mut Unit<'_>, access: &Access, new: NewMeasure) -> Result<Measure, Refused> {
    let reason = text_of("a reason", &new.reason)?;
    if unit.application(&new.application).await?.is_none() {
        return Err(Refused::not_found("application", &new.application));
    }
    if let Some(incident) = new.incident {
        let incident = crate::incidents::load(unit, incident).await?;
        if incident.application != new.application {
            let message = "the incident belongs to another application";
            return Err(Refused::invalid("measure.incident", message));
        }
    }
    if new.minutes.is_some_and(|minutes| minutes == 0 || minutes > MINUTES_MAX) {
        let message = format!("minutes must be 1 to {MINUTES_MAX}");
        return Err(Refused::invalid("measure.minutes", message));
    }
    let now = unit.now();
    let expires_at = new.minutes.map(|minutes| after(now, minutes));
    Ok(Measure {
        id: MeasureId::new(unit.ids().as_ref()),
        application: new.application,
        target: new.target,
        effect: new.effect,
        reason,
        incident: new.incident,
        actor: access.actor.clone(),
        approval: None,
        expires_at,
        state: MeasureState::Proposed,
        created_at: now,
        requested_at: None,
        acknowledged_at: None,
        verified_at: None,
        ended_at: None,
        epoch: 0,
        detail: None,
        version: 1,
    })
}

pub(crate) fn after(now: Timestamp, minutes: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_mins(i64::from(minutes))).unwrap_or(now)
}

/// Stores a proposal, with the request for approval it needs.
pub(crate) async fn propose(unit: &mut Unit<'_>, measure: &Measure) -> Result<(), Refused> {
    // Everything but the approval must be in order already.
    match validate(measure) {
        Ok(()) | Err(quell_response::Invalid::Unapproved) => {}
        Err(invalid) => return Err(invalid.into()),
    }
    unit.insert_measure(measure).await?;
    let (actor, now) = (measure.actor.clone(), unit.now());
    unit.event_by(measure.incident, "measure.proposed", actor, now, data(measure));
    if needs_approval(measure) {
        approve::ask(unit, measure).await?;
    }
    Ok(())
}

/// Puts a stored measure into the next epoch.
pub(crate) async fn request(
    unit: &mut Unit<'_>,
    access: &Access,
    measure: &Measure,
) -> Result<Measure, Refused> {
    let epoch = unit.epoch().await?;
    advance(unit, measure, &MeasureEvent::Request { epoch }, &access.actor).await
}

async fn spend(
    unit: &mut Unit<'_>,
    approval: ApprovalId,
    measure: &Measure,
) -> Result<(), Refused> {
    approve::spend(unit, approval, measure).await
}
