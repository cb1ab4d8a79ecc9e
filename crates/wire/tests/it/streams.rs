//! Streams: framing however split, pieces as they come, and the whole as if it had not been one.

use proptest::prelude::*;
use quell_domain::interaction::Endpoint;
use quell_wire::response::interpret;
use quell_wire::{Delta, Frame, SseParser, StreamReader, WireError, rewrite};
use serde_json::{Value, json};

fn split(bytes: &[u8], cuts: &[usize], limit: usize) -> (Vec<Frame>, Option<WireError>) {
    let mut parser = SseParser::new(limit);
    let mut frames = Vec::new();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    for pair in cuts.windows(2) {
        parser.push(&bytes[pair[0]..pair[1]]);
        loop {
            match parser.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    match parser.finish() {
        Ok(last) => {
            frames.extend(last);
            (frames, None)
        }
        Err(error) => (frames, Some(error)),
    }
}

fn frames(text: &str) -> Vec<Frame> {
    let (frames, error) = split(text.as_bytes(), &[], 1 << 20);
    assert_eq!(error, None);
    frames
}

#[test]
fn frames_follow_the_standard() {
    for (bytes, expected) in [
        ("data: a\n\n", vec![(None, "a")]),
        ("\u{feff}data: a\n\n", vec![(None, "a")]),
        ("data:a\ndata: b\ndata\n\n", vec![(None, "a\nb\n")]),
        ("event: x\r\ndata:  a\r\n\r\ndata: b\r\n\r\n", vec![(Some("x"), " a"), (None, "b")]),
        ("data: a\r\rdata: b\r\r", vec![(None, "a"), (None, "b")]),
        (": ping\n\n\n\ndata: a\n\n", vec![(None, ""), (None, "a")]),
        ("id: 1\nretry: 5\nevent: x\n\n", vec![(Some("x"), "")]),
    ] {
        let found = frames(bytes);
        let found: Vec<_> =
            found.iter().map(|frame| (frame.event.as_deref(), frame.data.as_str())).collect();
        assert_eq!(found, expected, "{bytes:?}");
    }
}

#[test]
fn broken_streams_are_errors() {
    let (_, error) = split(b"data: a\n\ndata: b\n", &[], 100);
    assert_eq!(error, Some(WireError::Truncated));
    let (frames, error) = split(b"data: a\n\ndata: \xff\n\n", &[], 100);
    assert_eq!((frames.len(), error), (1, Some(WireError::InvalidUtf8 { offset: 6 })));
    let (frames, error) = split(b"data: a\n\ndata: 0123456789\n\n", &[3], 15);
    assert_eq!((frames.len(), error), (1, Some(WireError::FrameTooLarge { limit: 15 })));
}

fn sse_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(vec![
        "data: x",
        "data:",
        "data: {\"a\":1}",
        "event: e",
        ": c",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\n\r\n",
        "é",
        "\u{feff}",
        "id: 1",
        "\r\r",
    ]);
    let bytes = prop_oneof![
        20 => piece.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => Just(vec![0xff]),
    ];
    proptest::collection::vec(bytes, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn chunking_changes_no_frame(
        bytes in sse_text(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        limit in 4..60usize,
    ) {
        let whole = split(&bytes, &[], limit);
        prop_assert_eq!(&split(&bytes, &cuts, limit), &whole);
        let every: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(&split(&bytes, &every, limit), &whole);
        if let (frames, None) = whole {
            // What is passed on reads the same again.
            let raw: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
            prop_assert_eq!(split(&raw, &[], limit).0, frames);
        }
    }
}

fn stream(endpoint: Endpoint, events: &[Value]) -> (StreamReader, Vec<Delta>) {
    let mut reader = StreamReader::new(endpoint);
    let mut deltas = Vec::new();
    for event in events {
        let text = match event {
            Value::String(text) => format!("data: {text}\n\n"),
            event => format!("data: {event}\n\n"),
        };
        for frame in frames(&text) {
            for delta in reader.read(&frame).unwrap() {
                let at = event.pointer(&delta.pointer).expect("pointer leads somewhere");
                let text = at.as_str().map_or_else(|| at.to_string(), str::to_owned);
                assert_eq!(text, delta.text);
                deltas.push(delta);
            }
        }
    }
    (reader, deltas)
}

fn lines(deltas: &[Delta]) -> Vec<String> {
    let repeat = |delta: &Delta| if delta.repeat { " again" } else { "" };
    deltas
        .iter()
        .map(|delta| format!("{} {} {:?}{}", delta.field, delta.part, delta.text, repeat(delta)))
        .collect()
}

fn same_as_whole(endpoint: Endpoint, reader: &StreamReader, whole: &Value) {
    let mut summary = reader.summary();
    let mut expected = interpret(endpoint, whole).unwrap();
    let order = |one: &quell_domain::interaction::TextField| one.field.clone();
    summary.fields.sort_by_key(order);
    expected.fields.sort_by_key(order);
    assert_eq!(summary, expected);
}

#[test]
fn chat_chunks() {
    let chunk = |choices: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt",
            "system_fingerprint": "fp", "choices": choices})
    };
    let delta = |index: u64, delta: Value| {
        chunk(json!([{"index": index, "delta": delta, "finish_reason": null}]))
    };
    let call = |more: Value| delta(1, json!({"tool_calls": [more]}));
    let mut last = chunk(json!([]));
    last["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 4});
    let events = [
        delta(0, json!({"role": "assistant", "content": ""})),
        delta(0, json!({"content": "Hel"})),
        call(
            json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "find", "arguments": ""}}),
        ),
        call(json!({"index": 0, "function": {"arguments": "{\"q\":"}})),
        delta(0, json!({"content": "lo", "reasoning_content": "hm", "refusal": "no"})),
        call(json!({"index": 0, "function": {"arguments": "\"a\\nb\"}"}})),
        chunk(
            json!([{"index": 0, "delta": {}, "finish_reason": "stop"}, {"index": 1, "delta": {}, "finish_reason": "tool_calls"}]),
        ),
        last,
    ];
    let (mut reader, deltas) = stream(Endpoint::ChatCompletions, &events);
    assert_eq!(
        lines(&deltas),
        [
            "/choices/0/message/content content \"Hel\"",
            "/choices/1/message/tool_calls/0/function/name name \"find\"",
            "/choices/1/message/tool_calls/0/function/arguments tool_arguments \"{\\\"q\\\":\"",
            "/choices/0/message/content content \"lo\"",
            "/choices/0/message/reasoning_content reasoning \"hm\"",
            "/choices/0/message/refusal refusal \"no\"",
            "/choices/1/message/tool_calls/0/function/arguments tool_arguments \"\\\"a\\\\nb\\\"}\"",
        ]
    );
    assert!(!reader.is_done());
    reader.read(&frames("data: [DONE]\n\n")[0]).unwrap();
    assert!(reader.is_done());
    same_as_whole(
        Endpoint::ChatCompletions,
        &reader,
        &json!({"id": "chatcmpl-1", "model": "gpt", "system_fingerprint": "fp", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello", "reasoning_content": "hm", "refusal": "no"}},
            {"index": 1, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\"q\":\"a\\nb\"}"}}]}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4}}),
    );
}

