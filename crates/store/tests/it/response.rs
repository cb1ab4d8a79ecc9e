//! Measures, approvals, evidence.

use jiff::SignedDuration;
use quell_domain::measure::{Effect, Target};
use quell_domain::{Actor, ApprovalId, EvidenceId, Measure, MeasureId, MeasureState};
use quell_store::{Approval, ApprovalDecision, EvidenceItem, MeasureFilter, PageRequest};

use crate::lab::Lab;

fn measure(lab: &Lab) -> Measure {
    Measure {
        id: MeasureId::new(lab.ids.as_ref()),
        application: "support-bot".into(),
        target: Target::User { user: "mallory".into() },
        effect: Effect::Restrict,
        reason: "repeated jailbreaks".into(),
        incident: None,
        actor: Actor::Policy("support-bot".into()),
        approval: None,
        expires_at: Some(lab.now() + SignedDuration::from_mins(5)),
        state: MeasureState::Requested,
        created_at: lab.now(),
        requested_at: None,
        acknowledged_at: None,
        verified_at: None,
        ended_at: None,
        epoch: 1,
        detail: None,
        version: 1,
    }
}

pub(crate) async fn measures_move_through_their_states(lab: &Lab) {
    let incident = lab.incident("Contained").await;
    let (mut first, second) = (measure(lab), measure(lab));
    let mut tx = lab.store.begin().await.unwrap();
    tx.insert_measure(&first).await.unwrap();
    tx.insert_measure(&second).await.unwrap();
    assert_eq!(tx.current_measures().await.unwrap(), [first.clone(), second.clone()]);
    assert!(tx.expired_measures(lab.now()).await.unwrap().is_empty());
    lab.pass(300);
    assert_eq!(tx.expired_measures(lab.now()).await.unwrap().len(), 2);

    let mut stale = first.clone();
    first.state = MeasureState::Expired;
    first.incident = Some(incident.id);
    tx.update_measure(&mut first).await.unwrap();
    assert!(tx.update_measure(&mut stale).await.is_err_and(|error| error.is_conflict()));
    assert_eq!(tx.current_measures().await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(tx.measure(first.id).await.unwrap(), Some(first.clone()));

    let all = MeasureFilter::default;
    for (filter, expected) in [
        (all(), vec![&second, &first]),
        (MeasureFilter { current: Some(false), ..all() }, vec![&first]),
        (MeasureFilter { incident: Some(incident.id), ..all() }, vec![&first]),
        (MeasureFilter { state: Some(MeasureState::Requested), ..all() }, vec![&second]),
        (MeasureFilter { application: Some("other".into()), ..all() }, vec![]),
    ] {
        let page = tx.measures(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

pub(crate) async fn an_approval_is_used_once(lab: &Lab) {
    let mut approval = Approval {
        id: ApprovalId::new(lab.ids.as_ref()),
        incident: None,
        action: "{}".into(),
        sha256: "ab".repeat(32),
        measure: None,
        summary: "Shut support-bot down".into(),
        requester: Actor::User("ada".into()),
        request_reason: "it leaks".into(),
        requested_at: lab.now(),
        expires_at: lab.now() + SignedDuration::from_mins(30),
        decision: None,
        approver: None,
        reason: None,
        decided_at: None,
        used_at: None,
        version: 1,
    };
    let mut tx = lab.store.begin().await.unwrap();
    tx.insert_approval(&approval).await.unwrap();
    let page = PageRequest::default();
    assert_eq!(tx.approvals(true, None, &page).await.unwrap().items, [approval.clone()]);
    approval.decision = Some(ApprovalDecision::Approved);
    approval.approver = Some(Actor::User("grace".into()));
    tx.update_approval(&mut approval).await.unwrap();
    assert!(tx.approvals(true, None, &page).await.unwrap().items.is_empty());
    assert_eq!(tx.approvals(false, None, &page).await.unwrap().items, [approval.clone()]);
    tx.commit().await.unwrap();

    let users = (0..4).map(|_| {
        let (store, mut copy, now) = (lab.store.clone(), approval.clone(), lab.now());
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            copy.used_at = Some(now);
            tx.update_approval(&mut copy).await?;
            tx.commit().await
        })
    });
    let mut used = 0;
    for user in users.collect::<Vec<_>>() {
        used += i32::from(user.await.unwrap().is_ok());
    }
    assert_eq!(used, 1);
}

pub(crate) async fn evidence_is_listed_in_order(lab: &Lab) {
    let incident = lab.incident("Proven").await;
    let item = |name: &str| EvidenceItem {
        id: EvidenceId::new(lab.ids.as_ref()),
        incident: incident.id,
        sha256: "cd".repeat(32),
        size: 12,
        media_type: "application/json".into(),
        name: name.into(),
        source: "interaction log".into(),
        collected_at: lab.now(),
        actor: Actor::System,
    };
    let items = [item("a.json"), item("b.json"), item("c.json")];
    let mut tx = lab.store.begin().await.unwrap();
    for item in &items {
        tx.insert_evidence_item(item).await.unwrap();
    }
    let page = tx.evidence_items(Some(incident.id), &PageRequest::first(2)).await.unwrap();
    assert_eq!(page.items, items[..2]);
    let rest = PageRequest { limit: 2, cursor: page.next };
    assert_eq!(tx.evidence_items(None, &rest).await.unwrap().items, items[2..]);
    assert_eq!(tx.evidence_item(items[0].id).await.unwrap(), Some(items[0].clone()));
}
