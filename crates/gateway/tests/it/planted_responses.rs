//! Responses and streams with a text planted in one place each.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::mediation::{PIECES, PLANTED, Row, planted, text, unreadable};
use crate::wires::{messages_stream, response, responses_events, text_stream};

/// Bodies that come whole. One with an `error` comes with status 400.
pub(crate) fn wholes(path: &str) -> Vec<Row<String>> {
    let rows = match path {
        "/v1/chat/completions" => chat(),
        "/v1/completions" => completions(),
        "/v1/responses" => responses(),
        "/v1/messages" => messages(),
        _ => vec![unreadable(
            "vectors",
            json!({"object": "list", "data": [{"index": 0, "embedding": [0.5]}]}),
        )],
    };
    let rows = rows.into_iter().map(|row| Row {
        place: row.place,
        planted: planted(&row.planted),
        sort: row.sort,
    });
    let error = format!("{{\"error\":{{\"message\":\"bad prompt: {PLANTED}\"}}}}");
    let escaped = error.replace(' ', "\\u0020");
    rows.chain([text("error", error), text("error, escaped", escaped)]).collect()
}

/// Streams, frame by frame.
pub(crate) fn streams(path: &str) -> Vec<Row<Vec<String>>> {
    let mut rows = match path {
        "/v1/chat/completions" => chat_streams(),
        "/v1/completions" => completions_streams(),
        "/v1/responses" => responses_streams(),
        "/v1/messages" => messages_streams(),
        _ => return Vec::new(),
    };
    rows.push(text("text", text_stream(path, &["Well: ", PLANTED])));
    rows.push(text("text, in two pieces", text_stream(path, &PIECES)));
    let letters: Vec<String> = PLANTED.chars().map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    rows.push(text("text, letter by letter", text_stream(path, &letters)));
    rows
}

const ESCAPED: &str = "{\"q\": \"violet\\u0020heron 77\"}";

fn chat() -> Vec<Row<Value>> {
    let choice = |index: u8, message: Value| json!({"index": index, "message": message, "finish_reason": "stop"});
    let body = |choices: &[Value]| json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices});
    let one = |message: Value| body(&[choice(0, message)]);
    let fine = choice(0, json!({"role": "assistant", "content": "fine"}));
    let called = |arguments: &str| {
        one(json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}]}))
    };
    vec![
        text("content", one(json!({"role": "assistant", "content": "it is @."}))),
        text(
            "second choice",
            body(&[fine, choice(1, json!({"role": "assistant", "content": "@"}))]),
        ),
        text(
            "reasoning",
            one(json!({"role": "assistant", "content": "x", "reasoning_content": "@"})),
        ),
        text("refusal", one(json!({"role": "assistant", "content": null, "refusal": "@"}))),
        text("tool arguments", called("{\"q\": \"@\"}")),
        text("tool arguments, escaped", called(ESCAPED)),
        text(
            "custom tool input",
            one(
                json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "f", "input": "@"}}]}),
            ),
        ),
        text(
            "function call",
            one(
                json!({"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"q\": \"@\"}"}}),
            ),
        ),
        text(
            "annotation",
            one(
                json!({"role": "assistant", "content": "x", "annotations": [{"type": "url_citation", "url_citation": {"title": "@", "url": "https://u"}}]}),
            ),
        ),
        text(
            "audio transcript",
            one(
                json!({"role": "assistant", "content": null, "audio": {"id": "a", "data": "AAAA", "transcript": "@"}}),
            ),
        ),
        unreadable(
            "audio",
            one(
                json!({"role": "assistant", "content": null, "audio": {"id": "a", "data": BASE64_STANDARD.encode(PLANTED), "transcript": "x"}}),
            ),
        ),
        unreadable(
            "log-probabilities",
            body(&[
                json!({"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop",
                       "logprobs": {"content": [{"token": "@", "logprob": -0.1, "top_logprobs": [{"token": "@", "logprob": -3.0}]}]}}),
            ]),
        ),
        text(
            "unheard-of member",
            one(json!({"role": "assistant", "content": "x", "novel": {"deep": ["@"]}})),
        ),
    ]
}

