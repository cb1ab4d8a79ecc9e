//! Complete mediation: a token planted in any string of any body is found in a field, or is named
//! as not evaluated, or stands under one of the keys listed here.

use proptest::prelude::*;
use quell_domain::interaction::Endpoint;
use quell_domain::measure::Degradation;
use quell_wire::{
    Frame, ParsedRequest, StreamReader, degrade, is_derived, parse_request, parse_response,
    remove_tools,
};
use serde_json::{Value, json};

const TOKEN: &str = "zq planted zq";

/// One body per endpoint with every shape Quell knows.
fn bodies() -> Vec<(Endpoint, Value)> {
    vec![
        (Endpoint::ChatCompletions, chat()),
        (Endpoint::Messages, messages()),
        (Endpoint::Responses, responses()),
        (
            Endpoint::Completions,
            json!({"model": "m", "prompt": ["a", "b"], "suffix": "s", "user": "u", "stop": ["x"]}),
        ),
        (Endpoint::Completions, json!({"model": "m", "prompt": "a", "stop": "x"})),
        (
            Endpoint::Embeddings,
            json!({"model": "m", "input": ["a", "b"], "encoding_format": "float"}),
        ),
    ]
}

fn chat() -> Value {
    json!({
        "model": "gpt", "user": "u1", "safety_identifier": "s1", "stop": ["END"],
        "messages": [
            {"role": "system", "content": "sys", "name": "n"},
            {"role": "developer", "content": [{"type": "text", "text": "dev"}]},
            {"role": "user", "name": "bob", "content": [
                {"type": "text", "text": "hello"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-1", "filename": "f.pdf"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}},
                {"type": "brand_new", "payload": {"deep": ["text", {"er": "text"}]}},
            ]},
            {"role": "assistant", "content": null, "refusal": "no", "reasoning_content": "hm",
             "audio": {"id": "audio_1"},
             "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":\"b\"}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free"}},
             ],
             "function_call": {"name": "h", "arguments": "{}"}},
            {"role": "tool", "tool_call_id": "c1", "content": "result"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "r"}]},
            {"role": "user", "content": "last", "unheard_of": "x"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "f", "description": "d", "strict": true,
            "parameters": {"type": "object", "required": ["a"], "properties": {
                "a": {"type": "string", "description": "pd", "enum": ["x", "y"], "default": "x"}}}}}],
        "functions": [{"name": "old", "description": "od", "parameters": {}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": {
            "type": "object", "properties": {"k": {"type": "string", "description": "rd"}}}}},
        "prediction": {"type": "content", "content": [{"type": "text", "text": "predicted"}]},
        "metadata": {"topic": "t", "user_id": "m1"},
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "c"}}},
        "audio": {"voice": "alloy", "format": "wav"}, "modalities": ["text", "audio"],
        "reasoning_effort": "low", "future": {"nested": [["x"]]},
    })
}

fn messages() -> Value {
    json!({
        "model": "claude", "max_tokens": 10,
        "system": [{"type": "text", "text": "sys", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hi", "citations": [{"type": "char_location", "cited_text": "c", "document_title": "t"}]},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
                {"type": "document", "title": "t", "context": "c", "source": {"type": "text", "media_type": "text/plain", "data": "plain words here"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
                {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "in"}]}},
                {"type": "search_result", "source": "https://s", "title": "st", "content": [{"type": "text", "text": "sr"}]},
                {"type": "container_upload", "file_id": "file_2"},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "b3BhcXVl"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": {"zip": ["z"]}}},
                {"type": "server_tool_use", "id": "t2", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "t2", "content": [
                    {"type": "web_search_result", "url": "https://u", "title": "wt", "encrypted_content": "QUJD", "page_age": "1 day"}]},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": false, "content": [
                    {"type": "text", "text": "r"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}]},
                {"type": "tool_result", "tool_use_id": "t3", "content": "plain"},
                {"type": "novel", "blob": {"x": "y"}},
            ]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"city": {"type": "object", "description": "pd"}}}}],
        "tool_choice": {"type": "tool", "name": "f"},
        "mcp_servers": [{"type": "url", "url": "https://m", "name": "srv", "authorization_token": "secret"}],
        "metadata": {"user_id": "u"}, "stop_sequences": ["S"], "container": {"id": "c1", "skills": [{"type": "custom", "skill_id": "sk"}]},
    })
}

