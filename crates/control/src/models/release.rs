//! Release by two people, and the way back.

use jiff::{SignedDuration, Timestamp};
use quell_domain::{AccessRole, Actor, ApprovalId};
use quell_response::approval::DEFAULT_LIFETIME;
use quell_response::{ApprovalState, BoundAction};
use quell_store::{Approval, ModelEnd, ModelRecord, ModelState};
use serde_json::{Value, json};

use super::{ModelView, SHADOW_JUDGED_MIN, current, shadow_counts, stored};
use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;
use crate::unit::Unit;

/// What the approval of a release binds.
const ACTION: &str = "model.release";
/// Why not everybody may grant it.
const OWN_PROPOSAL: &str = "whoever brought a model cannot approve its release; somebody else must";

impl ModelView {
    /// Why whoever asks may not grant the release that is asked for; none if they may. Deciding
    /// checks the same again.
    pub fn grant_refused(&self, access: &Access, now: Timestamp) -> Option<Refused> {
        let asked = self.request.as_ref()?;
        let own = |actor: &Actor| person(actor).is_some() && person(actor) == access.account();
        if now >= asked.expires_at {
            return Some(Refused::state("approval.lapsed", "the request lapsed; ask again"));
        }
        if own(&asked.requester) {
            let message = "whoever asks for a release cannot approve it; somebody else must";
            return Some(Refused::state("approval.own_request", message));
        }
        if own(&self.record.proposed_by) {
            return Some(Refused::state("model.own_proposal", OWN_PROPOSAL));
        }
        access.require(AccessRole::Approver).err()
    }
}

impl Control {
    /// Asks for the release of the model in shadow. Somebody else approves it.
    pub async fn request_model_release(
        &self,
        access: &Access,
        sha256: &str,
        reason: &str,
    ) -> Result<Approval, Refused> {
        access.require(AccessRole::Admin)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let mut record = stored(&mut unit, sha256).await?;
        if record.state != ModelState::Shadow {
            return Err(Refused::state("model.not_in_shadow", "put the model in shadow first"));
        }
        let judged = shadow_counts(&mut unit, &record).await?.map_or(0, |counts| counts.judged);
        if judged < SHADOW_JUDGED_MIN {
            let message = format!(
                "the model judged {judged} requests in shadow; let it judge {SHADOW_JUDGED_MIN}"
            );
            return Err(Refused::state("model.shadow_too_short", message));
        }
        let replaces = current(&mut unit).await?.map(|model| model.sha256);
        let action = BoundAction::new(&action(sha256, replaces.as_deref()))?;
        let now = unit.now();
        let approval = Approval {
            id: ApprovalId::new(unit.ids().as_ref()),
            incident: None,
            measure: None,
            action: action.canonical,
            sha256: action.sha256,
            summary: format!("Release the model {} ({})", record.name, short(sha256)),
            requester: access.actor.clone(),
            request_reason: reason,
            requested_at: now,
            expires_at: now + SignedDuration::try_from(DEFAULT_LIFETIME).unwrap_or_default(),
            decision: None,
            approver: None,
            reason: None,
            decided_at: None,
            used_at: None,
            version: 1,
        };
        unit.insert_approval(&approval).await?;
        record.approval = Some(approval.id);
        unit.update_model(&mut record).await?;
        let data = json!({
            "approval": approval.id, "model": sha256, "sha256": approval.sha256,
            "summary": approval.summary, "expires_at": approval.expires_at,
        });
        unit.event(None, "approval.requested", data);
        let payload = json!({"about": "approval.requested", "approval": approval.id});
        unit.notify(&format!("notify:approval:{}", approval.id), &payload).await?;
        unit.commit().await?;
        Ok(approval)
    }