fn completions() -> Vec<Row<Value>> {
    let body = |choices: Value| json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": choices});
    vec![
        text("text", body(json!([{"index": 0, "text": "it is @.", "finish_reason": "stop"}]))),
        text(
            "second choice",
            body(json!([{"index": 0, "text": "fine"}, {"index": 1, "text": "@"}])),
        ),
        unreadable(
            "log-probabilities",
            body(
                json!([{"index": 0, "text": "x", "logprobs": {"tokens": ["@"], "token_logprobs": [-0.1]}}]),
            ),
        ),
    ]
}

fn messages() -> Vec<Row<Value>> {
    let body = |blocks: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks,
               "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}})
    };
    let one = |block: Value| body(json!([block]));
    vec![
        text("text", one(json!({"type": "text", "text": "it is @."}))),
        text(
            "second block",
            body(json!([{"type": "text", "text": "fine"}, {"type": "text", "text": "@"}])),
        ),
        text("thinking", one(json!({"type": "thinking", "thinking": "@", "signature": "c2ln"}))),
        unreadable(
            "sealed thinking",
            one(json!({"type": "redacted_thinking", "data": BASE64_STANDARD.encode(PLANTED)})),
        ),
        text(
            "tool input",
            one(
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"q": {"deep": ["@"]}}}),
            ),
        ),
        text(
            "citation",
            one(
                json!({"type": "text", "text": "x", "citations": [{"type": "char_location", "cited_text": "@"}]}),
            ),
        ),
        text(
            "web search result",
            one(
                json!({"type": "web_search_tool_result", "tool_use_id": "t2", "content": [{"type": "web_search_result", "url": "https://u", "title": "@"}]}),
            ),
        ),
        text("unheard-of block", one(json!({"type": "novel", "blob": {"x": "@"}}))),
    ]
}

fn responses() -> Vec<Row<Value>> {
    let one = |item: Value| response("completed", &json!([item]));
    let said = |part: Value| {
        one(
            json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}),
        )
    };
    let called = |arguments: &str| {
        one(
            json!({"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": arguments, "status": "completed"}),
        )
    };
    vec![
        text("text", said(json!({"type": "output_text", "text": "it is @.", "annotations": []}))),
        text("refusal", said(json!({"type": "refusal", "refusal": "@"}))),
        text(
            "annotation",
            said(
                json!({"type": "output_text", "text": "x", "annotations": [{"type": "url_citation", "url": "https://u", "title": "@"}]}),
            ),
        ),
        text(
            "reasoning summary",
            one(
                json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "@"}]}),
            ),
        ),
        text(
            "reasoning text",
            one(
                json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "@"}]}),
            ),
        ),
        text("function call arguments", called("{\"q\": \"@\"}")),
        text("function call arguments, escaped", called(ESCAPED)),
        text(
            "custom tool input",
            one(json!({"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "@"})),
        ),
        text("code", one(json!({"type": "code_interpreter_call", "code": "print('@')"}))),
        text(
            "tool server's output",
            one(
                json!({"type": "mcp_call", "name": "t", "server_label": "s", "arguments": "{}", "output": "@"}),
            ),
        ),
        unreadable(
            "image",
            one(
                json!({"type": "image_generation_call", "result": BASE64_STANDARD.encode(PLANTED), "status": "completed"}),
            ),
        ),
        unreadable(
            "log-probabilities",
            said(
                json!({"type": "output_text", "text": "x", "annotations": [], "logprobs": [{"token": "@", "logprob": -0.1, "bytes": [], "top_logprobs": []}]}),
            ),
        ),
        unreadable("echo of the instructions", echoing("instructions", json!("@"))),
        unreadable("echo of the metadata", echoing("metadata", json!({"note": "@"}))),
        unreadable(
            "echo of the tools",
            echoing("tools", json!([{"type": "function", "name": "f", "description": "@"}])),
        ),
        text("unheard-of item", one(json!({"type": "novel", "payload": ["x", {"y": "@"}]}))),
    ]
}

/// A Responses object that gives back `value` as the `key` of the request.
fn echoing(key: &str, value: Value) -> Value {
    let mut body = response("completed", &json!([]));
    body[key] = value;
    body
}

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

fn chat_stream(deltas: &[Value]) -> Vec<String> {
    let chunk = |index: &Value, delta: &Value, finish: Value| {
        data(&json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
        }))
    };
    let zero = json!(0);
    let mut chunks = vec![chunk(&zero, &json!({"role": "assistant", "content": ""}), Value::Null)];
    chunks.extend(deltas.iter().map(|delta| {
        let index = delta.get("choice").unwrap_or(&zero);
        chunk(index, delta.get("delta").unwrap_or(delta), Value::Null)
    }));
    chunks.push(chunk(&zero, &json!({}), json!("stop")));
    chunks.push("data: [DONE]\n\n".into());
    chunks
}

