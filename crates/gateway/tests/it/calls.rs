//! Calls of tools: held against the declared schema, the application's scope and the documents of
//! the request, on every surface, before a client learns that a call is complete.

use http::StatusCode;
use quell_domain::interaction::Outcome;
use quell_testkit::Reply;
use serde_json::{Value, json};

use crate::support::Rig;

const OUTSIDE: &str = r#"{"url": "https://collect.example/in?d=1"}"#;
const INSIDE: &str = r#"{"url": "https://api.shop.example/orders"}"#;

fn schema() -> Value {
    json!({"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"],
           "additionalProperties": false})
}

/// A request that offers `fetch`, as each surface writes it.
fn offering(path: &str, stream: bool) -> Value {
    let asked = json!([{"role": "user", "content": "What is in the order?"}]);
    match path {
        "/v1/responses" => json!({"model": "m-1", "stream": stream, "input": asked,
            "tools": [{"type": "function", "name": "fetch", "parameters": schema()}]}),
        "/v1/messages" => json!({"model": "m-1", "stream": stream, "max_tokens": 64,
            "messages": asked, "tools": [{"name": "fetch", "input_schema": schema()}]}),
        _ => json!({"model": "m-1", "stream": stream, "messages": asked,
            "tools": [{"type": "function", "function": {"name": "fetch", "parameters": schema()}}]}),
    }
}

fn whole(path: &str, arguments: &str) -> Value {
    match path {
        "/v1/responses" => json!({"id": "resp_1", "object": "response", "status": "completed",
            "model": "m-1", "output": [{"type": "function_call", "id": "fc_1", "call_id": "c_1",
            "status": "completed", "name": "fetch", "arguments": arguments}]}),
        "/v1/messages" => {
            let input: Value = serde_json::from_str(arguments).unwrap();
            json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1",
                "content": [{"type": "tool_use", "id": "c_1", "name": "fetch", "input": input}],
                "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}})
        }
        _ => json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m-1",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
                "role": "assistant", "content": null, "tool_calls": [{"id": "c_1",
                "type": "function", "function": {"name": "fetch", "arguments": arguments}}]}}]}),
    }
}

/// The call in two pieces, then what tells a client that it is complete.
fn streamed(path: &str, arguments: &str) -> (Vec<String>, &'static str) {
    let (head, tail) = arguments.split_at(9);
    let event =
        |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    match path {
        "/v1/responses" => {
            let item = |arguments: &str, status: &str| {
                json!({"type": "function_call", "id": "fc_1",
                "call_id": "c_1", "name": "fetch", "status": status, "arguments": arguments})
            };
            let delta = |piece: &str| {
                event(json!({"type": "response.function_call_arguments.delta",
                "output_index": 0, "item_id": "fc_1", "delta": piece}))
            };
            let frames = vec![
                event(json!({"type": "response.output_item.added", "output_index": 0,
                    "item": item("", "in_progress")})),
                delta(head),
                delta(tail),
                event(json!({"type": "response.function_call_arguments.done", "output_index": 0,
                    "item_id": "fc_1", "arguments": arguments})),
                event(json!({"type": "response.output_item.done", "output_index": 0,
                    "item": item(arguments, "completed")})),
                event(json!({"type": "response.completed", "response": whole(path, arguments)})),
            ];
            (frames, "arguments.done")
        }
        "/v1/messages" => {
            let delta = |piece: &str| {
                event(json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": piece}}))
            };
            let frames = vec![
                event(
                    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
                    "role": "assistant", "model": "m-1", "content": [], "stop_reason": null,
                    "usage": {"input_tokens": 1, "output_tokens": 1}}}),
                ),
                event(json!({"type": "content_block_start", "index": 0, "content_block":
                    {"type": "tool_use", "id": "c_1", "name": "fetch", "input": {}}})),
                delta(head),
                delta(tail),
                event(json!({"type": "content_block_stop", "index": 0})),
                event(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}})),
                event(json!({"type": "message_stop"})),
            ];
            (frames, "content_block_stop")
        }
        _ => {
            let chunk = |delta: Value, finish: Value| {
                format!(
                    "data: {}\n\n",
                    json!({"id": "c",
                "object": "chat.completion.chunk", "created": 1, "model": "m-1",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
                )
            };
            let frames = vec![
                chunk(
                    json!({"tool_calls": [{"index": 0, "id": "c_1", "type": "function",
                    "function": {"name": "fetch", "arguments": head}}]}),
                    Value::Null,
                ),
                chunk(
                    json!({"tool_calls": [{"index": 0, "function": {"arguments": tail}}]}),
                    Value::Null,
                ),
                chunk(json!({}), json!("tool_calls")),
                "data: [DONE]\n\n".to_owned(),
            ];
            (frames, "\"finish_reason\":\"tool_calls\"")
        }
    }
}