    /// Goes back to the model that was in force before the present one. One person may: that model
    /// was released by two, or ships.
    pub async fn roll_back_model(
        &self,
        access: &Access,
        reason: &str,
    ) -> Result<Option<ModelRecord>, Refused> {
        access.require(AccessRole::Approver)?;
        let reason = text_of("a reason", reason)?;
        let mut unit = self.unit(&access.actor).await?;
        let Some(mut record) = current(&mut unit).await? else {
            return Err(Refused::state("model.shipped", "the model that ships is in force"));
        };
        record.state = ModelState::Retired;
        record.ended = Some(ModelEnd {
            at: unit.now(),
            by: access.actor.clone(),
            rolled_back: Some(reason.clone()),
        });
        unit.update_model(&mut record).await?;
        let mut back = None;
        if let Some(before) = &record.replaces {
            let mut model = stored(&mut unit, before).await?;
            (model.state, model.ended) = (ModelState::Released, None);
            unit.update_model(&mut model).await?;
            back = Some(model);
        }
        let epoch = unit.epoch().await?;
        let to = back.as_ref().map(|model| model.sha256.clone());
        let data = json!({"from": record.sha256, "to": to, "reason": reason, "epoch": epoch});
        unit.event(None, "model.rolled_back", data);
        unit.commit().await?;
        Ok(back)
    }
}

/// What follows from a decision about an approval that is about a model: granted, the release, in
/// the same transaction.
pub(crate) async fn decided(
    unit: &mut Unit<'_>,
    access: &Access,
    approval: &mut Approval,
    grant: bool,
) -> Result<(), Refused> {
    let action: Value = serde_json::from_str(&approval.action).unwrap_or_default();
    let (Some(ACTION), Some(sha256)) = (action["action"].as_str(), action["sha256"].as_str())
    else {
        return Ok(());
    };
    let mut record = stored(unit, sha256).await?;
    if record.approval != Some(approval.id) {
        return Err(Refused::state("model.other_request", "a later request replaced this one"));
    }
    record.approval = None;
    if !grant {
        return Ok(unit.update_model(&mut record).await?);
    }
    if person(&record.proposed_by) == person(&access.actor) {
        return Err(Refused::state("model.own_proposal", OWN_PROPOSAL));
    }
    if record.state != ModelState::Shadow {
        return Err(Refused::state("model.not_in_shadow", "the model is not in shadow any more"));
    }
    release(unit, access, approval, record).await
}

async fn release(
    unit: &mut Unit<'_>,
    access: &Access,
    approval: &mut Approval,
    mut record: ModelRecord,
) -> Result<(), Refused> {
    let before = current(unit).await?;
    let replaces = before.as_ref().map(|model| model.sha256.clone());
    let bound = BoundAction::new(&action(&record.sha256, replaces.as_deref()))?;
    let now = unit.now();
    let terms = quell_response::Approval {
        sha256: &approval.sha256,
        requester: &approval.requester,
        expires_at: approval.expires_at,
        state: ApprovalState::Granted,
    };
    terms.may_spend(&bound, now)?;
    approval.used_at = Some(now);
    unit.update_approval(approval).await?;
    if let Some(mut before) = before {
        before.state = ModelState::Retired;
        before.ended = Some(ModelEnd { at: now, by: access.actor.clone(), rolled_back: None });
        unit.update_model(&mut before).await?;
    }
    record.state = ModelState::Released;
    record.released_at = Some(now);
    record.released_by = Some(access.actor.clone());
    record.replaces = replaces;
    unit.update_model(&mut record).await?;
    let epoch = unit.epoch().await?;
    unit.event(None, "approval.used", json!({"approval": approval.id, "model": record.sha256}));
    let data = json!({
        "sha256": record.sha256, "name": record.name, "replaces": record.replaces,
        "requested_by": approval.requester.to_string(), "epoch": epoch,
    });
    unit.event(None, ACTION_DONE, data);
    Ok(())
}

/// The event of a release.
const ACTION_DONE: &str = "model.released";

fn action(sha256: &str, replaces: Option<&str>) -> Value {
    json!({"action": ACTION, "sha256": sha256, "replaces": replaces})
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

/// The account behind an actor; a token acts for its owner.
fn person(actor: &Actor) -> Option<&str> {
    match actor {
        Actor::User(name) => Some(name),
        Actor::Token(name) => Some(name.split_once('/').map_or(name.as_str(), |(who, _)| who)),
        Actor::Policy(_) | Actor::Rule(_) | Actor::System => None,
    }
}
