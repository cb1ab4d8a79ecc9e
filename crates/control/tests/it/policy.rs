//! What automatic response may not do.

use quell_domain::application::{PolicyAction, PolicyTarget};
use quell_domain::interaction::Outcome;
use quell_domain::measure::{Effect, Target};
use quell_domain::{MeasureState, Severity, TrustGrade};

use crate::lab::{Lab, policy, responder};

#[tokio::test]
async fn a_forged_user_header_gets_nobody_else_blocked() {
    let lab = Lab::with_policy(policy(PolicyAction::Apply, 1, PolicyTarget::Principal)).await;
    let mut forged = lab.jailbreak("victim");
    forged.principal.user.as_mut().unwrap().grade = TrustGrade::Asserted;
    lab.see(&forged).await;
    let measures = lab.measures().await;
    assert_eq!(measures.len(), 1);
    let claimed = Target::Session { session: "victim-session".into() };
    assert!(measures[0].target != claimed || measures[0].state == MeasureState::Proposed);
    assert_ne!(measures[0].target, Target::User { user: "victim".into() });
}

#[tokio::test]
async fn past_the_collateral_cap_it_only_proposes() {
    let lab = Lab::with_policy(policy(PolicyAction::Apply, 3, PolicyTarget::Application)).await;
    for number in 0..40 {
        lab.log(&lab.exchange(&format!("user-{number}"))).await;
    }
    lab.see(&lab.jailbreak("mallory")).await;
    let measures = lab.measures().await;
    assert_eq!(measures.len(), 1);
    assert_eq!(measures[0].state, MeasureState::Proposed);
    assert!(measures[0].reason.contains("cap"), "{}", measures[0].reason);
    assert!(lab.control.snapshot().unwrap().content.measures.is_empty());
}

#[tokio::test]
async fn the_cap_counts_what_is_in_force_already() {
    let lab = Lab::with_policy(policy(PolicyAction::Apply, 1, PolicyTarget::Principal)).await;
    for number in 0..6 {
        lab.see(&lab.jailbreak(&format!("user-{number}"))).await;
    }
    let measures = lab.measures().await;
    let count = |state| measures.iter().filter(|m| m.state == state).count();
    assert_eq!(count(MeasureState::Requested), 3, "the floor of the cap");
    assert_eq!(count(MeasureState::Proposed), 3);
}

#[tokio::test]
async fn when_it_gets_worse_everybody_found_so_far_is_concerned() {
    let mut severe = policy(PolicyAction::Apply, 1, PolicyTarget::Principal);
    severe.rules[0].min_severity = Severity::High;
    let lab = Lab::with_policy(severe).await;
    for user in ["mallory", "trudy", "oscar"] {
        let mut stopped = lab.jailbreak(user);
        stopped.outcome = Outcome::Blocked;
        lab.see(&stopped).await;
    }
    assert_eq!(lab.incidents().await[0].severity, Severity::High, "it spreads");
    let all = lab.measures().await;
    let applied: Vec<_> = all.iter().filter(|m| m.state == MeasureState::Requested).collect();
    assert_eq!(applied.len(), 3, "{all:?}");
}

#[tokio::test]
async fn a_measure_that_ran_out_is_applied_again_when_it_goes_on() {
    let lab = Lab::with_policy(policy(PolicyAction::Apply, 1, PolicyTarget::Principal)).await;
    lab.see(&lab.jailbreak("mallory")).await;
    lab.advance(31 * 60);
    lab.control.reconcile_enforcement().await.unwrap();
    assert_eq!(lab.measures().await[0].state, MeasureState::Expired);
    lab.see(&lab.jailbreak("mallory")).await;
    let states: Vec<_> = lab.measures().await.iter().map(|m| m.state).collect();
    assert_eq!(states, [MeasureState::Requested, MeasureState::Expired]);
}

#[tokio::test]
async fn level_four_is_proposed_with_a_request_for_approval() {
    let lab = Lab::with_policy(policy(PolicyAction::Propose, 4, PolicyTarget::Application)).await;
    lab.see(&lab.jailbreak("mallory")).await;
    let measure = lab.measures().await.remove(0);
    assert_eq!((measure.state, &measure.effect), (MeasureState::Proposed, &Effect::Shutdown));
    let refused = lab.control.apply_proposed(&responder(), measure.id).await.unwrap_err();
    assert_eq!(refused.code(), "measure.approval_required");
    let page = quell_store::PageRequest::first(10);
    let asked = lab.control.approvals(&responder(), true, &page).await.unwrap().items;
    assert_eq!(asked[0].measure, Some(measure.id));
}

#[tokio::test]
async fn what_a_person_rejected_or_lifted_is_not_done_again() {
    let lab = Lab::with_policy(policy(PolicyAction::Apply, 1, PolicyTarget::Principal)).await;
    lab.see(&lab.jailbreak("mallory")).await;
    let first = lab.measures().await.remove(0);
    lab.control.lift_measure(&responder(), first.id, "our tester").await.unwrap();
    for _ in 0..12 {
        lab.see(&lab.jailbreak("mallory")).await;
    }
    assert_eq!(lab.measures().await.len(), 1);
}
