//! Traffic that nothing is wrong with.

use http::{Method, StatusCode};
use quell_domain::interaction::{Endpoint, Outcome};
use quell_domain::principal::TrustGrade;
use quell_testkit::Reply;
use serde_json::json;

use crate::support::{Rig, ask, ask_stream, chat_stream, completion, streamed};

#[tokio::test]
async fn a_chat_passes_unchanged_and_is_recorded() {
    let rig = Rig::start().await;
    rig.upstream.push(Reply::json(&completion("Hello there.")).header("x-request-id", "req-9"));
    let answer = rig.chat(&ask("Hi!")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), completion("Hello there."));
    let records = rig.records(1).await;
    let record = &records[0];
    assert_eq!(answer.headers["x-quell-interaction"], record.id.to_string());
    assert_eq!(record.endpoint, Endpoint::ChatCompletions);
    assert_eq!(record.outcome, Outcome::Allowed);
    assert_eq!(record.request[0].text, "Hi!");
    assert_eq!(record.response[0].text, "Hello there.");
    assert_eq!(record.usage.input_tokens, Some(5));
    assert_eq!(record.model_served.as_deref(), Some("m-1-served"));
    assert_eq!(record.provider_request_id.as_deref(), Some("req-9"));
    assert_eq!(record.provider_fingerprint.as_deref(), Some("fp_1"));
    assert!(record.digests.rules.is_some() && record.digests.request_received.is_some());
    assert!(record.digests.request_forwarded.is_none(), "nothing was altered");
    let received = &rig.upstream.received()[0];
    assert!(received.headers.get("authorization").is_none(), "the Quell key stays here");
    assert_eq!(received.headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn a_stream_passes_byte_for_byte() {
    let rig = Rig::start().await;
    let chunks = chat_stream(&["Hel", "lo ", "wor", "ld."]);
    rig.upstream.push(Reply::sse(chunks.clone()));
    let answer = rig.chat(&ask_stream("Hi!")).await;
    assert_eq!(answer.text(), chunks.concat());
    assert_eq!(streamed(&answer.text()), "Hello world.");
    let record = &rig.records(1).await[0];
    assert!(record.stream && record.cut.is_none());
    assert_eq!(record.response[0].text, "Hello world.");
    assert_eq!(record.finish_reasons, ["stop"]);
}

#[tokio::test]
async fn who_it_was_follows_the_documented_precedence() {
    let rig = Rig::start().await;
    let user = |record: &quell_domain::Interaction| {
        record.principal.user.clone().map(|user| (user.value, user.grade))
    };
    let mut body = ask("Hi!");
    body["user"] = json!("body-user");
    let shop = ("authorization", "Bearer qk_shop");
    let bound = ("x-api-key", "qk_ada");
    let header = ("x-quell-user", "header-user");
    for headers in [vec![shop], vec![shop, header], vec![bound, header]] {
        rig.upstream.push(Reply::json(&completion("ok")));
        rig.post("/v1/chat/completions", &headers, body.to_string()).await;
    }
    let records = rig.records(3).await;
    assert_eq!(user(&records[0]), Some(("body-user".into(), TrustGrade::Asserted)));
    assert_eq!(user(&records[1]), Some(("header-user".into(), TrustGrade::Asserted)));
    assert_eq!(user(&records[2]), Some(("ada".into(), TrustGrade::Authenticated)));
    assert_eq!(records[0].principal.address.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn pass_through_keeps_the_clients_own_key() {
    let rig = Rig::start().await;
    rig.upstream.push(Reply::json(&completion("ok")));
    let own = [("authorization", "Bearer sk-the-clients-own")];
    let answer = rig.post("/a/open/v1/chat/completions", &own, ask("Hi!").to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let received = &rig.upstream.received()[0];
    assert_eq!(received.headers["authorization"], "Bearer sk-the-clients-own");
    assert_eq!(received.uri.path(), "/v1/chat/completions");
}

#[tokio::test]
async fn models_are_listed_and_forwarded_paths_are_not_evaluated() {
    let rig = Rig::with(|content| {
        content.applications[0].forward_paths = vec!["/v1/files".into()];
    })
    .await;
    let shop = [("authorization", "Bearer qk_shop")];
    rig.upstream.push(Reply::json(&json!({"object": "list", "data": []})));
    rig.upstream.push(Reply::json(&json!({"id": "file-1"})));
    let models = rig.send(Method::GET, "/v1/models", &shop, bytes::Bytes::new()).await;
    assert_eq!(models.status, StatusCode::OK);
    let file = rig.post("/v1/files", &shop, "{}").await;
    assert_eq!(file.status, StatusCode::OK);
    let records = rig.records(2).await;
    assert_eq!(records[0].endpoint, Endpoint::Models);
    assert_eq!(records[1].not_evaluated[0].reason, "unsupported_surface");
    for path in
        ["/v1/audio/speech", "/v1/files/../chat/completions", "/v1/files%2f..", "/v1//files"]
    {
        let refused = rig.post(path, &shop, "{}").await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_passed_over_and_its_breaker_opens() {
    let rig = Rig::with(|content| {
        let mut dead = quell_domain::application::Upstream::new("dead", "http://127.0.0.1:9");
        dead.connect_retries = 0;
        dead.breaker_failures = 2;
        content.upstreams.push(dead);
        content.applications[0].upstreams = vec!["dead".into(), "model".into()];
    })
    .await;
    for _ in 0..3 {
        rig.upstream.push(Reply::json(&completion("ok")));
        assert_eq!(rig.chat(&ask("Hi!")).await.status, StatusCode::OK);
    }
    let records = rig.records(3).await;
    assert!(records.iter().all(|record| record.upstream.as_deref() == Some("model")));
    rig.control
        .wait_for(|reports| reports.last().filter(|r| r.open_breakers == ["dead"]).map(|_| ()))
        .await;
}
