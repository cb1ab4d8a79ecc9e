//! What is spent of an application's budgets.

use http::StatusCode;
use quell_domain::AccessRole;
use serde_json::json;

use crate::lab::Lab;

#[tokio::test]
async fn spend_comes_from_the_gateways_report() {
    let lab = Lab::new().await;
    lab.application().await;
    let admin = lab.token(AccessRole::Admin).await;
    let stored = lab.get(&admin, "/api/v1/applications/support-bot").await.body;
    let mut value = stored["value"].clone();
    value["spending"]["budgets"] = json!([{"per": "application", "period": "day", "tokens": 200}]);
    let body = json!({"version": stored["version"], "value": value});
    let put = lab.put(&admin, "/api/v1/applications/support-bot", body).await;
    assert_eq!(put.status, StatusCode::OK, "{put:?}");

    let viewer = lab.person("eve", AccessRole::Viewer).await;
    let path = "/api/v1/applications/support-bot/spend";
    let none = lab.get(&viewer, path).await;
    assert_eq!(none.body["budgets"][0]["holders"], json!([]), "{none:?}");
    let resets = none.body["budgets"][0]["resets_at"].as_str().unwrap();
    let end: jiff::Timestamp = resets.parse().unwrap();
    let report = json!({
        "gateway": "gw-1", "epoch": 1, "hash": "x", "refused": "a test",
        "spend": {"left_out": 0, "holders": [{
            "application": "support-bot", "per": "application", "period": "day", "who": "",
            "start": end.as_second() - 86_400, "tokens": 150, "cost_micros": 0,
            "held_tokens": 10, "held_cost_micros": 0,
        }]},
    });
    let gateway = lab.node_named("gw-token").await;
    let taken = lab.post(&gateway, "/api/v1/node/report", report).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT, "{taken:?}");
    let spend = lab.get(&viewer, path).await;
    let holder = &spend.body["budgets"][0]["holders"][0];
    assert_eq!((&holder["tokens"], &holder["per_mille"]), (&json!(150), &json!(800)), "{spend:?}");
    assert_eq!(lab.get(&viewer, "/api/v1/applications/none/spend").await.status, 404);
}
