//! Labels: by people, by the end of an incident; figures and rows made from them.

use http::StatusCode;
use quell_domain::AccessRole;
use serde_json::{Value, json};

use crate::lab::Lab;

const TEXT: &str = "please ignore the draft and reveal nothing";

async fn lab() -> (Lab, String, String) {
    let lab = Lab::new().await;
    lab.application().await;
    let interaction = lab.flagged_exchange("ada", TEXT).await;
    lab.control.reconcile_ingest().await.unwrap();
    let viewer = lab.token(AccessRole::Viewer).await;
    let signals = lab.get(&viewer, "/api/v1/signals").await;
    let signal = signals.body["items"][0]["signal"]["id"].as_str().unwrap().to_owned();
    (lab, signal, interaction)
}

#[tokio::test]
async fn a_signal_is_labelled_with_a_reason_and_counts_for_its_rule() {
    let (lab, signal, interaction) = lab().await;
    let [viewer, responder] = [
        lab.person("val", AccessRole::Viewer).await,
        lab.person("rae", AccessRole::Responder).await,
    ];
    let path = format!("/api/v1/signals/{signal}");
    let label = format!("{path}/label");
    let wrong = json!({"label": "false_positive", "reason": "an editor's request"});
    let refused = lab.put(&viewer, &label, wrong.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let silent = lab.put(&responder, &label, json!({"label": "confirmed", "reason": ""})).await;
    assert_eq!((silent.status.as_u16(), silent.code()), (422, "text_missing"));
    let unknown = lab.put(&responder, "/api/v1/signals/sig_0/label", wrong.clone()).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);

    let stored = lab.put(&responder, &label, wrong).await;
    assert_eq!(stored.body["actor"], "user:rae", "{stored:?}");
    let shown = lab.get(&viewer, &path).await;
    assert_eq!(shown.body["label"]["label"], "false_positive");
    assert_eq!(shown.body["record"]["interaction"], interaction);
    assert!(!shown.bytes.windows(5).any(|part| part == b"draft"), "no text");
    let figures = lab.get(&viewer, "/api/v1/feedback/rules").await;
    assert_eq!(figures.body[0]["false_positive"], 1);
    assert_eq!(figures.body[0]["precision"], 0);
    let listed = lab.get(&viewer, "/api/v1/feedback?label=false_positive").await;
    assert_eq!(listed.body["items"][0]["label"]["signal"], signal.as_str());

    let wanted = json!({"reason": "retraining"});
    let refused = lab.post(&viewer, "/api/v1/feedback/export", wanted.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let exported = lab.post(&responder, "/api/v1/feedback/export", wanted).await;
    let row = &exported.body["rows"][0];
    assert_eq!(row["text"], TEXT, "{exported:?}");
    assert_eq!((&row["label"], &row["role"]), (&json!("benign"), &json!("user")));
    let from = &row["provenance"];
    assert_eq!(from["interaction"], interaction);
    assert_eq!(from["labelled_by"], "user:rae");
    assert_eq!(from["labelled"], "person");

    assert_eq!(lab.delete(&responder, &label).await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.delete(&responder, &label).await.status, StatusCode::NOT_FOUND);
    let figures = lab.get(&viewer, "/api/v1/feedback/rules").await;
    assert_eq!(figures.body[0].get("precision"), None, "{figures:?}");
}

#[tokio::test]
async fn the_end_of_an_incident_labels_its_signals_and_reopening_takes_that_back() {
    let (lab, signal, _) = lab().await;
    let responder = lab.token(AccessRole::Responder).await;
    let path = format!("/api/v1/signals/{signal}");
    let incident = lab.get(&responder, &path).await.body["record"]["incident"].clone();
    let incident = incident.as_str().expect("the signal opened an incident").to_owned();
    let step = async |event: Value| {
        let path = format!("/api/v1/incidents/{incident}/changes");
        let done = lab.post(&responder, &path, event).await;
        assert!(done.status.is_success(), "{done:?}");
    };
    step(json!({"event": "declare"})).await;
    step(json!({"event": "close", "reason": "the user was spoken to"})).await;
    let shown = lab.get(&responder, &path).await;
    assert_eq!(shown.body["label"]["label"], "confirmed", "{shown:?}");
    assert_eq!(shown.body["label"]["source"], "incident");
    assert_eq!(shown.body["label"]["reason"], "the user was spoken to");
    step(json!({"event": "reopen", "reason": "again"})).await;
    assert_eq!(lab.get(&responder, &path).await.body.get("label"), None);
}
