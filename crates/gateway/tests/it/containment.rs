//! The four levels in the data path, and their proof.

use http::StatusCode;
use quell_domain::Measure;
use quell_domain::interaction::Outcome;
use quell_domain::measure::{Degradation, Effect, Target, TextPattern};
use quell_domain::snapshot::{ProbeResult, SnapshotContent};
use quell_testkit::Reply;
use serde_json::json;

use crate::support::{Rig, ask, completion, start_gateway};

async fn proof(rig: &Rig, measure: &Measure) -> ProbeResult {
    let id = measure.id;
    rig.control
        .wait_for(|reports| {
            reports.iter().flat_map(|r| &r.probes).find(|probe| probe.measure == id).cloned()
        })
        .await
}

fn user(name: &str) -> Target {
    Target::User { user: name.into() }
}

#[tokio::test]
async fn every_level_on_every_target_is_verified_by_probes() {
    let rig = Rig::start().await;
    let pattern = |text: &str, regex: bool, sample: Option<&str>| Target::Pattern {
        pattern: TextPattern {
            text: text.into(),
            regex,
            directions: Vec::new(),
            sample: sample.map(str::to_owned),
        },
    };
    let degrade = Effect::Degrade { limits: Degradation::default() };
    let key = rig.content.keys[0].id.to_string();
    let cases = [
        (user("mallory"), Effect::Restrict),
        (Target::Session { session: "s-9".into() }, Effect::Restrict),
        (Target::Address { address: "203.0.113.7".into() }, Effect::Restrict),
        (Target::ApiKey { key }, Effect::Restrict),
        (Target::Tool { tool: "send_email".into() }, Effect::Restrict),
        (pattern("blue falcon", false, None), Effect::Restrict),
        (pattern("falcon-[0-9]{4}", true, Some("falcon-1234")), Effect::Restrict),
        (Target::Model { model: "m-bad".into() }, Effect::Shutdown),
        (Target::Upstream { upstream: "model".into() }, Effect::Shutdown),
        (user("erin"), degrade.clone()),
        (Target::Application, degrade),
        (user("frank"), Effect::Fallback),
        (Target::Application, Effect::Fallback),
        (Target::Application, Effect::Shutdown),
    ];
    for (target, effect) in cases {
        let measure = rig.measure(target, effect);
        rig.enforce(vec![measure.clone()]).await;
        let result = proof(&rig, &measure).await;
        assert!(result.met, "{:?} {:?}: {}", measure.target, measure.effect, result.detail);
    }
    assert!(rig.upstream.received().is_empty(), "no probe reached the upstream");
}

#[tokio::test]
async fn a_lift_is_probed_too() {
    let rig = Rig::start().await;
    let measure = rig.measure(user("mallory"), Effect::Restrict);
    rig.enforce(vec![measure.clone()]).await;
    assert!(proof(&rig, &measure).await.met);
    let lifted = SnapshotContent { lifting: vec![measure.clone()], ..rig.content.clone() };
    let epoch = rig.control.publish(lifted);
    let met = rig
        .control
        .wait_for(|reports| {
            let probes = reports.iter().flat_map(|r| &r.probes);
            probes.filter(|p| p.epoch == epoch && p.measure == measure.id).map(|p| p.met).next()
        })
        .await;
    assert!(met);
}

#[tokio::test]
async fn a_blocked_user_is_refused_and_others_pass() {
    let rig = Rig::start().await;
    rig.enforce(vec![rig.measure(user("ada"), Effect::Restrict)]).await;
    rig.upstream.push(Reply::json(&completion("ok")));
    let body = ask("Hi!").to_string();
    let refused = rig.post("/v1/chat/completions", &[("x-api-key", "qk_ada")], body).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.headers["x-should-retry"], "false");
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("int_") && message.contains("help desk"), "{message}");
    assert!(!message.contains("measure"), "never which measure: {message}");
    assert_eq!(rig.chat(&ask("Hi!")).await.status, StatusCode::OK);
    let records = rig.records(2).await;
    assert_eq!(records[0].outcome, Outcome::Blocked);
    assert_eq!(records[0].upstream, None);
}