#[test]
fn completion_chunks_and_errors() {
    let (reader, deltas) = stream(
        Endpoint::Completions,
        &[
            json!({"id": "c", "choices": [{"index": 1, "text": "a", "finish_reason": null}]}),
            json!({"id": "c", "choices": [{"index": 1, "text": "b", "finish_reason": "stop"}]}),
            json!({"error": {"message": "broke", "code": null}}),
        ],
    );
    assert_eq!(
        lines(&deltas),
        [
            "/choices/1/text content \"a\"",
            "/choices/1/text content \"b\"",
            "/error/message error \"broke\""
        ]
    );
    assert!(reader.is_done());
    assert_eq!(reader.summary().fields[0].text, "ab");
}

#[test]
fn anthropic_events() {
    let block = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [], "stop_reason": null, "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1}}}),
        json!({"type": "ping"}),
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        block(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "Hel"})),
        delta(1, json!({"type": "text_delta", "text": "lo"})),
        delta(
            1,
            json!({"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "c"}}),
        ),
        block(2, json!({"type": "tool_use", "id": "t1", "name": "find", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": ""})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"q\":\"a"})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "\\nb\"}"})),
        json!({"type": "content_block_stop", "index": 2}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ];
    let (reader, deltas) = stream(Endpoint::Messages, &events);
    assert_eq!(
        lines(&deltas),
        [
            "/content/0/thinking reasoning \"hm\"",
            "/content/1/text content \"Hel\"",
            "/content/1/text content \"lo\"",
            "/content/1/citations/0/cited_text document \"c\"",
            "/content/2/name name \"find\"",
            "/content/2/input tool_arguments \"{\\\"q\\\":\\\"a\"",
            "/content/2/input tool_arguments \"\\\\nb\\\"}\"",
        ]
    );
    assert!(reader.is_done());
    same_as_whole(
        Endpoint::Messages,
        &reader,
        &json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "tool_use",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "Hello", "citations": [{"type": "char_location", "cited_text": "c"}]},
                {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "a\nb"}}],
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 9}}),
    );
}

