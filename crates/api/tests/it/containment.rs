//! Measures and approvals through the API.

use http::StatusCode;
use quell_domain::AccessRole;
use serde_json::{Value, json};

use crate::lab::Lab;

fn restrict(user: &str) -> Value {
    json!({
        "application": "support-bot",
        "target": {"type": "user", "user": user},
        "effect": {"type": "restrict"},
        "reason": "repeated jailbreaks",
        "minutes": 30,
    })
}

fn shutdown(propose: bool) -> Value {
    json!({
        "application": "support-bot",
        "target": {"type": "application"},
        "effect": {"type": "shutdown"},
        "reason": "it leaks identifiers",
        "propose": propose,
    })
}

#[tokio::test]
async fn a_measure_is_applied_shown_and_lifted() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.token(AccessRole::Responder).await;
    let made = lab.post(&ada, "/api/v1/measures", restrict("mallory")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(made.body["measure"]["state"], "requested");
    assert!(made.body["epoch"].as_u64().unwrap() > 0);
    let id = made.body["measure"]["id"].as_str().unwrap();

    let shown = lab.get(&ada, &format!("/api/v1/measures/{id}")).await;
    assert_eq!(shown.body["measure"]["target"]["user"], "mallory");
    assert_eq!(shown.body["probes"], json!({}));
    let current = lab.get(&ada, "/api/v1/measures?current=true&application=support-bot").await;
    assert_eq!(current.body["items"][0]["id"], id);

    let lift = format!("/api/v1/measures/{id}/lift");
    let silent = lab.post(&ada, &lift, json!({"reason": " "})).await;
    assert_eq!((silent.status.as_u16(), silent.code()), (422, "text_missing"));
    let lifted = lab.post(&ada, &lift, json!({"reason": "a false alarm"})).await;
    assert_eq!(lifted.body["measure"]["state"], "lifting", "{lifted:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.token(AccessRole::Responder).await;
    let mut no_reason = restrict("mallory");
    no_reason["reason"] = json!("");
    let mut nowhere = restrict("mallory");
    nowhere["application"] = json!("nothing");
    let mut endless = restrict("mallory");
    endless["minutes"] = json!(0);
    let mut regex = restrict("mallory");
    regex["target"] =
        json!({"type": "pattern", "pattern": {"text": "(", "regex": true, "sample": "("}});
    let mut address = restrict("mallory");
    address["target"] = json!({"type": "address", "address": "not an address"});
    for (body, status, code) in [
        (no_reason, 422, "text_missing"),
        (nowhere, 404, "not_found"),
        (endless, 422, "measure.minutes"),
        (regex, 422, "measure.pattern"),
        (address, 422, "measure.target"),
    ] {
        let reply = lab.post(&ada, "/api/v1/measures", body).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{reply:?}");
    }
}

#[tokio::test]
async fn level_four_needs_somebody_else() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.person("ada", AccessRole::Admin).await;
    let grace = lab.person("grace", AccessRole::Approver).await;
    let bare = lab.post(&ada, "/api/v1/measures", shutdown(false)).await;
    assert_eq!((bare.status.as_u16(), bare.code()), (409, "measure.approval_required"));

    let proposed = lab.post(&ada, "/api/v1/measures", shutdown(true)).await;
    assert_eq!(proposed.body["measure"]["state"], "proposed", "{proposed:?}");
    let measure = proposed.body["measure"]["id"].as_str().unwrap();
    let apply = format!("/api/v1/measures/{measure}/apply");
    let early = lab.post(&ada, &apply, json!({})).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "{early:?}");

    let pending = lab.get(&grace, "/api/v1/approvals?pending=true").await;
    let approval = pending.body["items"][0]["id"].as_str().unwrap();
    assert_eq!(pending.body["items"][0]["measure"], measure);
    let decision = format!("/api/v1/approvals/{approval}/decision");
    let yes = json!({"grant": true, "reason": "agreed", "apply": true});
    let own = lab.post(&ada, &decision, yes.clone()).await;
    assert_eq!((own.status.as_u16(), own.code()), (409, "approval.own_request"));
    let granted = lab.post(&grace, &decision, yes.clone()).await;
    assert_eq!(granted.status, StatusCode::OK, "{granted:?}");
    assert_eq!(granted.body["measure"]["state"], "requested");
    assert!(granted.body["approval"]["used_at"].is_string());
    let twice = lab.post(&grace, &decision, yes).await;
    assert_eq!((twice.status.as_u16(), twice.code()), (409, "approval.decided"));
    assert_eq!(lab.get(&grace, "/api/v1/approvals?pending=true").await.body["items"], json!([]));
}
