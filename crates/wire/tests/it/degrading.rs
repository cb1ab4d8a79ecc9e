//! A degraded request is still one its provider takes.

use proptest::prelude::*;
use quell_domain::interaction::{Endpoint, Role};
use quell_domain::measure::Degradation;
use quell_wire::{ParsedRequest, degrade, parse_request, system_text};
use serde_json::{Value, json};

const PREAMBLE: &str = "Reduced service.";

fn degraded(endpoint: Endpoint, body: &Value) -> (ParsedRequest, Vec<String>) {
    let mut request = parse_request(endpoint, body.to_string().as_bytes()).unwrap();
    let changes = degrade(&mut request, &Degradation::default(), PREAMBLE);
    (request, changes)
}

#[test]
fn chat_loses_tools_tokens_and_old_turns() {
    let turns: Vec<_> =
        (0..9).map(|n| json!({"role": if n % 2 == 0 {"user"} else {"assistant"}, "content": n.to_string()})).collect();
    let mut messages = vec![json!({"role": "developer", "content": "Rules."})];
    messages.extend(turns);
    let (request, changes) = degraded(
        Endpoint::ChatCompletions,
        &json!({"messages": messages, "max_tokens": 4096, "tool_choice": "auto",
            "parallel_tool_calls": true, "tools": [{"type": "function", "function": {"name": "f"}}]}),
    );
    assert_eq!(
        request.body,
        json!({"messages": [
            {"role": "developer", "content": PREAMBLE}, {"role": "developer", "content": "Rules."},
            {"role": "assistant", "content": "5"}, {"role": "user", "content": "6"},
            {"role": "assistant", "content": "7"}, {"role": "user", "content": "8"}],
            "max_tokens": 200})
    );
    assert!(request.tools.is_empty());
    assert_eq!(system_text(&request), "Reduced service.\n\nRules.");
    assert_eq!(
        changes,
        [
            "tools removed",
            "tool_choice removed",
            "parallel_tool_calls removed",
            "max_tokens lowered to 200",
            "messages shortened from 10 to 5",
            "preamble added"
        ]
    );
}

#[test]
fn tokens_are_clamped_in_the_field_of_the_endpoint() {
    let small = json!({"messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 5});
    let (request, _) = degraded(Endpoint::ChatCompletions, &small);
    assert_eq!(request.body["max_completion_tokens"], 5);
    for (endpoint, body, key) in [
        (
            Endpoint::ChatCompletions,
            json!({"messages": [], "max_tokens": null}),
            "max_completion_tokens",
        ),
        (Endpoint::Completions, json!({"prompt": "x"}), "max_tokens"),
        (Endpoint::Responses, json!({"input": "x"}), "max_output_tokens"),
        (
            Endpoint::Messages,
            json!({"messages": [], "max_tokens": 9000,
            "thinking": {"type": "enabled", "budget_tokens": 4000}}),
            "max_tokens",
        ),
    ] {
        let (request, _) = degraded(endpoint, &body);
        assert_eq!(request.body[key], 200, "{endpoint:?}");
        assert!(request.body.get("thinking").is_none());
    }
}

#[test]
fn anthropic_keeps_no_tool_blocks_and_starts_with_the_user() {
    let (request, changes) = degraded(
        Endpoint::Messages,
        &json!({
            "max_tokens": 100, "system": "Rules.", "tools": [{"name": "f", "input_schema": {}}],
            "messages": [
                {"role": "user", "content": "one"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]}]},
                {"role": "assistant", "content": "two"},
                {"role": "user", "content": "three"}]}),
    );
    assert_eq!(
        request.body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "[tool result: r]"}]},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"}])
    );
    assert_eq!(request.body["system"], "Reduced service.\n\nRules.");
    assert!(changes.contains(&"2 tool blocks turned into text".to_owned()), "{changes:?}");
}

#[test]
fn completions_and_responses_get_the_preamble() {
    let (request, _) = degraded(Endpoint::Completions, &json!({"prompt": ["a", "b"]}));
    assert_eq!(request.body["prompt"], json!(["Reduced service.\n\na", "Reduced service.\n\nb"]));
    let (request, _) = degraded(Endpoint::Responses, &json!({"input": "x"}));
    assert_eq!(request.body["instructions"], PREAMBLE);
    assert_eq!(system_text(&request), PREAMBLE);
    let (request, changes) = degraded(Endpoint::Embeddings, &json!({"input": "x"}));
    assert_eq!((request.body, changes), (json!({"input": "x"}), vec![]));
}

