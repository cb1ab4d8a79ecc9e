//! Labels on signals, and models.

use quell_domain::feedback::{Label, LabelSource};
use quell_domain::rule::RuleMode;
use quell_domain::{Actor, Severity};
use quell_store::{
    GateResult, LabelFilter, ModelRecord, ModelState, PageRequest, RuleFigures, SignalLabel,
};

use crate::lab::Lab;

fn said(lab: &Lab, signal: &str, label: Label) -> SignalLabel {
    SignalLabel {
        signal: signal.into(),
        label,
        source: LabelSource::Person,
        rule: "jailbreak-roleplay".into(),
        application: "support-bot".into(),
        incident: None,
        actor: Actor::User("ada".into()),
        at: lab.now(),
        reason: "a game for children".into(),
    }
}

pub(crate) async fn signals_are_labelled_one_by_one_and_by_incident(lab: &Lab) {
    let incident = lab.incident("Closed").await;
    let ada = Actor::User("ada".into());
    let mut tx = lab.store.begin().await.unwrap();
    for id in ["sig_1", "sig_2", "sig_3"] {
        let mut record = lab.signal(id, Severity::High);
        if id == "sig_2" {
            record.signal.mode = RuleMode::Shadow;
        }
        assert!(tx.insert_signal(&record).await.unwrap());
        assert!(tx.assign_signal(id, incident.id).await.unwrap());
    }
    let first = said(lab, "sig_1", Label::FalsePositive);
    tx.put_signal_label(&first).await.unwrap();
    lab.pass(1);
    let given = tx.label_incident(incident.id, Label::Confirmed, &ada, "real").await.unwrap();
    assert_eq!(given, 2, "what a person said stays");
    assert_eq!(tx.signal_label("sig_1").await.unwrap(), Some(first.clone()));
    let second = tx.signal_label("sig_2").await.unwrap().unwrap();
    assert_eq!((second.label, second.source), (Label::Confirmed, LabelSource::Incident));
    assert_eq!(second.incident, Some(incident.id));
    assert_eq!(second.reason, "real");

    let page = tx.labels(&LabelFilter::default(), &PageRequest::first(2)).await.unwrap();
    let signals: Vec<&str> = page.items.iter().map(|(l, _)| l.signal.as_str()).collect();
    assert_eq!(signals, ["sig_3", "sig_2"]);
    assert_eq!(page.items[0].1.incident, Some(incident.id));
    let rest = PageRequest { limit: 2, cursor: page.next };
    let rest = tx.labels(&LabelFilter::default(), &rest).await.unwrap();
    assert_eq!(rest.items[0].0, first);
    let only = LabelFilter { label: Some(Label::FalsePositive), ..LabelFilter::default() };
    assert_eq!(tx.labels(&only, &PageRequest::default()).await.unwrap().items.len(), 1);

    let figures = tx.rule_figures(lab.now()).await.unwrap();
    let expected = RuleFigures {
        rule: "jailbreak-roleplay".into(),
        day: 3,
        week: 3,
        would_act: 1,
        confirmed: 2,
        false_positive: 1,
    };
    assert_eq!(figures, [expected]);
    assert_eq!(figures[0].precision(), Some(67));

    assert_eq!(tx.unlabel_incident(incident.id).await.unwrap(), 2);
    assert!(tx.delete_signal_label("sig_1").await.unwrap());
    assert!(!tx.delete_signal_label("sig_1").await.unwrap());
    let figures = tx.rule_figures(lab.now()).await.unwrap();
    assert_eq!(figures[0].precision(), None);
}

pub(crate) async fn a_model_moves_by_its_version(lab: &Lab) {
    let mut model = ModelRecord {
        sha256: "ab".repeat(32),
        name: "with feedback".into(),
        size: 3,
        state: ModelState::Candidate,
        proposed_by: Actor::User("ada".into()),
        proposed_at: lab.now(),
        reason: "ten new labels".into(),
        gate: GateResult { passed: true, ..GateResult::default() },
        shadow_since: None,
        shadow_by: None,
        approval: None,
        released_by: None,
        released_at: None,
        replaces: None,
        ended: None,
        version: 1,
    };
    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.insert_model(&model, &[0, 255, 1]).await.unwrap());
    assert!(!tx.insert_model(&model, &[9]).await.unwrap(), "one digest, one model");
    assert_eq!(tx.model_bytes(&model.sha256).await.unwrap(), Some(vec![0, 255, 1]));
    let mut stale = model.clone();
    model.state = ModelState::Shadow;
    tx.update_model(&mut model).await.unwrap();
    assert!(tx.update_model(&mut stale).await.is_err_and(|error| error.is_conflict()));
    assert_eq!(tx.model_in(ModelState::Shadow).await.unwrap(), Some(model.clone()));
    assert_eq!(tx.model_in(ModelState::Released).await.unwrap(), None);
    assert_eq!(tx.models().await.unwrap(), [model]);
}
