//! A classifier from proposal to release and back, with two people.

use http::{Method, StatusCode, header};
use jiff::Timestamp;
use quell_detection::classifier::{Classifier, Model};
use quell_domain::AccessRole;
use quell_domain::Actor;
use quell_domain::canonical::sha256_hex;
use quell_store::{GateResult, ModelRecord, ModelState};
use serde_json::json;

use crate::lab::{As, Lab, Reply, request};

/// The shipped model with `shift` on the logit of a user's attack.
fn shifted(shift: f32) -> Vec<u8> {
    let mut model: Model = Classifier::embedded().unwrap().model().clone();
    model.description.name = format!("shifted by {shift}");
    for judge in [&mut model.description.user, &mut model.description.document] {
        judge.bias += shift;
    }
    model.to_bytes().unwrap()
}

/// Puts a model that flags nothing into force, as if it had been released.
async fn blunt(lab: &Lab) -> String {
    let bytes = shifted(-1_000.0);
    let sha256 = sha256_hex(&bytes);
    let record = ModelRecord {
        sha256: sha256.clone(),
        name: "blunt".into(),
        size: bytes.len() as u64,
        state: ModelState::Released,
        proposed_by: Actor::User("eve".into()),
        proposed_at: Timestamp::UNIX_EPOCH,
        reason: "test".into(),
        gate: GateResult::default(),
        shadow_since: None,
        shadow_by: None,
        approval: None,
        released_by: None,
        released_at: None,
        replaces: None,
        ended: None,
        version: 1,
    };
    let store = lab.store().await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.insert_model(&record, &bytes).await.unwrap());
    tx.commit().await.unwrap();
    sha256
}

async fn propose(lab: &Lab, who: &As, bytes: Vec<u8>) -> Reply {
    let path = "/api/v1/models?reason=ten%20new%20labels";
    let mut request = request(who, Method::POST, path, bytes);
    let octets = "application/octet-stream".parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, octets);
    lab.raw(request).await
}

/// A candidate that the gate lets pass against the blunt model: sure of a few attacks.
async fn candidate(lab: &Lab, who: &As) -> String {
    let mut passed = None;
    for step in 0..60 {
        let reply = propose(lab, who, shifted(step as f32 - 30.0)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        if reply.body["gate"]["passed"] == true {
            assert!(reply.body["gate"]["attacks_after"].as_u64() > Some(0), "{reply:?}");
            passed = reply.body["sha256"].as_str().map(str::to_owned);
            break;
        }
    }
    // Some shift of the shipped model passes the gate.
    passed.unwrap()
}

async fn judged_in_shadow(lab: &Lab, sha256: &str, judged: u64) {
    let node = lab.node_named("gw-token").await;
    let report = json!({
        "gateway": "gw-1", "epoch": 1, "hash": "x", "refused": "a test",
        "shadow": {
            "sha256": sha256, "judged": judged, "flagged_now": 1, "flagged_then": 3,
            "flagged_both": 1, "skipped": 0,
        },
    });
    let taken = lab.post(&node, "/api/v1/node/report", report).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT, "{taken:?}");
}

