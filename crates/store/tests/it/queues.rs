//! Outbox, remembered replies, cursors and counters.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use quell_domain::snapshot::GatewayReport;
use quell_store::{BehaviourRow, OutboxKind, StoredReply};
use serde_json::json;

use crate::lab::Lab;

pub(crate) async fn work_is_queued_once_and_put_off_on_failure(lab: &Lab) {
    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.enqueue(OutboxKind::Job, "k1", &json!({"a": 1})).await.unwrap());
    assert!(!tx.enqueue(OutboxKind::Job, "k1", &json!({"a": 2})).await.unwrap());
    assert!(tx.enqueue(OutboxKind::Job, "k2", &json!({})).await.unwrap());
    assert!(tx.enqueue(OutboxKind::Notify, "k3", &json!({})).await.unwrap());
    let due = tx.outbox_due(OutboxKind::Job, lab.now(), 10).await.unwrap();
    assert_eq!(due.len(), 2);
    assert_eq!(due[0].payload, json!({"a": 1}));
    let later = lab.now() + SignedDuration::from_secs(30);
    tx.outbox_failed(&due[0].id, &"x".repeat(2_000), later).await.unwrap();
    tx.outbox_done(&due[1].id).await.unwrap();
    assert!(tx.outbox_due(OutboxKind::Job, lab.now(), 10).await.unwrap().is_empty());
    lab.pass(30);
    let due = tx.outbox_due(OutboxKind::Job, lab.now(), 10).await.unwrap();
    assert_eq!((due.len(), due[0].attempts), (1, 1));
    assert_eq!(due[0].last_error.as_ref().map(String::len), Some(500));
    assert_eq!(tx.purge_outbox(lab.now()).await.unwrap(), 1);
}

pub(crate) async fn replies_are_remembered_per_actor(lab: &Lab) {
    let reply = |body: &str| StoredReply {
        request_sha256: "ab".repeat(32),
        status: 201,
        body: body.into(),
    };
    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.store_reply("user:ada", "k", &reply("{}")).await.unwrap());
    assert!(!tx.store_reply("user:ada", "k", &reply("[]")).await.unwrap());
    assert!(tx.store_reply("user:grace", "k", &reply("[]")).await.unwrap());
    assert_eq!(tx.stored_reply("user:ada", "k").await.unwrap(), Some(reply("{}")));
    assert_eq!(tx.stored_reply("user:ada", "other").await.unwrap(), None);
    lab.pass(1);
    assert_eq!(tx.purge_replies(lab.now()).await.unwrap(), 2);
}

pub(crate) async fn cursors_snapshots_and_reports_are_replaced(lab: &Lab) {
    let report = |epoch| GatewayReport {
        gateway: "gw-1".into(),
        epoch,
        hash: "h".into(),
        probes: Vec::new(),
        refused: None,
        in_flight: 2,
        recorded: 9,
        open_breakers: vec!["main".into()],
        model: None,
        shadow: None,
        spend: None,
    };
    let mut tx = lab.store.begin().await.unwrap();
    assert_eq!(tx.log_cursor("gw-1").await.unwrap(), None);
    for sequence in [5, u64::from(u32::MAX) + 7] {
        tx.put_log_cursor("gw-1", sequence).await.unwrap();
        assert_eq!(tx.log_cursor("gw-1").await.unwrap(), Some(sequence));
    }
    for bytes in [&b"\x00\xff\x01"[..], &[]] {
        tx.put_correlator_snapshot("support-bot", bytes).await.unwrap();
        assert_eq!(tx.correlator_snapshot("support-bot").await.unwrap().as_deref(), Some(bytes));
    }
    for bytes in [vec![0, 255, 1], Vec::new()] {
        let row = BehaviourRow { part: "session".into(), name: "user:u1".into(), bytes };
        tx.put_behaviour_row("support-bot", &row).await.unwrap();
        assert_eq!(tx.behaviour_rows("support-bot").await.unwrap(), [row]);
    }
    assert!(tx.behaviour_rows("other").await.unwrap().is_empty());
    assert_eq!(tx.forget_behaviour(lab.now()).await.unwrap(), 0);
    tx.put_gateway_report(&report(1)).await.unwrap();
    let first_seen_at = lab.now();
    lab.pass(5);
    tx.put_gateway_report(&report(2)).await.unwrap();
    let gateways = tx.gateways().await.unwrap();
    assert_eq!(gateways.len(), 1);
    assert_eq!((gateways[0].first_seen_at, gateways[0].last_seen_at), (first_seen_at, lab.now()));
    assert_eq!(gateways[0].report, report(2));
    assert!(tx.delete_gateway("gw-1").await.unwrap());
    assert!(!tx.delete_gateway("gw-1").await.unwrap());
}

pub(crate) async fn principals_are_counted_once_an_hour(lab: &Lab) {
    let names =
        |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let mut tx = lab.store.begin().await.unwrap();
    tx.note_principals("support-bot", lab.now(), &names(&["a", "b"])).await.unwrap();
    tx.note_principals("support-bot", lab.now(), &names(&["b", "c"])).await.unwrap();
    tx.note_principals("other", lab.now(), &names(&["z"])).await.unwrap();
    assert_eq!(tx.recent_principals("support-bot", lab.now()).await.unwrap(), 3);
    lab.pass(3_600);
    tx.note_principals("support-bot", lab.now(), &names(&["c", "d"])).await.unwrap();
    assert_eq!(tx.recent_principals("support-bot", lab.now()).await.unwrap(), 4);
    lab.pass(3_600);
    assert_eq!(tx.recent_principals("support-bot", lab.now()).await.unwrap(), 2);
    assert_eq!(tx.purge_principals(lab.now()).await.unwrap(), 6);
}