fn chat_streams() -> Vec<Row<Vec<String>>> {
    let in_pieces = |member: &str| chat_stream(&PIECES.map(|piece| json!({member: piece})));
    let called =
        |piece: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
    let begun = json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    let arguments = |pieces: &[&str]| {
        let pieces = pieces.iter().map(|piece| called(piece));
        chat_stream(&[begun.clone()].into_iter().chain(pieces).collect::<Vec<_>>())
    };
    vec![
        unreadable(
            "log-probabilities",
            vec![
                data(&json!({"choices": [{"index": 0, "delta": {"content": "x"},
                    "logprobs": {"content": [{"token": PLANTED, "logprob": -0.1, "top_logprobs": []}]}}]})),
                data(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})),
                "data: [DONE]\n\n".to_owned(),
            ],
        ),
        text(
            "second choice",
            chat_stream(&PIECES.map(|piece| json!({"choice": 1, "delta": {"content": piece}}))),
        ),
        text("reasoning", in_pieces("reasoning_content")),
        text("refusal", in_pieces("refusal")),
        text("tool arguments", arguments(&["{\"q\": \"", PIECES[0], PIECES[1], "\"}"])),
        text("tool arguments, escaped", arguments(&[ESCAPED])),
        text(
            "tool arguments, escaped, in pieces",
            arguments(&["{\"q\": \"vio", "let\\u00", "20heron 77\"}"]),
        ),
        text(
            "tool name",
            chat_stream(&[
                json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": PLANTED, "arguments": "{}"}}]}),
            ]),
        ),
        text(
            "function call",
            chat_stream(&PIECES.map(|piece| json!({"function_call": {"arguments": piece}}))),
        ),
        text("unheard-of member", chat_stream(&[json!({"novel": {"deep": [PLANTED]}})])),
        text("error", vec![data(&json!({"error": {"message": PLANTED}}))]),
    ]
}

fn completions_streams() -> Vec<Row<Vec<String>>> {
    let second = PIECES.map(|piece| {
        data(&json!({"choices": [{"index": 1, "text": piece, "finish_reason": null}]}))
    });
    let end = text_stream("/v1/completions", &[]);
    vec![text("second choice", second.into_iter().chain(end).collect())]
}

