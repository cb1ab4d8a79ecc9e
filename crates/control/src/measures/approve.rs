//! Approvals: asked for, decided by a second person, spent once.

use jiff::SignedDuration;
use quell_domain::{AccessRole, ApprovalId, Measure};
use quell_response::approval::{DEFAULT_LIFETIME, measure_action};
use quell_response::{ApprovalState, BoundAction, Decision, MeasureEvent};
use quell_store::{Approval, ApprovalDecision, Page, PageRequest};
use serde::Serialize;
use serde_json::json;

use super::{advance, apply, load};
use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;
use crate::unit::Unit;

/// What a decision gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalReceipt {
    /// The approval now.
    pub approval: Approval,
    /// The measure it is about, now.
    pub measure: Option<Measure>,
    /// The epoch that carries the measure to gateways, if it was applied at once.
    pub epoch: Option<u64>,
}

impl Control {
    /// A page of approvals, newest first; only undecided ones if `pending`.
    pub async fn approvals(
        &self,
        access: &Access,
        pending: bool,
        page: &PageRequest,
    ) -> Result<Page<Approval>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.approvals(pending, None, page).await?)
    }

    /// Decides a request. Granted and `apply`, the measure takes effect at once: the approval is
    /// spent on it in the same transaction.
    pub async fn decide_approval(
        &self,
        access: &Access,
        id: ApprovalId,
        grant: bool,
        reason: &str,
        apply: bool,
    ) -> Result<ApprovalReceipt, Refused> {
        let reason = text_of("a reason", reason)?;
        if matches!(access.account(), None | Some("system")) {
            // Whoever has a shell on the machine holds the local token: it is nobody in particular,
            // and not a second person.
            return Err(Refused::state(
                "approval.needs_a_person",
                "an approval is decided by a person with an account of their own, not by the \
                 machine's local token",
            ));
        }
        let mut unit = self.unit(&access.actor).await?;
        let mut approval = stored(&mut unit, id).await?;
        let decision = Decision { approver: access.actor.clone(), role: access.role };
        let now = unit.now();
        terms(&approval).may_decide(&decision, now)?;
        approval.decision =
            Some(if grant { ApprovalDecision::Approved } else { ApprovalDecision::Rejected });
        approval.approver = Some(access.actor.clone());
        approval.reason = Some(reason.clone());
        approval.decided_at = Some(now);
        unit.update_approval(&mut approval).await?;
        let kind = if grant { "approval.granted" } else { "approval.denied" };
        let data = json!({"approval": id, "sha256": approval.sha256, "reason": reason});
        unit.event(approval.incident, kind, data);

        let mut measure = match approval.measure {
            Some(measure) => Some(load(&mut unit, measure).await?),
            None => None,
        };
        if let Some(known) = &mut measure {
            let event = if grant {
                MeasureEvent::Approve { approval: id }
            } else {
                MeasureEvent::Reject { reason }
            };
            *known = advance(&mut unit, known, &event, &access.actor).await?;
            if grant && apply {
                spend(&mut unit, id, known).await?;
                *known = apply::request(&mut unit, access, known).await?;
            }
        }
        let mut approval = stored(&mut unit, id).await?;
        if approval.measure.is_none() {
            crate::models::decided(&mut unit, access, &mut approval, grant).await?;
        }
        let committed = unit.commit().await?;
        Ok(ApprovalReceipt { approval, measure, epoch: committed.epoch })
    }
}

async fn stored(unit: &mut Unit<'_>, id: ApprovalId) -> Result<Approval, Refused> {
    unit.approval(id).await?.ok_or_else(|| Refused::not_found("approval", id))
}

fn terms(approval: &Approval) -> quell_response::Approval<'_> {
    let state = match (approval.decision, approval.used_at) {
        (_, Some(_)) => ApprovalState::Used,
        (None, None) => ApprovalState::Pending,
        (Some(ApprovalDecision::Approved), None) => ApprovalState::Granted,
        (Some(ApprovalDecision::Rejected), None) => ApprovalState::Denied,
    };
    quell_response::Approval {
        sha256: &approval.sha256,
        requester: &approval.requester,
        expires_at: approval.expires_at,
        state,
    }
}

/// Asks for the approval that `measure` needs.
pub(super) async fn ask(unit: &mut Unit<'_>, measure: &Measure) -> Result<Approval, Refused> {
    let action = BoundAction::new(&measure_action(measure))?;
    let now = unit.now();
    let lifetime = SignedDuration::try_from(DEFAULT_LIFETIME).unwrap_or_default();
    let approval = Approval {
        id: ApprovalId::new(unit.ids().as_ref()),
        incident: measure.incident,
        measure: Some(measure.id),
        action: action.canonical,
        sha256: action.sha256,
        summary: format!(
            "{} ({}, level {}) on {}",
            measure.effect.name(),
            quell_response::validate::sort(&measure.target),
            measure.effect.level(),
            measure.application
        ),
        requester: measure.actor.clone(),
        request_reason: measure.reason.clone(),
        requested_at: now,
        expires_at: now + lifetime,
        decision: None,
        approver: None,
        reason: None,
        decided_at: None,
        used_at: None,
        version: 1,
    };
    unit.insert_approval(&approval).await?;
    let data = json!({
        "approval": approval.id, "measure": measure.id, "sha256": approval.sha256,
        "summary": approval.summary, "expires_at": approval.expires_at,
    });
    unit.event_by(measure.incident, "approval.requested", measure.actor.clone(), now, data);
    let payload = json!({"about": "approval.requested", "approval": approval.id});
    unit.notify(&format!("notify:approval:{}", approval.id), &payload).await?;
    Ok(approval)
}

/// Spends the approval on exactly this measure.
pub(super) async fn spend(
    unit: &mut Unit<'_>,
    id: ApprovalId,
    measure: &Measure,
) -> Result<(), Refused> {
    let mut approval = stored(unit, id).await?;
    let action = BoundAction::new(&measure_action(measure))?;
    let now = unit.now();
    terms(&approval).may_spend(&action, now)?;
    approval.used_at = Some(now);
    unit.update_approval(&mut approval).await?;
    unit.event(measure.incident, "approval.used", json!({"approval": id, "measure": measure.id}));
    Ok(())
}
