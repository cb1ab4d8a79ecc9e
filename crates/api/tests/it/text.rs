//! Prompt text: out of every list, given only for a reason, and every reading is an event.

use http::StatusCode;
use quell_domain::AccessRole;
use serde_json::json;

use crate::lab::{As, Lab};

const SECRET: &str = "my card is 4111 1111 1111 1111";

async fn last_event(lab: &Lab, caller: &As) -> (String, String) {
    let overview = lab.get(caller, "/api/v1/overview").await;
    let event = &overview.body["latest"][0];
    (event["kind"].as_str().unwrap().to_owned(), event["data"]["reason"].to_string())
}

#[tokio::test]
async fn text_is_read_for_a_reason_and_leaves_an_event() {
    let lab = Lab::new().await;
    lab.application().await;
    let id = lab.exchange("mallory", SECRET).await;
    let viewer = lab.token(AccessRole::Viewer).await;
    let responder = lab.token(AccessRole::Responder).await;

    let list = lab.get(&viewer, "/api/v1/interactions?user=mallory&outcome=allowed").await;
    assert_eq!(list.body[0]["id"], id, "{list:?}");
    assert!(!list.body.to_string().contains("4111"));
    let none = lab.get(&viewer, "/api/v1/interactions?user=alice").await;
    assert_eq!(none.body, json!([]));
    let shown = lab.get(&viewer, &format!("/api/v1/interactions/{id}")).await;
    assert_eq!(shown.body["request_chars"], SECRET.len());
    assert!(!shown.body.to_string().contains("4111"));

    let path = format!("/api/v1/interactions/{id}/text");
    let silent = lab.post(&responder, &path, json!({"reason": ""})).await;
    assert_eq!((silent.status.as_u16(), silent.code()), (422, "text_missing"));
    let read = lab.post(&responder, &path, json!({"reason": "checking the leak"})).await;
    assert_eq!(read.body["interaction"]["request"][0]["text"], SECRET, "{read:?}");
    let event = last_event(&lab, &viewer).await;
    assert_eq!(event, ("interaction.read".into(), "\"checking the leak\"".into()));

    let found = lab.post(&responder, "/api/v1/interactions/search", json!({"text": "MY CARD"}));
    assert_eq!(found.await.body[0]["id"], id);
    assert_eq!(last_event(&lab, &viewer).await.0, "interaction.searched");
}

#[tokio::test]
async fn evidence_is_captured_listed_and_taken_along() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.token(AccessRole::Responder).await;
    let known = json!({
        "application": "support-bot", "kind": "jailbreak", "severity": "high", "title": "x",
    });
    let declared = lab.post(&ada, "/api/v1/incidents", known).await;
    let number = declared.body["incident"]["number"].as_str().unwrap();
    let capture = lab.post(&ada, &format!("/api/v1/incidents/{number}/evidence"), json!({})).await;
    assert!(capture.body["total"].as_u64().unwrap() >= 3, "{capture:?}");

    let list = lab.get(&ada, "/api/v1/evidence?limit=1").await;
    let item = &list.body["items"][0];
    assert!(list.body["next"].is_string(), "{list:?}");
    let content = format!("/api/v1/evidence/{}/content", item["id"].as_str().unwrap());
    let silent = lab.get(&ada, &content).await;
    assert_eq!((silent.status.as_u16(), silent.code()), (422, "invalid_query"));
    let read = lab.get(&ada, &format!("{content}?reason=review")).await;
    assert_eq!(read.bytes.len() as u64, item["size"].as_u64().unwrap());
    assert_eq!(read.headers["x-content-type-options"], "nosniff");
    assert!(read.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));

    let tar = format!("/api/v1/incidents/{number}/evidence.tar?reason=");
    let silent = lab.get(&ada, &tar).await;
    assert_eq!((silent.status.as_u16(), silent.code()), (422, "text_missing"));
    let bundle = lab.get(&ada, &format!("{tar}handover")).await;
    assert_eq!(bundle.status, StatusCode::OK, "{bundle:?}");
    assert!(bundle.bytes.len() > 1_024 && bundle.bytes.len() % 512 == 0);
    assert_eq!(bundle.headers["content-type"], "application/x-tar");
    let nowhere = lab.get(&ada, "/api/v1/incidents/INC-1999-0001/evidence.tar?reason=x").await;
    assert_eq!((nowhere.status.as_u16(), nowhere.code()), (404, "not_found"));
}