fn messages_streams() -> Vec<Row<Vec<String>>> {
    let pieces = |block: Value, kind: &str, member: &str, pieces: &[&str]| {
        let deltas = pieces.iter().map(|piece| json!({"type": kind, member: piece}));
        messages_stream(&block, deltas)
    };
    let tool = || json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
    let input = |parts: &[&str]| pieces(tool(), "input_json_delta", "partial_json", parts);
    let thinking = json!({"type": "thinking", "thinking": "", "signature": ""});
    vec![
        text("thinking", pieces(thinking, "thinking_delta", "thinking", &PIECES)),
        text("tool input", input(&["{\"q\": \"", PIECES[0], PIECES[1], "\"}"])),
        text("tool input, escaped", input(&[ESCAPED])),
        text(
            "tool input, escaped, in pieces",
            input(&["{\"q\": \"vio", "let\\u00", "20heron 77\"}"]),
        ),
        text(
            "citation",
            messages_stream(
                &json!({"type": "text", "text": ""}),
                [
                    json!({"type": "citations_delta", "citation": {"type": "char_location", "cited_text": PLANTED}}),
                ],
            ),
        ),
        text("block as it begins", messages_stream(&json!({"type": "text", "text": PLANTED}), [])),
        text(
            "web search result",
            messages_stream(
                &json!({"type": "web_search_tool_result", "tool_use_id": "t2", "content": [{"type": "web_search_result", "url": "https://u", "title": PLANTED}]}),
                [],
            ),
        ),
        unreadable(
            "sealed thinking",
            messages_stream(
                &json!({"type": "redacted_thinking", "data": BASE64_STANDARD.encode(PLANTED)}),
                [],
            ),
        ),
        text(
            "unheard-of delta",
            messages_stream(
                &json!({"type": "text", "text": ""}),
                [json!({"type": "novel_delta", "novel": PLANTED})],
            ),
        ),
        text(
            "error",
            vec![format!(
                "event: error\n{}",
                data(&json!({"type": "error", "error": {"type": "api_error", "message": PLANTED}}))
            )],
        ),
    ]
}

fn responses_streams() -> Vec<Row<Vec<String>>> {
    let pieces = |kind: &str, parts: &[&str]| {
        let events: Vec<_> = parts
            .iter()
            .map(|piece| json!({"type": kind, "item_id": "i", "output_index": 0, "content_index": 0, "summary_index": 0, "delta": piece}))
            .collect();
        responses_events(&events, &json!([]))
    };
    let only = |event: Value| responses_events(&[event], &json!([]));
    let arguments = "response.function_call_arguments.delta";
    let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": PLANTED}]});
    vec![
        text("refusal", pieces("response.refusal.delta", &PIECES)),
        text("reasoning summary", pieces("response.reasoning_summary_text.delta", &PIECES)),
        text("reasoning text", pieces("response.reasoning_text.delta", &PIECES)),
        text(
            "function call arguments",
            pieces(arguments, &["{\"q\": \"", PIECES[0], PIECES[1], "\"}"]),
        ),
        text("function call arguments, escaped", pieces(arguments, &[ESCAPED])),
        text(
            "function call arguments, escaped, in pieces",
            pieces(arguments, &["{\"q\": \"vio", "let\\u00", "20heron 77\"}"]),
        ),
        text("custom tool input", pieces("response.custom_tool_call_input.delta", &PIECES)),
        text("code", pieces("response.code_interpreter_call_code.delta", &PIECES)),
        text("tool server's arguments", pieces("response.mcp_call_arguments.delta", &PIECES)),
        text("audio transcript", pieces("response.output_audio_transcript.delta", &PIECES)),
        unreadable(
            "audio",
            pieces("response.output_audio.delta", &[&BASE64_STANDARD.encode(PLANTED)]),
        ),
        unreadable(
            "partial image",
            only(
                json!({"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_b64": BASE64_STANDARD.encode(PLANTED)}),
            ),
        ),
        text(
            "annotation",
            only(
                json!({"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation_index": 0, "annotation": {"type": "url_citation", "url": "https://u", "title": PLANTED}}),
            ),
        ),
        text(
            "only in the closing event of a text",
            only(
                json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": PLANTED}),
            ),
        ),
        text(
            "only in the closing event of an item",
            only(json!({"type": "response.output_item.done", "output_index": 0, "item": item})),
        ),
        text("only in the final response", responses_events(&[], &json!([item]))),
        text(
            "unheard-of event",
            only(json!({"type": "response.novel", "novel": {"deep": [PLANTED]}})),
        ),
        text(
            "error",
            responses_events(
                &[json!({"type": "error", "code": "x", "message": PLANTED, "param": null})],
                &json!([]),
            ),
        ),
    ]
}
