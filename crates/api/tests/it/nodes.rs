//! What gateways call.

use http::StatusCode;
use quell_domain::AccessRole;
use serde_json::json;

use crate::lab::Lab;

#[tokio::test]
async fn a_gateway_fetches_what_it_runs_on_and_reports() {
    let lab = Lab::new().await;
    lab.application().await;
    let (node, viewer) = (lab.node().await, lab.token(AccessRole::Viewer).await);
    let path = "/api/v1/node/snapshot?gateway=gw-1&epoch=0&hash=";
    let snapshot = lab.get(&node, path).await;
    assert_eq!(snapshot.status, StatusCode::OK, "{snapshot:?}");
    assert_eq!(snapshot.body["content"]["applications"][0]["name"], "support-bot");
    let (epoch, hash) = (&snapshot.body["epoch"], &snapshot.body["hash"]);

    let report = json!({"gateway": "gw-1", "epoch": epoch, "hash": hash, "in_flight": 2});
    let taken = lab.post(&node, "/api/v1/node/report", report).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT, "{taken:?}");
    let gateways = lab.get(&viewer, "/api/v1/gateways").await;
    assert_eq!(gateways.body[0]["report"]["gateway"], "gw-1", "{gateways:?}");
    assert_eq!(
        (&gateways.body[0]["live"], &gateways.body[0]["current"]),
        (&json!(true), &json!(true))
    );

    let admin = lab.token(AccessRole::Admin).await;
    assert_eq!(lab.delete(&admin, "/api/v1/gateways/gw-1").await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.delete(&admin, "/api/v1/gateways/gw-1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn rules_are_listed_and_switched() {
    let lab = Lab::new().await;
    let admin = lab.token(AccessRole::Admin).await;
    let rules = lab.get(&admin, "/api/v1/rules").await;
    let rule = &rules.body[0];
    let id = rule["info"]["id"].as_str().unwrap();
    let path = format!("/api/v1/rules/{id}/mode");
    let shadow = json!({"mode": "shadow", "reason": "too loud"});
    assert_eq!(lab.put(&admin, &path, shadow).await.status, StatusCode::NO_CONTENT);
    let rules = lab.get(&admin, "/api/v1/rules").await;
    assert_eq!(rules.body[0]["setting"]["reason"], "too loud");
    assert_eq!(rules.body[0]["info"]["mode"], "shadow");
    assert_eq!(lab.delete(&admin, &path).await.status, StatusCode::NO_CONTENT);
    let broken = json!({"path": "rules/own.yaml", "text": "title: [unclosed"});
    let refused = lab.put(&admin, "/api/v1/content", broken).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "content.rules"));
}
