//! Incidents, and what belongs to them.

use jiff::SignedDuration;
use quell_domain::{IncidentKind, IncidentState, InteractionId, Principal, Severity};
use quell_store::{IncidentFilter, IncidentInteraction, PageRequest, SignalFilter, StoreError};

use crate::lab::Lab;

pub(crate) async fn a_stale_update_is_a_conflict(lab: &Lab) {
    let incident = lab.incident("Contested").await;
    let (mut mine, mut theirs) = (incident.clone(), incident);
    mine.title = "Mine".into();
    theirs.state = IncidentState::Closed;
    let mut tx = lab.store.begin().await.unwrap();
    tx.update_incident(&mut mine).await.unwrap();
    assert_eq!(mine.version, 2);
    tx.commit().await.unwrap();
    let mut tx = lab.store.begin().await.unwrap();
    let refused = tx.update_incident(&mut theirs).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { what: "the incident" }), "{refused}");
    assert_eq!(theirs.version, 1);
    assert_eq!(tx.incident(mine.id).await.unwrap(), Some(mine));
}

pub(crate) async fn of_two_writers_one_wins(lab: &Lab) {
    let incident = lab.incident("Raced").await;
    let writers = (0..6).map(|index| {
        let (store, mut copy) = (lab.store.clone(), incident.clone());
        copy.title = format!("Writer {index}");
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            tx.update_incident(&mut copy).await?;
            tx.commit().await
        })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert!(error.is_conflict(), "{error:?}"),
        }
    }
    assert_eq!(won, 1);
}