const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/messages", "/v1/responses"];

async fn scoped() -> Rig {
    Rig::with(|content| {
        content.applications[0].tool_destinations = vec!["shop.example".into()];
    })
    .await
}

#[tokio::test]
async fn a_call_out_of_scope_never_becomes_complete() {
    let rig = scoped().await;
    let mut count = 0;
    for path in PATHS {
        let headers = [("x-api-key", "qk_shop")];
        rig.upstream.push(Reply::json(&whole(path, OUTSIDE)));
        let answer = rig.post(path, &headers, offering(path, false).to_string()).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.text());
        let (frames, complete) = streamed(path, OUTSIDE);
        rig.upstream.push(Reply::sse(frames));
        let answer = rig.post(path, &headers, offering(path, true).to_string()).await.text();
        assert!(answer.contains("error") && !answer.contains(complete), "{path}: {answer}");
        count += 2;
        for record in &rig.records(count).await[count - 2..] {
            assert_eq!(record.outcome, Outcome::Blocked, "{path}");
            let by = "rule:tool_destination_out_of_scope";
            assert!(
                record.causes.iter().any(|cause| cause.by == by),
                "{path}: {:?}",
                record.causes
            );
        }
        rig.upstream.push(Reply::json(&whole(path, INSIDE)));
        let answer = rig.post(path, &headers, offering(path, false).to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        let (frames, complete) = streamed(path, INSIDE);
        rig.upstream.push(Reply::sse(frames));
        let answer = rig.post(path, &headers, offering(path, true).to_string()).await.text();
        assert!(
            answer.contains(complete) && !answer.contains("error\":{\"message"),
            "{path}: {answer}"
        );
        count += 2;
    }
}

#[tokio::test]
async fn arguments_outside_the_declared_schema_raise_a_signal() {
    let rig = Rig::start().await;
    let mut count = 0;
    for path in PATHS {
        for stream in [false, true] {
            let arguments = r#"{"url": "https://a.example", "shell": true}"#;
            rig.upstream.push(if stream {
                Reply::sse(streamed(path, arguments).0)
            } else {
                Reply::json(&whole(path, arguments))
            });
            let body = offering(path, stream).to_string();
            let answer = rig.post(path, &[("x-api-key", "qk_shop")], body).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
            count += 1;
            let record = rig.records(count).await.pop().unwrap();
            let found = record.signals.iter().any(|signal| signal.rule == "tool_arguments_invalid");
            assert!(found, "{path}, stream {stream}: {:?}", record.signals);
        }
    }
}

#[tokio::test]
async fn an_answer_is_compared_with_the_documents_it_was_given() {
    let rig = Rig::start().await;
    let report = "Quarterly report of the harbour: 1,250 containers were handled in March, 1,310 in \
        April and 1,475 in May. The new crane came into service on 2 April; the harbour master \
        expects 5,000 containers by the end of the summer. Costs were 3.2 million, of which 1.1 \
        million went into the dredging of the basin, and the rest into the northern quay.";
    let body = |stream: bool| {
        json!({"model": "m-1", "stream": stream, "logprobs": true, "messages": [
        {"role": "user", "content": "How many containers were there?"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c_1", "type": "function",
            "function": {"name": "report", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c_1", "content": report}]})
    };
    let answer = "There were definitely 1,250 containers in March, 1,780 in April, 2,115 in May, \
        and the costs of it all came to 4.7 million.";
    let logprobs = vec![json!({"token": "x", "logprob": -1.9, "top_logprobs": []}); 30];
    let mut reply = crate::support::completion(answer);
    reply["choices"][0]["logprobs"] = json!({"content": logprobs});
    rig.upstream.push(Reply::json(&reply));
    rig.chat(&body(false)).await;
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m-1",
        "choices": [{"index": 0, "delta": {"content": answer}, "logprobs": {"content": logprobs},
        "finish_reason": "stop"}]});
    rig.upstream.push(Reply::sse([format!("data: {chunk}\n\n"), "data: [DONE]\n\n".into()]));
    rig.chat(&body(true)).await;
    for record in rig.records(2).await {
        for rule in ["ungrounded_answer", "confidence_mismatch"] {
            let found = record.signals.iter().find(|signal| signal.rule == rule);
            let found = found.unwrap_or_else(|| panic!("{rule}: {record:#?}"));
            assert!(found.spans.iter().all(|span| span.field == "/choices/0/message/content"));
        }
    }
}
