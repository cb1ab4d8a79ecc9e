//! The wire shape of every endpoint, held by snapshots.

use quell_range::RangeConfig;
use serde_json::{Value, json};

use crate::client::{get, post, start};

fn chat(text: &str) -> Value {
    json!({"model": "range-1", "messages": [
        {"role": "system", "content": "You sell bicycles."},
        {"role": "user", "content": text},
    ]})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

/// The events of a stream with runs of the same kind cut to their first.
fn gist(events: Vec<Value>) -> Vec<Value> {
    let kind = |event: &Value| {
        let delta = event.pointer("/choices/0/delta").and_then(Value::as_object);
        let keys = delta.map(|delta| delta.keys().cloned().collect::<Vec<_>>());
        (event.get("type").cloned(), keys, event.pointer("/choices/0/finish_reason").cloned())
    };
    let mut kept: Vec<Value> = Vec::new();
    for event in events {
        if kept.last().is_none_or(|last| kind(last) != kind(&event)) {
            kept.push(event);
        }
    }
    kept
}

const ORDER: &str = "Where is order 48213?";

#[tokio::test]
async fn openai_shapes() {
    let server = start(RangeConfig::certain()).await;
    let path = "/v1/chat/completions";
    let greeting = chat("Hello");
    insta::assert_json_snapshot!("chat", post(&server, path, &greeting).await.json());
    let two = with(chat("Hello there"), "n", json!(2));
    insta::assert_json_snapshot!("chat_two_choices", post(&server, path, &two).await.json());
    let tools = with(chat(ORDER), "tools", quell_range::tools::openai_chat());
    insta::assert_json_snapshot!("chat_tool_call", post(&server, path, &tools).await.json());
    let stream = with(chat("Hey"), "stream", json!(true));
    let stream = with(stream, "stream_options", json!({"include_usage": true}));
    let answered = post(&server, path, &stream).await;
    assert!(answered.text().ends_with("data: [DONE]\n\n"));
    insta::assert_json_snapshot!("chat_stream", gist(answered.events()));
    let tools = with(tools, "stream", json!(true));
    insta::assert_json_snapshot!(
        "chat_stream_tool_call",
        gist(post(&server, path, &tools).await.events())
    );

    let prompt = json!({"model": "range-1", "prompt": "Hello"});
    insta::assert_json_snapshot!(
        "completion",
        post(&server, "/v1/completions", &prompt).await.json()
    );
    let stream = with(prompt, "stream", json!(true));
    let answered = post(&server, "/v1/completions", &stream).await;
    insta::assert_json_snapshot!("completion_stream", gist(answered.events()));

    let embed = json!({"model": "range-embedding-1", "input": ["a", "b"], "dimensions": 2});
    insta::assert_json_snapshot!(
        "embeddings",
        post(&server, "/v1/embeddings", &embed).await.json()
    );
    insta::assert_json_snapshot!("models", get(&server, "/v1/models").await.json());
    server.shutdown().await;
}

#[tokio::test]
async fn responses_shapes() {
    let server = start(RangeConfig::certain()).await;
    let path = "/v1/responses";
    let ask = json!({"model": "range-1", "instructions": "Be kind.", "input": "Hello"});
    insta::assert_json_snapshot!("responses", post(&server, path, &ask).await.json());
    let stream = with(ask, "stream", json!(true));
    let events = post(&server, path, &stream).await.events();
    assert!(events.iter().enumerate().all(|(at, event)| event["sequence_number"] == json!(at)));
    insta::assert_json_snapshot!("responses_stream", gist(events));
    let tools = json!({"model": "range-1", "input": ORDER, "stream": true,
                       "tools": quell_range::tools::openai_responses()});
    insta::assert_json_snapshot!(
        "responses_stream_tool_call",
        gist(post(&server, path, &tools).await.events())
    );
    let short = json!({"model": "range-1", "input": "What about tents?", "max_output_tokens": 3});
    insta::assert_json_snapshot!("responses_incomplete", post(&server, path, &short).await.json());
    server.shutdown().await;
}

#[tokio::test]
async fn anthropic_shapes() {
    let server = start(RangeConfig::certain()).await;
    let path = "/v1/messages";
    let ask = json!({"model": "range-1", "max_tokens": 300, "system": "Be kind.",
                     "messages": [{"role": "user", "content": "Hello"}]});
    insta::assert_json_snapshot!("messages", post(&server, path, &ask).await.json());
    let stream = with(ask, "stream", json!(true));
    insta::assert_json_snapshot!(
        "messages_stream",
        gist(post(&server, path, &stream).await.events())
    );
    let tools = json!({"model": "range-1", "max_tokens": 300, "stream": true,
                       "tools": quell_range::tools::anthropic(),
                       "messages": [{"role": "user", "content": ORDER}]});
    insta::assert_json_snapshot!(
        "messages_stream_tool_call",
        gist(post(&server, path, &tools).await.events())
    );
    server.shutdown().await;
}