fn chat_turn() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        Just(vec![json!({"role": "system", "content": "s"})]),
        Just(vec![json!({"role": "user", "content": "u"})]),
        Just(vec![json!({"role": "assistant", "content": "a"})]),
        (1..3usize).prop_map(|calls| {
            let listed: Vec<_> = (0..calls)
                .map(|n| json!({"id": n.to_string(), "type": "function", "function": {"name": "f", "arguments": "{}"}}))
                .collect();
            let mut turns = vec![json!({"role": "assistant", "content": null, "tool_calls": listed})];
            turns.extend((0..calls).map(|n| json!({"role": "tool", "tool_call_id": n.to_string(), "content": "r"})));
            turns
        }),
    ]
}

fn anthropic_turn() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        Just(vec![
            json!({"role": "user", "content": "u"}),
            json!({"role": "assistant", "content": "a"})
        ]),
        Just(vec![
            json!({"role": "user", "content": [{"type": "text", "text": "u"}]}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}),
            json!({"role": "assistant", "content": "done"}),
        ]),
    ]
}

fn response_turn() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        Just(vec![json!({"role": "user", "content": "u"})]),
        Just(vec![json!({"role": "developer", "content": "d"})]),
        Just(vec![
            json!({"type": "reasoning", "summary": []}),
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}),
            json!({"type": "function_call_output", "call_id": "c", "output": "r"}),
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}),
        ]),
    ]
}

fn limits() -> impl Strategy<Value = Degradation> {
    (any::<bool>(), proptest::option::of(0..500u32), proptest::option::of(0..6u32), any::<bool>())
        .prop_map(|(remove_tools, max_tokens, keep_messages, strict_preamble)| Degradation {
            remove_tools,
            max_tokens,
            keep_messages,
            strict_preamble,
        })
}

fn check(endpoint: Endpoint, body: &Value, limits: &Degradation) -> ParsedRequest {
    let mut request = parse_request(endpoint, body.to_string().as_bytes()).unwrap();
    let count = |request: &ParsedRequest| {
        request.fields.iter().filter(|field| field.role == Role::System).count()
    };
    let before = count(&request);
    degrade(&mut request, limits, PREAMBLE);
    let again = parse_request(endpoint, request.body.to_string().as_bytes()).unwrap();
    assert_eq!(again, request, "what is derived belongs to the body");
    assert!(count(&request) >= before.min(1), "system text stays");
    assert_eq!(system_text(&request).contains(PREAMBLE), limits.strict_preamble);
    let once = request.body.clone();
    let quiet = Degradation { strict_preamble: false, ..limits.clone() };
    assert_eq!(degrade(&mut request, &quiet, ""), Vec::<String>::new(), "twice changes nothing");
    assert_eq!(request.body, once);
    request
}

fn called(turn: &Value, id: &Value) -> bool {
    turn["tool_calls"].as_array().into_iter().flatten().any(|call| call["id"] == *id)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn chat_results_keep_their_calls(
        turns in proptest::collection::vec(chat_turn(), 1..8), limits in limits(),
    ) {
        let request = check(Endpoint::ChatCompletions, &json!({"messages": turns.concat(), "tools": []}), &limits);
        let messages = request.body["messages"].as_array().unwrap();
        for (index, turn) in messages.iter().enumerate().filter(|(_, turn)| turn["role"] == "tool") {
            let answered = messages[..index].iter().any(|earlier| called(earlier, &turn["tool_call_id"]));
            prop_assert!(answered, "{:?}", messages);
        }
    }

    #[test]
    fn anthropic_starts_with_a_plain_user_turn(
        turns in proptest::collection::vec(anthropic_turn(), 1..6), limits in limits(),
    ) {
        let request = check(Endpoint::Messages, &json!({"messages": turns.concat(), "max_tokens": 50, "tools": []}), &limits);
        let messages = request.body["messages"].as_array().unwrap();
        prop_assert_eq!(&messages[0]["role"], "user");
        prop_assert_ne!(&messages[0]["content"][0]["type"], "tool_result");
    }

    #[test]
    fn responses_start_with_a_user_message(
        turns in proptest::collection::vec(response_turn(), 1..8), limits in limits(),
    ) {
        let input = [vec![json!({"role": "user", "content": "first"})], turns.concat()].concat();
        let request = check(Endpoint::Responses, &json!({"input": input}), &limits);
        let items = request.body["input"].as_array().unwrap();
        let first = items.iter().find(|item| item["role"] != "developer").unwrap();
        prop_assert_eq!(&first["role"], "user");
    }
}
