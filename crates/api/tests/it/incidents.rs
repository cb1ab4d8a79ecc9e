//! An incident worked on through the API.

use axum::body::Body;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use quell_domain::AccessRole;
use serde_json::json;
use tower::ServiceExt;

use crate::lab::{As, Lab, request};

async fn declared(lab: &Lab, caller: &As, title: &str) -> String {
    let known = json!({
        "application": "support-bot", "kind": "jailbreak", "severity": "high", "title": title,
    });
    let reply = lab.post(caller, "/api/v1/incidents", known).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    assert_eq!(reply.body["incident"]["state"], "active");
    reply.body["incident"]["number"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_incident_is_worked_on_from_declaration_to_closing() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.person("ada", AccessRole::Responder).await;
    let number = declared(&lab, &ada, "A jailbreak spreads").await;
    assert_eq!(number, "INC-2026-0001");
    let path = |rest: &str| format!("/api/v1/incidents/{number}{rest}");

    let lowered = json!({"severity": "medium", "reason": "only one user"});
    let reply = lab.put(&ada, &path("/severity"), lowered).await;
    assert_eq!(reply.body["incident"]["severity"], "medium", "{reply:?}");
    let kind = json!({"kind": "prompt_injection", "reason": "it came from a document"});
    let reply = lab.put(&ada, &path("/kind"), kind).await;
    assert_eq!(reply.body["incident"]["kind"], "prompt_injection", "{reply:?}");
    let role = path("/roles/incident_commander/ada");
    assert_eq!(lab.put(&ada, &role, json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.put(&ada, &role, json!({})).await.code(), "role.unchanged");
    assert_eq!(lab.delete(&ada, &role).await.status, StatusCode::NO_CONTENT);
    let note = lab.post(&ada, &path("/notes"), json!({"text": "Called the owner."})).await;
    assert_eq!(note.status, StatusCode::CREATED, "{note:?}");

    let early = json!({"event": "monitor"});
    let refused = lab.post(&ada, &path("/changes"), early).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "incident.state"));
    let silent = lab.post(&ada, &path("/changes"), json!({"event": "close"})).await;
    assert_eq!((silent.status.as_u16(), silent.code()), (422, "reason_missing"));
    let close = json!({"event": "close", "reason": "nothing was exposed"});
    let closed = lab.post(&ada, &path("/changes"), close).await;
    assert_eq!(closed.body["incident"]["state"], "closed", "{closed:?}");

    let detail = lab.get(&ada, &path("")).await;
    assert_eq!(detail.body["incident"]["closing_reason"], "nothing was exposed");
    let timeline = lab.get(&ada, &path("/timeline")).await;
    let kinds: Vec<_> =
        timeline.body.as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "incident.opened",
            "incident.declared",
            "incident.severity_changed",
            "incident.reclassified",
            "role.assumed",
            "role.renounced",
            "note.added",
            "incident.closed",
        ]
    );
    let rest = lab.get(&ada, &path("/timeline?after=7")).await;
    assert_eq!(rest.body.as_array().unwrap().len(), 1);
    assert_eq!(rest.body[0]["actor"], "user:ada");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.token(AccessRole::Responder).await;
    for title in ["First", "Second", "Third"] {
        declared(&lab, &ada, title).await;
    }
    let page = lab.get(&ada, "/api/v1/incidents?limit=2&open=true").await;
    assert_eq!(page.body["items"].as_array().unwrap().len(), 2);
    let next = page.body["next"].as_str().unwrap();
    let page = lab.get(&ada, &format!("/api/v1/incidents?limit=2&open=true&cursor={next}")).await;
    assert_eq!(page.body["items"][0]["title"], "First");
    assert!(page.body.get("next").is_none());
    let found = lab.get(&ada, "/api/v1/incidents?text=seco&severity=high").await;
    assert_eq!(found.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_declared_incident_is_not_merged_any_more() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.token(AccessRole::Responder).await;
    let (first, second) = (declared(&lab, &ada, "One").await, declared(&lab, &ada, "Two").await);
    let path = format!("/api/v1/incidents/{second}/changes");
    let nowhere = lab.post(&ada, &path, json!({"event": "merge"})).await;
    assert_eq!((nowhere.status.as_u16(), nowhere.code()), (422, "invalid_field"));
    let unknown = lab.post(&ada, &path, json!({"event": "merge", "into": "INC-1999-0001"})).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (404, "not_found"));
    let late = lab.post(&ada, &path, json!({"event": "merge", "into": first})).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "incident.state"));
}

#[tokio::test]
async fn changes_are_streamed_and_resumed() {
    let lab = Lab::new().await;
    lab.application().await;
    let ada = lab.token(AccessRole::Responder).await;
    let mut request = request(&ada, Method::GET, "/api/v1/events", Body::empty());
    request.headers_mut().insert("last-event-id", "0".parse().unwrap());
    let response = lab.app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut seen = String::new();
    while !seen.contains("application.created") {
        let frame = body.frame().await.unwrap().unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    assert!(seen.contains("id: 1\n") && seen.contains("event: change"), "{seen}");

    let number = declared(&lab, &ada, "Live").await;
    let mut live = String::new();
    while !live.contains("incident.declared") {
        let frame = body.frame().await.unwrap().unwrap();
        live.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    assert!(live.contains("\"region\":\"header\""), "{number}: {live}");
}
