//! Requested, acknowledged, verified: three states, each with its own proof.

use std::time::Duration;

use quell_control::measures::NewMeasure;
use quell_domain::measure::{Effect, Target};
use quell_domain::{Measure, MeasureState};

use crate::lab::{Lab, responder};

fn restrict(user: &str, minutes: Option<u32>) -> NewMeasure {
    NewMeasure {
        application: "shop".into(),
        target: Target::User { user: user.into() },
        effect: Effect::Restrict,
        reason: "attacks".into(),
        incident: None,
        minutes,
    }
}

async fn applied(lab: &Lab, minutes: Option<u32>) -> Measure {
    let new = restrict("mallory", minutes);
    lab.control.apply_measure(&responder(), new).await.unwrap().measure
}

#[tokio::test]
async fn every_live_gateway_must_hold_and_prove_it() {
    let lab = Lab::new().await;
    lab.acknowledge("gateway-1").await;
    lab.acknowledge("gateway-2").await;
    let measure = applied(&lab, None).await;
    assert_eq!(measure.state, MeasureState::Requested);
    lab.acknowledge("gateway-1").await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Requested);
    lab.acknowledge("gateway-2").await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Acknowledged);
    lab.probe("gateway-1", measure.id, true).await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Acknowledged);
    lab.probe("gateway-2", measure.id, true).await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Verified);
}

#[tokio::test]
async fn a_gateway_that_fell_silent_is_not_waited_for() {
    let lab = Lab::new().await;
    lab.acknowledge("gateway-1").await;
    lab.acknowledge("gateway-2").await;
    let measure = applied(&lab, None).await;
    lab.advance(14);
    lab.acknowledge("gateway-1").await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Requested);
    lab.advance(2);
    lab.acknowledge("gateway-1").await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Acknowledged);
}

#[tokio::test]
async fn without_a_gateway_nothing_is_acknowledged() {
    let lab = Lab::new().await;
    let measure = applied(&lab, None).await;
    lab.control.reconcile_enforcement().await.unwrap();
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Requested);
}

#[tokio::test]
async fn a_failed_proof_is_said_and_stays_in_force_until_it_holds() {
    let lab = Lab::new().await;
    lab.acknowledge("gateway-1").await;
    let measure = applied(&lab, None).await;
    lab.probe("gateway-1", measure.id, false).await;
    let failed = lab.measure(measure.id).await;
    assert_eq!(failed.state, MeasureState::Failed);
    assert!(failed.detail.unwrap().contains("a stream passed"));
    assert_eq!(lab.control.snapshot().unwrap().content.measures.len(), 1);
    lab.probe("gateway-1", measure.id, true).await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Verified);
    lab.probe("gateway-1", measure.id, false).await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Failed);
}

#[tokio::test]
async fn a_proof_under_an_older_epoch_proves_nothing() {
    let lab = Lab::new().await;
    lab.acknowledge("gateway-1").await;
    let measure = applied(&lab, None).await;
    let mut report = lab.report("gateway-1", Vec::new());
    report.probes = vec![quell_domain::snapshot::ProbeResult {
        measure: measure.id,
        epoch: measure.epoch - 1,
        met: true,
        detail: "old".into(),
        at: quell_domain::Clock::now(lab.clock.as_ref()),
    }];
    lab.control.report(report).await.unwrap();
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Acknowledged);
}

#[tokio::test]
async fn a_refused_snapshot_fails_the_measure() {
    let lab = Lab::new().await;
    let before = lab.report("gateway-1", Vec::new());
    lab.acknowledge("gateway-1").await;
    let measure = applied(&lab, None).await;
    let mut report = before;
    report.refused = Some("rule 7 does not compile".into());
    lab.control.report(report).await.unwrap();
    let failed = lab.measure(measure.id).await;
    assert_eq!(failed.state, MeasureState::Failed);
    assert!(failed.detail.unwrap().contains("rule 7"));
}

#[tokio::test]
async fn expiry_takes_it_out_of_the_snapshot() {
    let lab = Lab::new().await;
    lab.acknowledge("gateway-1").await;
    let measure = applied(&lab, Some(10)).await;
    lab.advance(600);
    lab.control.reconcile_enforcement().await.unwrap();
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Expired);
    let snapshot = lab.control.snapshot().unwrap();
    assert!(snapshot.content.measures.is_empty());
    assert!(snapshot.epoch > measure.epoch);
}

#[tokio::test]
async fn a_lift_is_proved_too() {
    let lab = Lab::new().await;
    lab.acknowledge("gateway-1").await;
    let measure = applied(&lab, None).await;
    lab.probe("gateway-1", measure.id, true).await;
    lab.control.lift_measure(&responder(), measure.id, "a mistake").await.unwrap();
    let snapshot = lab.control.snapshot().unwrap();
    assert_eq!((snapshot.content.measures.len(), snapshot.content.lifting.len()), (0, 1));
    lab.acknowledge("gateway-1").await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Lifting);
    lab.probe("gateway-1", measure.id, true).await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Lifted);
}

#[tokio::test]
async fn epochs_only_rise_also_after_a_restore() {
    let lab = Lab::new().await;
    let mut ahead = lab.report("gateway-1", Vec::new());
    ahead.epoch += 100;
    lab.control.report(ahead.clone()).await.unwrap();
    assert!(lab.control.snapshot().unwrap().epoch > ahead.epoch);
}

#[tokio::test]
async fn whoever_waits_for_a_snapshot_gets_the_next_one() {
    let lab = Lab::new().await;
    let held = lab.control.snapshot().unwrap().epoch;
    assert!(lab.control.snapshot_after(held, Duration::from_millis(20)).await.is_none());
    let control = lab.control.clone();
    let wait =
        tokio::spawn(async move { control.snapshot_after(held, Duration::from_secs(10)).await });
    let measure = applied(&lab, None).await;
    assert_eq!(wait.await.unwrap().unwrap().epoch, measure.epoch);
}

#[tokio::test]
async fn a_measure_that_makes_no_sense_is_refused() {
    let lab = Lab::new().await;
    let bad = [
        (NewMeasure { target: Target::Application, ..restrict("u", None) }, "measure.scope"),
        (restrict("", None), "measure.target"),
        (restrict("u", Some(0)), "measure.minutes"),
        (NewMeasure { application: "none".into(), ..restrict("u", None) }, "not_found"),
        (NewMeasure { reason: "  ".into(), ..restrict("u", None) }, "text_missing"),
    ];
    for (new, code) in bad {
        let refused = lab.control.apply_measure(&responder(), new).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    assert!(lab.measures().await.is_empty());
}
