//! From logged exchanges to a contained incident, and nothing of it twice.

use quell_control::{Access, Class};
use quell_domain::application::{PolicyAction, PolicyTarget};
use quell_domain::measure::Target;
use quell_domain::{IncidentKind, IncidentState, MeasureState, Severity};
use quell_store::PageRequest;
use quell_triage::IncidentEvent;

use crate::lab::{GATEWAY, Lab, policy, responder, signal};

#[tokio::test]
async fn an_attack_becomes_a_contained_incident_with_evidence() {
    let lab = Lab::with_policy(policy(PolicyAction::Apply, 1, PolicyTarget::Principal)).await;
    lab.acknowledge(GATEWAY).await;
    lab.see(&lab.exchange("mallory")).await;
    assert!(lab.incidents().await.is_empty());
    lab.advance(1);
    let attack = lab.jailbreak("mallory");
    lab.see(&attack).await;

    let incident = lab.incidents().await.remove(0);
    assert_eq!(incident.number, "INC-2026-0001");
    assert_eq!((incident.kind, incident.severity), (IncidentKind::Jailbreak, Severity::High));
    assert_eq!(incident.state, IncidentState::Active);
    assert!(incident.affected.users.contains("mallory"));
    assert_eq!(incident.signal_count, 1);

    let measure = lab.measures().await.remove(0);
    assert_eq!(measure.target, Target::User { user: "mallory".into() });
    assert_eq!(measure.state, MeasureState::Requested);
    assert!(measure.expires_at.is_some());
    let snapshot = lab.control.snapshot().unwrap();
    assert_eq!(snapshot.epoch, measure.epoch);
    assert_eq!(snapshot.content.measures.len(), 1);
    assert!(snapshot.is_intact());

    lab.acknowledge(GATEWAY).await;
    assert_eq!(lab.measure(measure.id).await.state, MeasureState::Acknowledged);
    lab.advance(1);
    lab.probe(GATEWAY, measure.id, true).await;
    let verified = lab.measure(measure.id).await;
    assert_eq!(verified.state, MeasureState::Verified);
    assert!(verified.acknowledged_at < verified.verified_at);
    assert_eq!(lab.control.snapshot().unwrap().epoch, measure.epoch, "proof is no new epoch");
    assert_eq!(lab.incidents().await[0].state, IncidentState::Contained);

    lab.control.reconcile_jobs().await.unwrap();
    let story = lab.story(&incident).await;
    let expected = [
        "incident.opened",
        "incident.declared",
        "measure.proposed",
        "measure.requested",
        "measure.acknowledged",
        "measure.verified",
        "incident.declared",
        "incident.contained",
        "evidence.captured",
    ];
    let found: Vec<&str> = story.iter().map(String::as_str).collect();
    let expected: Vec<&str> =
        expected.iter().enumerate().filter(|(i, _)| *i != 6).map(|(_, kind)| *kind).collect();
    assert_eq!(found, expected);

    let access = responder();
    let page = PageRequest::first(100);
    let evidence = lab.control.evidence(&access, Some(incident.id), &page).await.unwrap().items;
    let names: Vec<&str> = evidence.iter().map(|item| item.name.as_str()).collect();
    let attack_file = format!("interactions/{}.json", attack.id);
    assert!(names.contains(&attack_file.as_str()), "{names:?}");
    for folder in ["sessions/", "configuration/", "rules/", "prompts/", "models/"] {
        assert!(names.iter().any(|name| name.starts_with(folder)), "{folder} in {names:?}");
    }
    assert!(lab.control.verify_evidence(&access, incident.id).await.unwrap().is_empty());
    let bundle = lab.folder().join("bundle");
    let exported = lab
        .control
        .export_evidence_dir(&access, incident.id, "for the regulator", &bundle)
        .await
        .unwrap();
    assert_eq!(exported.items, evidence.len());
    let report = quell_evidence::verify(
        &bundle,
        exported.manifest_sha256.parse().ok(),
        &quell_evidence::VerifyLimits::default(),
    );
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn one_technique_by_several_users_is_one_incident_that_spreads() {
    let lab = Lab::new().await;
    for user in ["mallory", "trudy", "oscar"] {
        lab.see(&lab.jailbreak(user)).await;
        lab.advance(60);
    }
    let incidents = lab.incidents().await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].affected.users.len(), 3);
    assert_eq!(incidents[0].signal_count, 4, "three attempts, and that they are one attack");
    let story = lab.story(&incidents[0]).await;
    assert_eq!(story.iter().filter(|kind| *kind == "incident.spread").count(), 2);

    let mut leak = lab.exchange("mallory");
    leak.signals = vec![signal(&leak, "test_leak", IncidentKind::DataExfiltration)];
    lab.see(&leak).await;
    assert_eq!(lab.incidents().await.len(), 2, "another kind is another incident");
}

#[tokio::test]
async fn rules_in_shadow_mode_open_nothing() {
    let lab = Lab::new().await;
    let mut quiet = lab.jailbreak("mallory");
    quiet.signals[0].mode = quell_domain::rule::RuleMode::Shadow;
    lab.see(&quiet).await;
    assert_eq!(lab.signal_count().await, 1, "it is kept and shown");
    assert!(lab.incidents().await.is_empty() && lab.measures().await.is_empty());
}