#[test]
fn responses_events() {
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Hello", "annotations": []}]});
    let call = json!({"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"});
    let whole = json!({"id": "resp_1", "object": "response", "model": "gpt", "status": "completed",
        "instructions": "echoed", "output": [message, call], "usage": {"input_tokens": 1, "output_tokens": 2}});
    let text = |kind: &str, key: &str, text: &str| json!({"type": kind, "item_id": "msg_1", "output_index": 0, "content_index": 0, key: text, "sequence_number": 7});
    let events = [
        json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": [], "instructions": "echoed"}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "msg_1", "type": "message", "role": "assistant", "content": []}}),
        json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
        text("response.output_text.delta", "delta", "Hel"),
        text("response.output_text.delta", "delta", "lo"),
        text("response.output_text.done", "text", "Hello"),
        json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0, "part": message["content"][0]}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": message}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "{}", "name": "f"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": call}),
        json!({"type": "response.completed", "response": whole, "sequence_number": 12}),
    ];
    let (reader, deltas) = stream(Endpoint::Responses, &events);
    assert_eq!(
        lines(&deltas),
        [
            "/output/0/content/0/text content \"Hel\"",
            "/output/0/content/0/text content \"lo\"",
            "/output/0/content/0/text content \"Hello\" again",
            "/output/0/content/0/text content \"Hello\" again",
            "/output/0/content/0/text content \"Hello\" again",
            "/output/1/name name \"f\"",
            "/output/1/arguments tool_arguments \"{}\"",
            "/output/1/arguments tool_arguments \"{}\" again",
            "/output/1/name name \"f\" again",
            "/output/1/name name \"f\" again",
            "/output/1/arguments tool_arguments \"{}\" again",
            "/output/0/content/0/text content \"Hello\" again",
            "/output/1/name name \"f\" again",
            "/output/1/arguments tool_arguments \"{}\" again",
        ]
    );
    assert!(reader.is_done());
    assert_eq!(reader.next_sequence(), 13);
    same_as_whole(Endpoint::Responses, &reader, &whole);
}

#[test]
fn a_whole_that_differs_from_its_pieces_is_new_text() {
    let (_, deltas) = stream(
        Endpoint::Responses,
        &[
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "safe"}),
            json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "other"}),
        ],
    );
    assert_eq!(deltas.iter().map(|delta| delta.repeat).collect::<Vec<_>>(), [false, false]);
}

#[test]
fn hostile_streams_have_limits() {
    let mut reader = StreamReader::new(Endpoint::ChatCompletions);
    let read = |reader: &mut StreamReader, index: u64| {
        let event = json!({"choices": [{"index": index, "delta": {"content": "x"}}]});
        reader.read(&frames(&format!("data: {event}\n\n"))[0])
    };
    assert!(read(&mut reader, u64::MAX).is_ok());
    let refused = (0..10_000).find_map(|index| read(&mut reader, index).err());
    assert!(matches!(refused, Some(WireError::TooManyChannels { .. })));
    for data in ["data: {\"a\":1,\"a\":2}\n\n", "data: [1]\n\n", "data: nope\n\n"] {
        assert!(StreamReader::new(Endpoint::Messages).read(&frames(data)[0]).is_err(), "{data}");
    }
}

#[test]
fn rewriting_keeps_the_other_lines_and_forgets_logprobs() {
    let text = "id: 4\r\nevent: x\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"4111\"},\"logprobs\":{\"content\":[1]}}],\r\ndata: \"z\":1}\r\n\r\n";
    let frame = &frames(text)[0];
    let edits = [("/choices/0/delta/content".to_owned(), "[x]".to_owned())];
    let rewritten = rewrite(frame, &edits).unwrap();
    assert_eq!(
        std::str::from_utf8(&rewritten.raw).unwrap(),
        "id: 4\nevent: x\ndata: {\"choices\":[{\"delta\":{\"content\":\"[x]\"},\"logprobs\":null}],\"z\":1}\n\n"
    );
    assert_eq!(frames(std::str::from_utf8(&rewritten.raw).unwrap())[0], rewritten);
    for pointer in ["/choices/9", "/z", "/choices~keys"] {
        assert_eq!(rewrite(frame, &[(pointer.to_owned(), String::new())]), None, "{pointer}");
    }
}
