//! Budgets stop within the request: before it is sent, in its length, and in its stream.

use std::sync::Arc;
use std::time::Duration;

use quell_domain::clock::SharedClock;
use quell_domain::interaction::Outcome;
use quell_domain::rule::FailMode;
use quell_domain::snapshot::SnapshotContent;
use quell_testkit::{ManualClock, Reply};
use serde_json::{Value, json};

use crate::mediation::SURFACES;
use crate::support::{Answer, Rig, ask, ask_stream, completion, start_gateway, streamed};
use crate::wires::text_stream;

fn set(content: &mut SnapshotContent, budgets: &[&str]) {
    let spending = &mut content.applications[0].spending;
    spending.budgets = budgets.iter().map(|budget| budget.parse().unwrap()).collect();
    spending.reserve_tokens = 20;
}

async fn rig(budgets: &[&str]) -> (Rig, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let shared: SharedClock = Arc::clone(&clock) as SharedClock;
    (Rig::at(shared, |content| set(content, budgets), |_| {}).await, clock)
}

async fn as_user(rig: &Rig, user: &str) -> Answer {
    let headers = [("x-api-key", "qk_shop"), ("x-quell-user", user)];
    rig.post("/v1/chat/completions", &headers, ask("hi").to_string()).await
}

#[tokio::test]
async fn a_spent_budget_refuses_until_its_period_is_over() {
    let (rig, clock) = rig(&["user:hour:tokens=30"]).await;
    rig.upstream.otherwise(|_| Reply::json(&completion("hello")));
    for expected in [200, 200] {
        assert_eq!(as_user(&rig, "ada").await.status, expected);
    }
    let refused = as_user(&rig, "ada").await;
    let sent: Vec<Value> = rig
        .upstream
        .received()
        .iter()
        .map(|got| serde_json::from_slice(&got.body).unwrap())
        .collect();
    let limits: Vec<_> = sent.iter().map(|body| body["max_completion_tokens"].clone()).collect();
    assert_eq!(
        limits,
        [json!(20), json!(17), json!(5)],
        "12 are spent each time, 1 is for the prompt"
    );
    assert_eq!(as_user(&rig, "bob").await.status, 200, "another user");
    // 24 are spent: there is room for 5 more tokens, which the provider exceeds.
    assert_eq!((refused.status.as_u16(), rig.upstream.received().len()), (200, 4));
    let refused = as_user(&rig, "ada").await;
    assert_eq!((refused.status.as_u16(), rig.upstream.received().len()), (429, 4));
    assert_eq!(refused.json()["error"]["code"], "insufficient_quota");
    assert!(refused.text().contains("2026-01-05T10:00:00Z"), "{}", refused.text());
    as_user(&rig, "ada").await;
    clock.advance(Duration::from_hours(1));
    assert_eq!(as_user(&rig, "ada").await.status, 200, "a new hour");
    let records = rig.records(7).await;
    let by = |n: usize| records[n].causes.iter().map(|cause| cause.by.as_str()).collect::<Vec<_>>();
    assert_eq!((records[1].outcome, by(1)), (Outcome::Degraded, vec!["budget:user_hour"]));
    assert_eq!((records[4].outcome, by(4)), (Outcome::Blocked, vec!["budget:user_hour"]));
    let signals: Vec<usize> = records.iter().map(|record| record.signals.len()).collect();
    assert_eq!(signals, [0, 0, 0, 0, 1, 0, 0], "told once");
    assert_eq!(records[4].signals[0].kind, quell_domain::IncidentKind::DenialOfService);
}

#[tokio::test]
async fn requests_side_by_side_cannot_spend_the_same_token() {
    let (rig, _clock) = rig(&["application:day:tokens=100"]).await;
    rig.upstream.otherwise(|_| {
        let mut body = completion("hello");
        body["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 20});
        Reply::json(&body).after(Duration::from_millis(20))
    });
    let body = ask("hi");
    let all = futures_util::future::join_all((0..40).map(|_| rig.chat(&body))).await;
    let served = all.iter().filter(|answer| answer.status == 200).count();
    assert!(all.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 429)));
    let records = rig.records(40).await;
    let spent: u64 = records
        .iter()
        .map(|r| {
            r.usage.input_tokens.unwrap_or_default() + r.usage.output_tokens.unwrap_or_default()
        })
        .sum();
    assert!((4..=5).contains(&served) && spent <= 105, "{served} served, {spent} spent");
    let asked: u64 = rig
        .upstream
        .received()
        .iter()
        .map(|got| {
            serde_json::from_slice::<Value>(&got.body).unwrap()["max_completion_tokens"]
                .as_u64()
                .unwrap()
        })
        .sum();
    assert!(asked <= 100, "{asked} tokens were allowed");
}