fn responses() -> Value {
    json!({
        "model": "gpt", "instructions": "sys", "previous_response_id": "resp_1",
        "conversation": {"id": "conv_1"}, "user": "u",
        "prompt": {"id": "pmpt_1", "version": "2", "variables": {"who": "me", "what": {"type": "input_text", "text": "iv"}}},
        "input": [
            {"role": "user", "content": "plain"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "it"},
                {"type": "input_image", "image_url": "https://x/i.png", "detail": "low"},
                {"type": "input_image", "file_id": "file_1"},
                {"type": "input_file", "file_url": "https://x/f.pdf", "filename": "fn"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA"}]},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
                {"type": "output_text", "text": "ot", "logprobs": [{"token": "lp"}], "annotations": [{"type": "url_citation", "url": "https://c", "title": "ct"}]},
                {"type": "refusal", "refusal": "rf"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "fo"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "fo2"}]},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "ci"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "co"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "rs"}],
             "content": [{"type": "reasoning_text", "text": "rt"}], "encrypted_content": "QUFB"},
            {"type": "item_reference", "id": "msg_9"},
            {"type": "computer_call", "call_id": "c3", "action": {"type": "type", "text": "typed"}, "status": "completed"},
            {"type": "computer_call_output", "call_id": "c3", "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA"}},
            {"type": "file_search_call", "queries": ["fq"], "results": [{"text": "ft", "filename": "ff", "file_id": "file_2"}]},
            {"type": "web_search_call", "action": {"type": "search", "query": "wq"}},
            {"type": "code_interpreter_call", "code": "print(1)", "container_id": "cn_1", "outputs": [{"type": "logs", "logs": "lg"}]},
            {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls", "-l"], "env": {"A": "B"}}},
            {"type": "local_shell_call_output", "id": "c4", "output": "so"},
            {"type": "mcp_list_tools", "server_label": "sl", "tools": [{"name": "t", "description": "td", "input_schema": {}}]},
            {"type": "mcp_call", "name": "t", "server_label": "sl", "arguments": "{}", "output": "mo", "error": "me"},
            {"type": "mcp_approval_response", "approval_request_id": "a", "approve": true, "reason": "why"},
            {"type": "image_generation_call", "result": "AAAA", "status": "completed"},
            {"type": "unheard_of", "payload": ["x", {"y": "z"}]},
        ],
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {"properties": {"p": {"description": "pd"}, "headers": {"description": "hd"}, "authorization": {"type": "string", "description": "ad"}, "file_id": {"enum": ["e"]}}, "required": ["p"]}},
            {"type": "mcp", "server_label": "sl", "server_description": "sd", "authorization": "secret", "headers": {"x": "secret"}},
            {"type": "file_search", "vector_store_ids": ["vs_1"]},
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_3"]}},
            {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "inner", "description": "id"}]},
        ],
        "text": {"format": {"type": "json_schema", "name": "o", "schema": {"description": "fd"}}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"}, "metadata": {"k": "v"},
        "include": ["reasoning.encrypted_content"], "truncation": "auto",
    })
}

/// Every pointer of `value` that holds a string.
fn strings(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::String(_) => out.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                strings(item, &format!("{at}/{index}"), out);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                strings(member, &format!("{at}/{key}"), out);
            }
        }
        _ => {}
    }
}

/// Keys of which no value is ever text: credentials for a tool server, and the model's name.
fn is_exempt(pointer: &str) -> bool {
    matches!(pointer, "/model" | "/tools/1/authorization" | "/mcp_servers/0/authorization_token")
        || pointer.starts_with("/tools/1/headers/")
}

fn saw(request: &ParsedRequest) -> bool {
    request.fields.iter().any(|field| field.text.contains(TOKEN))
}

#[test]
fn a_token_planted_in_any_string_is_a_field() {
    let mut planted = 0;
    for (endpoint, body) in bodies() {
        let mut pointers = Vec::new();
        strings(&body, "", &mut pointers);
        for pointer in pointers.iter().filter(|pointer| !is_exempt(pointer)) {
            let mut body = body.clone();
            *body.pointer_mut(pointer).unwrap() = TOKEN.into();
            let parsed = parse_request(endpoint, body.to_string().as_bytes())
                .unwrap_or_else(|error| panic!("{endpoint:?} {pointer}: {error}"));
            assert!(saw(&parsed), "{endpoint:?} {pointer} is not inspected");
            planted += 1;
        }
    }
    assert!(planted > 200, "{planted}");
}

#[test]
fn a_new_member_of_any_object_is_a_field() {
    for (endpoint, body) in bodies() {
        let mut objects = Vec::new();
        containers(&body, "", &mut objects);
        for pointer in objects {
            if is_exempt(&format!("{pointer}/x")) {
                continue;
            }
            for value in [
                json!(TOKEN),
                json!({"a": [{"b": TOKEN}]}),
                json!({TOKEN: {"a": 1}}),
                json!({TOKEN: "x"}),
            ] {
                let mut body = body.clone();
                body.pointer_mut(&pointer).unwrap()["tomorrow"] = value;
                let parsed = parse_request(endpoint, body.to_string().as_bytes()).unwrap();
                assert!(saw(&parsed), "{endpoint:?} {pointer}/tomorrow is not inspected");
            }
        }
    }
}