#[tokio::test]
async fn reading_the_log_again_changes_nothing() {
    let lab = Lab::with_policy(policy(PolicyAction::Apply, 1, PolicyTarget::Principal)).await;
    for user in ["mallory", "trudy", "mallory", "oscar"] {
        lab.see(&lab.jailbreak(user)).await;
        lab.advance(5);
    }
    let (incidents, measures) = (lab.incidents().await, lab.measures().await);
    let head = *lab.control.feed_head().borrow();
    let store = lab.store().await;
    let mut tx = store.begin().await.unwrap();
    tx.put_log_cursor(GATEWAY, 0).await.unwrap();
    tx.commit().await.unwrap();
    lab.control.reconcile_ingest().await.unwrap();
    assert_eq!(lab.incidents().await, incidents);
    assert_eq!(lab.measures().await, measures);
    assert_eq!(*lab.control.feed_head().borrow(), head, "no new event");
}

#[tokio::test]
async fn a_crash_in_between_loses_and_repeats_nothing() {
    let mut lab = Lab::new().await;
    lab.see(&lab.jailbreak("mallory")).await;
    lab.log(&lab.jailbreak("trudy")).await;
    // The process dies before it could read on.
    lab.restart().await;
    assert_eq!(lab.signal_count().await, 1);
    lab.control.reconcile_ingest().await.unwrap();
    lab.control.reconcile_ingest().await.unwrap();
    assert_eq!(lab.signal_count().await, 2);
    assert_eq!(lab.incidents().await.len(), 1, "what was known before still groups");
}

#[tokio::test]
async fn signals_arrive_once_after_the_database_was_away() {
    let mut lab = Lab::new().await;
    lab.control.stop().await;
    lab.log(&lab.jailbreak("mallory")).await;
    let refused = lab.control.reconcile_ingest().await.unwrap_err();
    assert_eq!(refused.class(), Class::Unavailable);
    lab.restart().await;
    for _ in 0..3 {
        lab.control.reconcile_ingest().await.unwrap();
    }
    assert_eq!(lab.signal_count().await, 1);
    assert_eq!(lab.incidents().await.len(), 1);
}

#[tokio::test]
async fn what_a_person_lowered_rules_do_not_raise_again() {
    let mut lab = Lab::new().await;
    lab.see(&lab.jailbreak("mallory")).await;
    let id = lab.incidents().await[0].id;
    let access = responder();
    lab.control.set_severity(&access, id, Severity::Low, "our own tester").await.unwrap();
    lab.see(&lab.jailbreak("mallory")).await;
    assert_eq!(lab.incidents().await[0].severity, Severity::Low);
    lab.restart().await;
    lab.see(&lab.jailbreak("mallory")).await;
    assert_eq!(lab.incidents().await[0].severity, Severity::Low);
}

#[tokio::test]
async fn harm_after_containment_makes_it_active_again() {
    let lab = Lab::new().await;
    lab.see(&lab.jailbreak("mallory")).await;
    let id = lab.incidents().await[0].id;
    lab.control.change_incident(&responder(), id, IncidentEvent::Contain).await.unwrap();
    lab.advance(5);
    lab.see(&lab.jailbreak("trudy")).await;
    let incident = lab.incidents().await.remove(0);
    assert_eq!(incident.state, IncidentState::Active);
    assert!(lab.story(&incident).await.contains(&"incident.relapsed".to_owned()));
}

#[tokio::test]
async fn text_is_read_for_a_reason_and_leaves_an_event() {
    let lab = Lab::new().await;
    let attack = lab.jailbreak("mallory");
    lab.see(&attack).await;
    let summary = lab.control.interaction(&responder(), attack.id).await.unwrap();
    assert!(!serde_json::to_string(&summary).unwrap().contains("violet heron"));
    let refused = lab.control.read_interaction(&responder(), attack.id, " ").await.unwrap_err();
    assert_eq!(refused.code(), "text_missing");
    let viewer = crate::lab::person("eve", quell_domain::AccessRole::Viewer);
    let refused = lab.control.read_interaction(&viewer, attack.id, "curious").await.unwrap_err();
    assert_eq!(refused.class(), Class::Forbidden);
    let read = lab.control.read_interaction(&responder(), attack.id, "triage").await.unwrap();
    assert_eq!(read.interaction, attack);
    let incident = lab.incidents().await.remove(0);
    let events = lab.control.timeline(&responder(), incident.id, 0).await.unwrap();
    let last = events.last().unwrap();
    assert_eq!(last.kind, "interaction.read");
    assert_eq!(last.data["reason"], "triage");
    let all = serde_json::to_string(&events).unwrap();
    assert!(!all.contains("violet heron"), "no prompt text in the timeline");
}

#[tokio::test]
async fn a_merged_incident_continues_in_the_other() {
    let lab = Lab::new().await;
    let mut weak = lab.jailbreak("mallory");
    weak.signals[0].severity = Severity::Medium;
    weak.upstream = None;
    lab.see(&weak).await;
    let mut leak = lab.exchange("trudy");
    leak.signals = vec![signal(&leak, "test_leak", IncidentKind::DataExfiltration)];
    lab.see(&leak).await;
    let all = lab.incidents().await;
    let find = |kind| all.iter().find(|incident| incident.kind == kind).unwrap();
    let (from, into) = (find(IncidentKind::Jailbreak), find(IncidentKind::DataExfiltration));
    let merge = IncidentEvent::Merge { into: into.id };
    lab.control.change_incident(&responder(), from.id, merge).await.unwrap();
    let view = lab.control.incident(&Access::system(), &into.number).await.unwrap();
    assert_eq!((view.incident.signal_count, view.interactions), (2, 2));
    assert_eq!(view.incident.affected.users.len(), 2);
}