#[tokio::test]
async fn a_stream_that_passes_its_budget_ends_as_at_a_length_limit() {
    for path in SURFACES.into_iter().filter(|path| *path != "/v1/embeddings") {
        let (rig, _clock) = rig(&["key:minute:tokens=100"]).await;
        rig.upstream.push(Reply::sse(text_stream(path, &["word "; 99])));
        let mut body = crate::mediation::plain(path, true);
        let key = if path == "/v1/responses" { "max_output_tokens" } else { "max_tokens" };
        body[key] = json!(30);
        let answer = rig.post(path, &[("x-api-key", "qk_shop")], body.to_string()).await;
        let text = answer.text();
        let words = text.matches("word ").count();
        assert_eq!(words, 30, "{path}: {text}");
        let (end, reason) = match path {
            "/v1/messages" => ("\"message_stop\"}\n\n", "\"stop_reason\":\"max_tokens\""),
            "/v1/responses" => ("\n\n", "\"reason\":\"max_output_tokens\""),
            _ => ("data: [DONE]\n\n", "\"finish_reason\":\"length\""),
        };
        assert!(text.ends_with(end) && text.contains(reason), "{path}: {text}");
        let record = rig.records(1).await.pop().unwrap();
        assert_eq!(record.cut.unwrap().by, "budget:key_minute", "{path}");
        assert_eq!(record.outcome, Outcome::Blocked, "{path}");
        assert_eq!(record.finish_reasons, ["length"], "{path}");
        assert_eq!(record.signals.len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let (mut rig, _clock) = rig(&["application:month:tokens=13"]).await;
    rig.upstream.otherwise(|_| Reply::json(&completion("hello")));
    assert_eq!(rig.chat(&ask("hi")).await.status, 200);
    let kept = rig.data.path().join("gateway/gw-test/spent.json");
    for wipe in [false, true] {
        rig.gateway.shutdown().await;
        assert!(kept.exists());
        if wipe {
            std::fs::remove_file(&kept).unwrap();
        }
        let (data, control) = (rig.data.path(), rig.control.url());
        rig.gateway = start_gateway(data, &control, &rig.clock, &rig.ids).await;
        let answer = rig.chat(&ask("hi")).await;
        assert_eq!(answer.status, 429, "wiped: {wipe}: {}", answer.text());
    }
    assert_eq!(rig.upstream.received().len(), 1);
}

#[tokio::test]
async fn money_needs_a_price_or_fails_as_the_application_does() {
    for (fail, price, status) in [
        (FailMode::Closed, "other=1/1", 403),
        (FailMode::Open, "other=1/1", 200),
        (FailMode::Closed, "m-*=1/2", 200),
    ] {
        let rig = Rig::with(|content| {
            set(content, &["application:day:cost=0.01"]);
            let shop = &mut content.applications[0];
            shop.spending.prices = vec![price.parse().unwrap()];
            shop.fail = fail;
        })
        .await;
        rig.upstream.otherwise(|_| Reply::json(&completion("hello")));
        assert_eq!(rig.chat(&ask("hi")).await.status, status, "{fail:?} {price}");
        let unpriced = rig.records(1).await[0].not_evaluated.iter().any(|n| n.reason == "price");
        assert_eq!(unpriced, price.starts_with("other"));
    }
}

#[tokio::test]
async fn what_no_provider_answered_costs_nothing() {
    let (rig, _clock) = rig(&["application:hour:tokens=40"]).await;
    for _ in 0..3 {
        rig.upstream.push(Reply::status(500).chunk("out of order"));
        assert_eq!(rig.chat(&ask("hi")).await.status, 500);
    }
    rig.upstream.push(Reply::sse(crate::support::chat_stream(&["fine"])));
    let answer = rig.chat(&ask_stream("hi")).await;
    assert_eq!(streamed(&answer.text()), "fine");
    let records = rig.records(4).await;
    assert!(records[3].causes.is_empty(), "{:?}", records[3].causes);
}

#[tokio::test]
async fn control_hears_what_is_spent() {
    let (mut rig, _clock) = rig(&["user:hour:tokens=30", "application:day:tokens=1000"]).await;
    rig.upstream.otherwise(|_| Reply::json(&completion("hello")));
    assert_eq!(as_user(&rig, "ada").await.status, 200);
    rig.records(1).await;
    // A restart reports at once, and has forgotten nothing.
    rig.gateway.shutdown().await;
    let (data, control) = (rig.data.path(), rig.control.url());
    rig.gateway = start_gateway(data, &control, &rig.clock, &rig.ids).await;
    let told = rig
        .control
        .wait_for(|reports| {
            reports.iter().filter_map(|r| r.spend.as_ref()).find(|s| s.holders.len() == 2).cloned()
        })
        .await;
    let rows: Vec<_> =
        told.holders.iter().map(|row| (row.who.as_str(), row.tokens, row.held_tokens)).collect();
    assert_eq!(rows, [("asserted:ada", 12, 0), ("", 12, 0)], "the fullest first");
    assert_eq!(told.left_out, 0);
}