#[tokio::test]
async fn a_degraded_application_forwards_less() {
    let rig = Rig::start().await;
    let effect = Effect::Degrade { limits: Degradation::default() };
    rig.enforce(vec![rig.measure(Target::Application, effect)]).await;
    rig.upstream.push(Reply::json(&completion("ok")));
    let mut messages = vec![json!({"role": "system", "content": "Be kind."})];
    for turn in 0..10 {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": format!("turn {turn}")}));
    }
    messages.push(json!({"role": "user", "content": "last"}));
    let body = json!({
        "model": "m-1", "messages": messages, "max_tokens": 4000,
        "tools": [{"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}],
    });
    assert_eq!(rig.chat(&body).await.status, StatusCode::OK);
    let sent = rig.upstream.received()[0].json();
    assert!(sent.get("tools").is_none());
    assert_eq!(sent["max_tokens"], 200);
    let roles: Vec<_> =
        sent["messages"].as_array().unwrap().iter().map(|m| m["role"].clone()).collect();
    assert_eq!(roles.iter().filter(|role| **role != json!("system")).count(), 4);
    let record = &rig.records(1).await[0];
    assert_eq!(record.outcome, Outcome::Degraded);
    assert!(record.digests.request_forwarded.is_some());
}

#[tokio::test]
async fn the_fallback_answers_by_intent_without_the_model() {
    let rig = Rig::with(|content| {
        content.applications[0].fallback.intents =
            vec![quell_domain::application::FallbackIntent {
                keywords: vec!["refund".into()],
                text: "Refunds take five days.".into(),
            }];
    })
    .await;
    rig.enforce(vec![rig.measure(Target::Application, Effect::Fallback)]).await;
    let answer = rig.chat(&ask("Where is my refund?")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "Refunds take five days.");
    assert!(rig.upstream.received().is_empty());
    assert_eq!(rig.records(1).await[0].outcome, Outcome::Fallback);
}

#[tokio::test]
async fn after_a_restart_the_kept_snapshot_blocks_before_control_is_back() {
    let rig = Rig::start().await;
    rig.enforce(vec![rig.measure(user("ada"), Effect::Restrict)]).await;
    let Rig { gateway, data, clock, ids, client, .. } = rig;
    gateway.shutdown().await;
    // Nobody answers at this address.
    let gateway = start_gateway(data.path(), "http://127.0.0.1:9", &clock, &ids).await;
    assert!(gateway.epoch() > 1);
    let request = http::Request::post(format!("http://{}/v1/chat/completions", gateway.address()))
        .header("x-api-key", "qk_ada")
        .body(quell_outbound::full_body(ask("Hi!").to_string()))
        .unwrap();
    let answer = client.send(request, std::time::Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_blocked_tool_cannot_be_called_although_the_model_tries() {
    let rig = Rig::start().await;
    let tool = Target::Tool { tool: "send_email".into() };
    rig.enforce(vec![rig.measure(tool, Effect::Restrict)]).await;
    let call = json!({"id": "call_1", "type": "function",
        "function": {"name": "send_email", "arguments": "{}"}});
    let mut reply = completion("");
    reply["choices"][0]["message"]["tool_calls"] = json!([call]);
    rig.upstream.push(Reply::json(&reply));
    assert_eq!(rig.chat(&ask("Send it!")).await.status, StatusCode::FORBIDDEN);
    let mut streamed_call = call;
    streamed_call["index"] = json!(0);
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"tool_calls": [streamed_call]}, "finish_reason": null}]});
    let chunks = [format!("data: {chunk}\n\n"), "data: [DONE]\n\n".to_owned()];
    rig.upstream.push(Reply::sse(chunks));
    let text = rig.chat(&crate::support::ask_stream("Send it!")).await.text();
    assert!(!text.contains("send_email") && text.contains("error"), "{text}");
}

#[tokio::test]
async fn a_conversation_is_handed_over_once_and_answered_with_canned_text_while_nobody_takes_it() {
    let desk = quell_testkit::ScriptedUpstream::start().await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "hand-off key").unwrap();
    let rig = Rig::with(|content| {
        content.applications[0].fallback.handoff = Some(quell_domain::application::Handoff {
            url: format!("{}/tickets", desk.base_url()),
            secret: format!("file:{}", secret.path().display()),
            text: "A colleague has your question, ticket {ticket}.".into(),
        });
    })
    .await;
    rig.enforce(vec![rig.measure(Target::Application, Effect::Fallback)]).await;
    let ask_in = async |session: &str| {
        let headers = [("authorization", "Bearer qk_shop"), ("x-quell-session", session)];
        let answer = rig.post("/v1/chat/completions", &headers, ask("Help!").to_string()).await;
        answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    desk.push(Reply::status(503));
    assert!(ask_in("s-1").await.contains("not available"), "the receiver is down");
    desk.push(Reply::status(202));
    let first = ask_in("s-1").await;
    assert!(first.contains("ticket Q-"), "{first}");
    assert_eq!(ask_in("s-1").await, first, "the same ticket, without another webhook");
    let received = desk.received();
    assert_eq!(received.len(), 2);
    let signature = received[1].headers["x-quell-signature"].to_str().unwrap();
    let now = jiff::Timestamp::from_second(rig.clock.now().as_second()).unwrap();
    let tolerance = std::time::Duration::from_mins(1);
    quell_outbound::verify(b"hand-off key", signature, &received[1].body, now, tolerance).unwrap();
    assert!(!received[1].body.windows(5).any(|bytes| bytes == b"Help!"), "a reference, no text");
}

#[tokio::test]
async fn what_is_known_from_before_is_judged_by_what_is_in_force_now() {
    let rig = Rig::start().await;
    rig.upstream.otherwise(|_| Reply::json(&completion("fine")));
    let long = "The harbour office opens at eight and closes at noon. ".repeat(20);
    let earlier = json!({"model": "m", "messages": [
        {"role": "user", "content": format!("{long} Ask about project nightingale.")},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "And now?"},
    ]});
    for _ in 0..2 {
        assert_eq!(rig.chat(&earlier).await.status, StatusCode::OK);
    }
    let pattern = TextPattern {
        text: "project nightingale".into(),
        regex: false,
        directions: Vec::new(),
        sample: None,
    };
    rig.enforce(vec![rig.measure(Target::Pattern { pattern }, Effect::Restrict)]).await;
    for _ in 0..2 {
        assert_eq!(rig.chat(&earlier).await.status, StatusCode::FORBIDDEN);
    }
    rig.enforce(Vec::new()).await;
    assert_eq!(rig.chat(&earlier).await.status, StatusCode::OK);
    assert_eq!(rig.upstream.received().len(), 3);
    let records = rig.records(5).await;
    assert!(records[3].causes.iter().any(|cause| cause.by.starts_with("measure:")));
}
