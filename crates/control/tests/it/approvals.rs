//! Level 4: by somebody else, in time, once, and only what was approved.

use quell_control::Class;
use quell_control::measures::NewMeasure;
use quell_domain::measure::{Effect, Target};
use quell_domain::{AccessRole, ApprovalId, MeasureId, MeasureState};

use crate::lab::{GATEWAY, Lab, approver, person, responder};

fn shutdown() -> NewMeasure {
    NewMeasure {
        application: "shop".into(),
        target: Target::Application,
        effect: Effect::Shutdown,
        reason: "it leaks".into(),
        incident: None,
        minutes: None,
    }
}

async fn asked(lab: &Lab) -> (MeasureId, ApprovalId) {
    let measure = lab.control.propose_measure(&responder(), shutdown()).await.unwrap().measure;
    let page = quell_store::PageRequest::first(10);
    let all = lab.control.approvals(&responder(), true, &page).await.unwrap().items;
    let approval = all.iter().find(|a| a.measure == Some(measure.id)).unwrap();
    (measure.id, approval.id)
}

#[tokio::test]
async fn without_an_approval_nobody_shuts_down() {
    let lab = Lab::new().await;
    for access in [responder(), approver(), person("root", AccessRole::Admin)] {
        let refused = lab.control.apply_measure(&access, shutdown()).await.unwrap_err();
        assert_eq!(refused.code(), "measure.approval_required");
    }
    let (measure, _) = asked(&lab).await;
    let refused = lab.control.apply_proposed(&approver(), measure).await.unwrap_err();
    assert_eq!(refused.code(), "measure.approval_required");
    assert!(lab.control.snapshot().unwrap().content.measures.is_empty());
}

#[tokio::test]
async fn the_requester_cannot_approve_whatever_the_role() {
    let lab = Lab::new().await;
    let (_, approval) = asked(&lab).await;
    let own = person("ada", AccessRole::Admin);
    let refused = lab.control.decide_approval(&own, approval, true, "yes", true).await.unwrap_err();
    assert_eq!(refused.code(), "approval.own_request");
    let other = person("cid", AccessRole::Responder);
    let refused =
        lab.control.decide_approval(&other, approval, true, "yes", true).await.unwrap_err();
    assert_eq!(refused.class(), Class::Forbidden);
}

#[tokio::test]
async fn an_approval_lapses() {
    let lab = Lab::new().await;
    let (_, late) = asked(&lab).await;
    lab.advance(3_600);
    let refused = lab.control.decide_approval(&approver(), late, true, "yes", true).await;
    assert_eq!(refused.unwrap_err().code(), "approval.lapsed");

    let (measure, granted) = asked(&lab).await;
    lab.control.decide_approval(&approver(), granted, true, "yes", false).await.unwrap();
    assert_eq!(lab.measure(measure).await.state, MeasureState::Approved);
    lab.advance(3_600);
    let refused = lab.control.apply_proposed(&responder(), measure).await.unwrap_err();
    assert_eq!(refused.code(), "approval.lapsed");
}

#[tokio::test]
async fn an_approval_is_spent_once() {
    let lab = Lab::new().await;
    let (measure, approval) = asked(&lab).await;
    lab.control.decide_approval(&approver(), approval, true, "yes", false).await.unwrap();
    let applied = lab.control.apply_proposed(&responder(), measure).await.unwrap();
    assert_eq!(applied.measure.state, MeasureState::Requested);
    assert_eq!(applied.epoch, Some(lab.control.snapshot().unwrap().epoch));
    let refused = lab.control.apply_proposed(&responder(), measure).await.unwrap_err();
    assert_eq!(refused.code(), "approval.not_granted");
    let again = lab.control.decide_approval(&approver(), approval, true, "yes", true).await;
    assert_eq!(again.unwrap_err().code(), "approval.decided");
}

#[tokio::test]
async fn approved_and_applied_in_one_step_and_lifted_by_an_approver() {
    let lab = Lab::new().await;
    lab.acknowledge(GATEWAY).await;
    let (measure, approval) = asked(&lab).await;
    let done = lab.control.decide_approval(&approver(), approval, true, "yes", true).await.unwrap();
    assert_eq!(done.measure.unwrap().state, MeasureState::Requested);
    assert!(done.approval.used_at.is_some());
    lab.probe(GATEWAY, measure, true).await;
    assert_eq!(lab.measure(measure).await.state, MeasureState::Verified);
    let refused = lab.control.lift_measure(&responder(), measure, "fixed").await.unwrap_err();
    assert_eq!(refused.class(), Class::Forbidden);
    lab.control.lift_measure(&approver(), measure, "fixed").await.unwrap();
}

#[tokio::test]
async fn a_denied_request_rejects_its_measure() {
    let lab = Lab::new().await;
    let (measure, approval) = asked(&lab).await;
    lab.control.decide_approval(&approver(), approval, false, "too much", true).await.unwrap();
    assert_eq!(lab.measure(measure).await.state, MeasureState::Rejected);
}