pub(crate) async fn lists_filter_and_page(lab: &Lab) {
    let first = lab.incident("First").await;
    lab.pass(60);
    let mut second = lab.incident("Second").await;
    lab.pass(60);
    let third = lab.incident("Third").await;
    assert_eq!(third.number, "INC-2026-0003");
    let mut tx = lab.store.begin().await.unwrap();
    second.state = IncidentState::Closed;
    second.severity = Severity::Low;
    second.kind = IncidentKind::Drift;
    tx.update_incident(&mut second).await.unwrap();
    tx.commit().await.unwrap();

    let minute = SignedDuration::from_mins(1);
    let all = IncidentFilter::default;
    let cases = [
        (all(), vec![&third, &second, &first]),
        (IncidentFilter { open: Some(true), ..all() }, vec![&third, &first]),
        (IncidentFilter { open: Some(false), ..all() }, vec![&second]),
        (IncidentFilter { state: Some(IncidentState::Closed), ..all() }, vec![&second]),
        (IncidentFilter { severity: Some(Severity::High), ..all() }, vec![&third, &first]),
        (IncidentFilter { kind: Some(IncidentKind::Drift), ..all() }, vec![&second]),
        (IncidentFilter { application: Some("other".into()), ..all() }, vec![]),
        (IncidentFilter { text: Some("THIRD".into()), ..all() }, vec![&third]),
        (IncidentFilter { text: Some("2026-0001".into()), ..all() }, vec![&first]),
        (IncidentFilter { from: Some(first.opened_at + minute), ..all() }, vec![&third, &second]),
        (IncidentFilter { to: Some(first.opened_at + minute), ..all() }, vec![&first]),
    ];
    let mut read = lab.store.read().await.unwrap();
    for (filter, expected) in cases {
        let page = read.incidents(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(page.next, None);
    }
    let page = read.incidents(&all(), &PageRequest::first(2)).await.unwrap();
    assert_eq!(page.items, [third.clone(), second.clone()]);
    let rest = PageRequest { limit: 2, cursor: page.next };
    let page = read.incidents(&all(), &rest).await.unwrap();
    assert_eq!((page.items, page.next), (vec![first.clone()], None));
    assert_eq!(read.incident_by_number(&second.number).await.unwrap(), Some(second));
    let joined = read.open_incident("support-bot", "jailbreak/roleplay").await.unwrap();
    assert_eq!(joined, Some(third));
    assert_eq!(read.open_incidents("support-bot", 1).await.unwrap().len(), 1);
}

pub(crate) async fn text_filters_are_literal(lab: &Lab) {
    let odd = lab.incident("100% Ärger_! 'quoted'").await;
    lab.incident("100 plain").await;
    let mut read = lab.store.read().await.unwrap();
    for text in ["100%", "ÄRGER_!", "'quoted'"] {
        let filter = IncidentFilter { text: Some(text.into()), ..IncidentFilter::default() };
        let page = read.incidents(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(page.items, std::slice::from_ref(&odd), "{text}");
    }
}

pub(crate) async fn replayed_signals_change_nothing(lab: &Lab) {
    let (incident, other) = (lab.incident("Home").await, lab.incident("Away").await);
    let mut record = lab.signal("sig-1", Severity::High);
    record.incident = Some(incident.id);
    for round in 0..3 {
        let mut tx = lab.store.begin().await.unwrap();
        assert_eq!(tx.insert_signal(&record).await.unwrap(), round == 0);
        record.application = "replayed".into();
        tx.commit().await.unwrap();
    }
    let mut tx = lab.store.begin().await.unwrap();
    let stored = tx.signal("sig-1").await.unwrap().unwrap();
    assert_eq!(stored.application, "support-bot");
    assert_eq!(tx.signal_count(incident.id).await.unwrap(), 1);
    assert!(tx.assign_signal("sig-1", other.id).await.unwrap());
    assert!(!tx.assign_signal("sig-2", other.id).await.unwrap());
    assert_eq!(tx.signal("sig-1").await.unwrap().unwrap().incident, Some(other.id));
    let of_other = SignalFilter { incident: Some(other.id), ..SignalFilter::default() };
    let page = tx.signals(&of_other, &PageRequest::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    tx.move_signals(other.id, incident.id).await.unwrap();
    assert_eq!(tx.signal_count(incident.id).await.unwrap(), 1);
    assert!(tx.signals(&of_other, &PageRequest::default()).await.unwrap().items.is_empty());
    let mut homeless = lab.signal("sig-3", Severity::Low);
    homeless.incident = Some(quell_domain::IncidentId::new(lab.ids.as_ref()));
    let dangling = tx.insert_signal(&homeless).await;
    assert!(matches!(dangling, Err(StoreError::Dangling)));
}

pub(crate) async fn signals_are_counted_over_time(lab: &Lab) {
    let start = lab.now();
    let mut tx = lab.store.begin().await.unwrap();
    for (id, severity, seconds) in [
        ("a", Severity::High, 0),
        ("b", Severity::High, 59),
        ("c", Severity::Low, 59),
        ("d", Severity::High, 180),
        ("e", Severity::High, 300),
    ] {
        let mut record = lab.signal(id, severity);
        record.at = start + SignedDuration::from_secs(seconds);
        tx.insert_signal(&record).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut read = lab.store.read().await.unwrap();
    let end = start + SignedDuration::from_secs(300);
    let counts = read.signals_over_time(None, start, end, 60).await.unwrap();
    let shown: Vec<_> = counts
        .iter()
        .map(|count| ((count.from - start).get_seconds(), count.severity, count.count))
        .collect();
    assert_eq!(shown, [(0, Severity::High, 2), (0, Severity::Low, 1), (180, Severity::High, 1)]);
    let mut found = Vec::new();
    let mut page = PageRequest::first(2);
    loop {
        let filter = SignalFilter {
            severity: Some(Severity::High),
            from: Some(start),
            to: None,
            ..SignalFilter::default()
        };
        let part = read.signals(&filter, &page).await.unwrap();
        found.extend(part.items.into_iter().map(|record| record.signal.id));
        let Some(next) = part.next else { break };
        page.cursor = Some(next);
    }
    assert_eq!(found, ["e", "d", "b", "a"]);
}

pub(crate) async fn interactions_and_roles_are_kept(lab: &Lab) {
    let incident = lab.incident("Whole").await;
    let link = |why: &str| IncidentInteraction {
        incident: incident.id,
        interaction: InteractionId::new(lab.ids.as_ref()),
        gateway: "gw-1".into(),
        sequence: 7,
        at: lab.now(),
        principal: Principal::default(),
        why: why.into(),
    };
    let (first, second) = (link("Role-play jailbreak"), link("same session"));
    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.link_interaction(&first).await.unwrap());
    assert!(tx.link_interaction(&second).await.unwrap());
    assert!(!tx.link_interaction(&first).await.unwrap());
    assert_eq!(tx.incident_interaction_count(incident.id).await.unwrap(), 2);
    let page = tx.incident_interactions(incident.id, &PageRequest::first(1)).await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&first));
    let rest = PageRequest { limit: 1, cursor: page.next };
    let page = tx.incident_interactions(incident.id, &rest).await.unwrap();
    assert_eq!((page.items, page.next), (vec![second], None));
    let of = tx.incidents_of_interaction(first.interaction).await.unwrap();
    assert_eq!(of, [first]);

    assert!(tx.assume_role(incident.id, "commander", "ada").await.unwrap());
    assert!(!tx.assume_role(incident.id, "commander", "ada").await.unwrap());
    lab.pass(30);
    assert!(tx.renounce_role(incident.id, "commander", "ada").await.unwrap());
    assert!(!tx.renounce_role(incident.id, "commander", "ada").await.unwrap());
    assert!(tx.assume_role(incident.id, "commander", "grace").await.unwrap());
    let roles = tx.roles(incident.id).await.unwrap();
    let held: Vec<_> =
        roles.iter().map(|role| (role.person.as_str(), role.renounced_at.is_none())).collect();
    assert_eq!(held, [("ada", false), ("grace", true)]);
}