#[tokio::test]
async fn two_people_release_a_model_and_one_rolls_it_back() {
    let lab = Lab::new().await;
    let ada = lab.person("ada", AccessRole::Admin).await;
    let grace = lab.person("grace", AccessRole::Admin).await;
    let before = blunt(&lab).await;
    let model = candidate(&lab, &ada).await;
    let path = format!("/api/v1/models/{model}");
    let release = json!({"reason": "fewer false alarms"});

    let early = lab.post(&ada, &format!("{path}/release"), release.clone()).await;
    assert_eq!((early.status.as_u16(), early.code()), (409, "model.not_in_shadow"));
    let shadowed = lab.put(&ada, &format!("{path}/shadow"), json!(null)).await;
    assert_eq!(shadowed.body["state"], "shadow", "{shadowed:?}");
    assert_eq!(lab.control.snapshot().unwrap().content.shadow_model, Some(model.clone()));
    judged_in_shadow(&lab, &model, 99).await;
    let short = lab.post(&ada, &format!("{path}/release"), release.clone()).await;
    assert_eq!((short.status.as_u16(), short.code()), (409, "model.shadow_too_short"));
    judged_in_shadow(&lab, &model, 250).await;
    let listed = lab.get(&grace, "/api/v1/models").await;
    let mine = |row: &&serde_json::Value| row["sha256"] == model.as_str();
    let shown = listed.body["models"].as_array().unwrap().iter().find(mine).unwrap();
    assert_eq!(shown["shadow"]["flagged_then"], 3, "{shown}");
    assert_eq!(listed.body["current"], before.as_str());

    // Whoever brought it cannot grant it, also if somebody else asked.
    let decision = json!({"grant": true, "reason": "agreed"});
    let asked = lab.post(&grace, &format!("{path}/release"), release.clone()).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{asked:?}");
    let decide = |reply: &Reply| {
        format!("/api/v1/approvals/{}/decision", reply.body["id"].as_str().unwrap())
    };
    let own = lab.post(&ada, &decide(&asked), decision.clone()).await;
    assert_eq!((own.status.as_u16(), own.code()), (409, "model.own_proposal"));
    let asked = lab.post(&ada, &format!("{path}/release"), release).await;
    let own = lab.post(&ada, &decide(&asked), decision.clone()).await;
    assert_eq!((own.status.as_u16(), own.code()), (409, "approval.own_request"));
    let granted = lab.post(&grace, &decide(&asked), decision.clone()).await;
    assert_eq!(granted.status, StatusCode::OK, "{granted:?}");
    assert!(granted.body["approval"]["used_at"].is_string(), "{granted:?}");
    let twice = lab.post(&grace, &decide(&asked), decision).await;
    assert_eq!((twice.status.as_u16(), twice.code()), (409, "approval.decided"));

    let snapshot = lab.control.snapshot().unwrap();
    assert_eq!(snapshot.content.model, Some(model.clone()));
    assert_eq!(snapshot.content.shadow_model, None);
    let node = lab.node().await;
    let fetched = lab.get(&node, &format!("/api/v1/node/models/{model}")).await;
    assert_eq!(sha256_hex(&fetched.bytes), model, "gateways get exactly those bytes");

    let back = lab.post(&grace, "/api/v1/models/rollback", json!({"reason": "noisy"})).await;
    assert_eq!(back.body["model"]["sha256"], before.as_str(), "{back:?}");
    assert_eq!(lab.control.snapshot().unwrap().content.model, Some(before));
    let events = lab.event_kinds().await;
    for kind in [
        "model.proposed",
        "model.shadowed",
        "approval.requested",
        "approval.granted",
        "approval.used",
        "model.released",
        "model.rolled_back",
    ] {
        assert!(events.iter().any(|known| known == kind), "{kind}: {events:?}");
    }
}

#[tokio::test]
async fn what_loses_known_attacks_or_is_no_model_goes_nowhere() {
    let lab = Lab::new().await;
    let ada = lab.person("ada", AccessRole::Admin).await;
    let approver = lab.person("una", AccessRole::Approver).await;
    let refused = propose(&lab, &approver, shifted(1.0)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let nonsense = propose(&lab, &ada, b"QUELLCLS and nothing".to_vec()).await;
    assert_eq!((nonsense.status.as_u16(), nonsense.code()), (422, "model.unreadable"));
    let same = propose(&lab, &ada, shifted(0.0)).await;
    assert_eq!(same.status, StatusCode::CREATED, "another name is another model: {same:?}");
    assert_eq!(same.body["gate"]["passed"], false, "and no better one");

    let blunt = propose(&lab, &ada, shifted(-1_000.0)).await;
    assert_eq!(blunt.status, StatusCode::CREATED, "{blunt:?}");
    assert_eq!(blunt.body["gate"]["passed"], false);
    let reasons = blunt.body["gate"]["reasons"].to_string();
    assert!(reasons.contains("loses") && reasons.contains("known attacks"), "{reasons}");
    let path = format!("/api/v1/models/{}/shadow", blunt.body["sha256"].as_str().unwrap());
    let shadow = lab.put(&ada, &path, json!(null)).await;
    assert_eq!((shadow.status.as_u16(), shadow.code()), (409, "model.gate"));
    let again = propose(&lab, &ada, shifted(-1_000.0)).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "model.known"));
    let back = lab.post(&approver, "/api/v1/models/rollback", json!({"reason": "x"})).await;
    assert_eq!((back.status.as_u16(), back.code()), (409, "model.shipped"));
}