fn containers(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                containers(item, &format!("{at}/{index}"), out);
            }
        }
        Value::Object(members) => {
            out.push(at.to_owned());
            for (key, member) in members {
                containers(member, &format!("{at}/{key}"), out);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_stands_where_its_pointer_says() {
    for (endpoint, body) in bodies() {
        let parsed = parse_request(endpoint, body.to_string().as_bytes()).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for field in &parsed.fields {
            assert!(seen.insert(&field.field), "{} twice", field.field);
            if is_derived(&field.field) {
                continue;
            }
            let target = parsed.body.pointer(&field.field).expect("pointer leads somewhere");
            assert_eq!(target.as_str(), Some(field.text.as_str()), "{}", field.field);
        }
    }
}

#[test]
fn a_token_planted_in_any_string_of_a_response_is_a_field() {
    let chat = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "finish_reason": "stop", "logprobs": {"content": []}, "message": {
                "role": "assistant", "content": "c", "refusal": "r", "reasoning_content": "rc",
                "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}],
                "audio": {"id": "a", "data": "AAAA", "transcript": "tr", "expires_at": 1}}},
            {"index": 1, "finish_reason": "tool_calls", "text": "t", "message": {"role": "assistant",
                "content": [{"type": "text", "text": "part"}],
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "function_call": {"name": "g", "arguments": "{}"}, "novel": {"a": ["b"]}}}],
        "error": {"message": "m", "code": "c"}, "provider": {"x": "y"}});
    let claude = json!({
        "id": "x", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": messages()["messages"][1]["content"], "usage": {"input_tokens": 1}});
    let responses = json!({
        "id": "x", "object": "response", "model": "m", "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"}, "error": {"message": "e"},
        "output": responses()["input"].as_array().unwrap()[2..].to_vec(), "novel": "n"});
    for (endpoint, body) in [
        (Endpoint::ChatCompletions, chat),
        (Endpoint::Messages, claude),
        (Endpoint::Responses, responses),
    ] {
        let mut pointers = Vec::new();
        strings(&body, "", &mut pointers);
        for pointer in pointers
            .iter()
            .filter(|pointer| !matches!(pointer.as_str(), "/model" | "/id" | "/object"))
        {
            // Token by token, log-probabilities repeat a text that is inspected.
            if pointer.contains("/logprobs/") {
                continue;
            }
            // Enumerations that end an exchange are reported as finish reasons.
            if pointer.ends_with("finish_reason")
                || pointer.ends_with("stop_reason")
                || pointer == "/status"
            {
                continue;
            }
            let mut body = body.clone();
            *body.pointer_mut(pointer).unwrap() = TOKEN.into();
            let (_, parsed) = parse_response(endpoint, body.to_string().as_bytes()).unwrap();
            let found = parsed.fields.iter().any(|field| field.text.contains(TOKEN));
            assert!(found, "{endpoint:?} {pointer} is not inspected");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z ]{0,12}".prop_map(|text| Value::from(format!("{text} leaf"))),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "type",
            "text",
            "content",
            "role",
            "input",
            "output",
            "arguments",
            "data",
            "url",
            "image_url",
            "file_id",
            "source",
            "name",
            "summary",
            "tools",
            "signature",
            "logs",
            "container",
            "thinking",
            "audio",
            "result",
            "prompt",
            "messages",
            "annotations",
        ])
        .prop_map(str::to_owned),
        "[a-z/~]{1,6}",
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn leaf_texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| leaf_texts(item, out)),
        Value::Object(members) => members.values().for_each(|member| leaf_texts(member, out)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_stands_in_a_message_is_inspected(part in any_json()) {
        let bodies = [
            (Endpoint::ChatCompletions, json!({"messages": [{"role": "user", "content": [part]}]})),
            (Endpoint::Messages, json!({"max_tokens": 1, "messages": [{"role": "user", "content": [part]}]})),
            (Endpoint::Responses, json!({"input": [{"role": "user", "content": [part]}]})),
            (Endpoint::Responses, json!({"input": "x", "future": part})),
        ];
        let mut texts = Vec::new();
        leaf_texts(&part, &mut texts);
        for (endpoint, body) in bodies {
            let parsed = parse_request(endpoint, body.to_string().as_bytes()).unwrap();
            for text in &texts {
                prop_assert!(
                    parsed.fields.iter().any(|field| field.text.contains(text.as_str())),
                    "{:?}: {:?} in {}", endpoint, text, body
                );
            }
        }
    }

    #[test]
    fn no_shape_breaks_a_reader(
        members in proptest::collection::btree_map(
            proptest::sample::select(vec![
                "messages", "input", "tools", "prompt", "system", "metadata", "choices", "output",
                "content", "delta", "item", "part", "response", "error", "usage", "message",
                "content_block", "max_tokens", "tool_choice", "conversation", "type", "text",
            ]),
            any_json(),
            0..8,
        ),
    ) {
        let body = Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        let frame = Frame { event: None, data: body.to_string(), raw: body.to_string().into() };
        for endpoint in Endpoint::ALL {
            let _ = parse_response(endpoint, body.to_string().as_bytes());
            let mut reader = StreamReader::new(endpoint);
            for delta in reader.read(&frame).unwrap_or_default() {
                let found = body.pointer(&delta.pointer);
                prop_assert!(is_derived(&delta.pointer) || found.is_some(), "{}", delta.pointer);
            }
            reader.summary();
            if let Ok(mut request) = parse_request(endpoint, body.to_string().as_bytes()) {
                degrade(&mut request, &Degradation::default(), "preamble");
                remove_tools(&mut request, &["f".to_owned()]);
                prop_assert!(request.refresh().is_ok());
            }
        }
    }
}
