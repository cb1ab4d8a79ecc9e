//! What requests give, endpoint by endpoint.

use quell_domain::interaction::{DocumentRef, Endpoint};
use quell_wire::{
    ParsedRequest, ProviderStateKind, WireError, last_user_text, parse_request, redact_field,
    remove_tools, system_text,
};
use serde_json::{Value, json};

fn parse(endpoint: Endpoint, body: &Value) -> ParsedRequest {
    parse_request(endpoint, body.to_string().as_bytes()).unwrap()
}

/// One line per field: pointer, role, part, text.
fn fields(request: &ParsedRequest) -> String {
    let line = |field: &quell_domain::interaction::TextField| {
        format!("{} {} {} {:?}", field.field, field.role.as_str(), field.part, field.text)
    };
    request.fields.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn chat_completions() {
    let request = parse(
        Endpoint::ChatCompletions,
        &json!({
            "model": "gpt", "stream": true, "temperature": 0.5, "seed": 7, "user": "ann",
            "messages": [
                {"role": "developer", "content": "Be kind."},
                {"role": "user", "name": "ann", "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
                    "function": {"name": "find", "arguments": "{\"q\":\"a\\nb\"}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "found"},
                {"role": "user", "content": "Thanks"}],
            "tools": [{"type": "function", "function": {"name": "find", "description": "Finds",
                "parameters": {"type": "object", "properties": {"q": {"type": "string", "description": "What"}}}}}],
            "metadata": {"quell_documents": format!("kb/1={}, kb/2", "A".repeat(64)), "session_id": "s1"},
        }),
    );
    insta::assert_snapshot!(fields(&request), @r###"
    /messages/0/content system system "Be kind."
    /messages/1/name user name "ann"
    /messages/1/content/0/text user content "Look"
    /messages/2/tool_calls/0/function/name assistant name "find"
    /messages/2/tool_calls/0/function/arguments assistant tool_arguments "{\"q\":\"a\\nb\"}"
    /messages/2/tool_calls/0/function/arguments~decoded assistant tool_arguments "q\na\nb"
    /messages/3/content tool tool_result "found"
    /messages/4/content user content "Thanks"
    /tools/0/function/name tool_definition tool_definition "find"
    /tools/0/function/description tool_definition tool_definition "Finds"
    /tools/0/function/parameters/properties/q/description tool_definition tool_definition "What"
    /tools/0~keys tool_definition keys "q"
    /metadata/quell_documents user metadata "kb/1=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, kb/2"
    /metadata/session_id user metadata "s1"
    "###);
    assert_eq!(request.model.as_deref(), Some("gpt"));
    assert!(request.stream);
    assert_eq!(request.user.as_deref(), Some("ann"));
    assert_eq!(request.session.as_deref(), Some("s1"));
    assert_eq!(request.tools, ["find"]);
    assert_eq!(Value::Object(request.parameters.clone()), json!({"temperature": 0.5, "seed": 7}));
    assert_eq!(request.not_evaluated[0].reason, "image");
    assert_eq!(request.not_evaluated[0].field, "/messages/1/content/1/image_url/url");
    assert_eq!(
        request.documents,
        [
            DocumentRef { id: "kb/1".into(), sha256: Some("a".repeat(64)) },
            DocumentRef { id: "kb/2".into(), sha256: None }
        ]
    );
    assert_eq!(system_text(&request), "Be kind.");
    assert_eq!(last_user_text(&request), "Thanks");
}

#[test]
fn anthropic_messages() {
    let request = parse(
        Endpoint::Messages,
        &json!({
            "model": "claude", "max_tokens": 100, "metadata": {"user_id": "u9"},
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
            "messages": [
                {"role": "user", "content": "Read this"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "/a"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "data"}]},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, "title": "T"},
                    {"type": "text", "text": "and"}, {"type": "text", "text": "now?"}]}],
            "tools": [{"name": "read", "description": "Reads", "input_schema": {"type": "object"}}],
        }),
    );
    insta::assert_snapshot!(fields(&request), @r###"
    /metadata/user_id user metadata "u9"
    /system/0/text system system "Be brief."
    /system/1/text system system "Be kind."
    /messages/0/content user content "Read this"
    /messages/1/content/0/thinking assistant reasoning "hm"
    /messages/1/content/1/name assistant name "read"
    /messages/1/content/1/input/path assistant tool_arguments "/a"
    /messages/1/content/1/input~keys assistant keys "path"
    /messages/2/content/0/content/0/text tool tool_result "data"
    /messages/2/content/1/source/data user document "words"
    /messages/2/content/1/title user name "T"
    /messages/2/content/2/text user content "and"
    /messages/2/content/3/text user content "now?"
    /tools/0/name tool_definition tool_definition "read"
    /tools/0/description tool_definition tool_definition "Reads"
    "###);
    assert_eq!(request.user.as_deref(), Some("u9"));
    assert_eq!(system_text(&request), "Be brief.\n\nBe kind.");
    assert_eq!(last_user_text(&request), "and\nnow?");
}

#[test]
fn responses() {
    let request = parse(
        Endpoint::Responses,
        &json!({
            "model": "gpt", "instructions": "Be kind.", "previous_response_id": "resp_1",
            "background": true, "store": false, "max_output_tokens": 50,
            "prompt": {"id": "pmpt_1", "variables": {"name": "Ann"}},
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_file", "file_id": "file_1"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Think"}], "encrypted_content": "QUFB"},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "42"}],
            "tools": [{"type": "function", "name": "f", "description": "Does"}, {"type": "web_search"}],
        }),
    );
    insta::assert_snapshot!(fields(&request), @r###"
    /instructions system system "Be kind."
    /prompt/variables/name user content "Ann"
    /input/0/content/0/text user content "Hi"
    /input/1/summary/0/text assistant reasoning "Think"
    /input/2/name assistant name "f"
    /input/2/arguments assistant tool_arguments "{}"
    /input/3/output tool tool_result "42"
    /tools/0/name tool_definition tool_definition "f"
    /tools/0/description tool_definition tool_definition "Does"
    /tools/1/type tool_definition tool_definition "web_search"
    "###);
    assert_eq!(request.tools, ["f", "web_search"]);
    assert_eq!(request.not_evaluated[0].reason, "encrypted_content");
    let kinds: Vec<_> =
        request.provider_state.iter().map(|state| (state.kind, state.id.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (ProviderStateKind::PreviousResponse, "resp_1"),
            (ProviderStateKind::Background, ""),
            (ProviderStateKind::PromptTemplate, "pmpt_1"),
            (ProviderStateKind::File, "file_1"),
        ]
    );
    assert_eq!(request.provider_state[3].pointer, "/input/0/content/1/file_id");
}

#[test]
fn completions_and_embeddings() {
    let request =
        parse(Endpoint::Completions, &json!({"prompt": "a", "suffix": "b", "stop": ["c"]}));
    insta::assert_snapshot!(fields(&request), @r###"
    /prompt user content "a"
    /suffix user suffix "b"
    /stop/0 user stop "c"
    "###);
    for (endpoint, key) in [(Endpoint::Completions, "prompt"), (Endpoint::Embeddings, "input")] {
        let request = parse(endpoint, &json!({ key: [[1, 2], [3]] }));
        assert!(request.fields.is_empty());
        let unseen: Vec<_> = request.not_evaluated.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(unseen, [format!("/{key}/0"), format!("/{key}/1")]);
        assert_eq!(request.not_evaluated[0].reason, "token_ids");
    }
    let request = parse(Endpoint::Embeddings, &json!({"input": ["x", "y"]}));
    assert_eq!(last_user_text(&request), "y");
}

#[test]
fn wrong_bodies_name_the_place() {
    for (endpoint, body, expected) in [
        (Endpoint::ChatCompletions, "[]", "`/` must be a JSON object"),
        (Endpoint::ChatCompletions, "{}", "`/messages` is required"),
        (Endpoint::ChatCompletions, r#"{"messages":{}}"#, "`/messages` must be an array"),
        (Endpoint::ChatCompletions, r#"{"messages":["x"]}"#, "`/messages/0` must be an object"),
        (Endpoint::ChatCompletions, r#"{"messages":[{}]}"#, "`/messages/0/role` is required"),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[{"role":1}]}"#,
            "`/messages/0/role` must be a string",
        ),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[{"role":"user","content":{"text":"x"}}]}"#,
            "`/messages/0/content` must be a string, an array of parts or null",
        ),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[],"stream":"yes"}"#,
            "`/stream` must be true or false",
        ),
        (Endpoint::ChatCompletions, r#"{"messages":[],"model":1}"#, "`/model` must be a string"),
        (Endpoint::ChatCompletions, r#"{"messages":[],"tools":{}}"#, "`/tools` must be an array"),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[],"tools":[1]}"#,
            "`/tools/0` must be an object",
        ),
        (Endpoint::Messages, r#"{"messages":[]}"#, "`/max_tokens` is required"),
        (
            Endpoint::Messages,
            r#"{"messages":[],"max_tokens":-1}"#,
            "`/max_tokens` must be a whole number",
        ),
        (Endpoint::Responses, "{}", "`/input` is required"),
        (Endpoint::Responses, r#"{"input":[1]}"#, "`/input/0` must be an object"),
        (
            Endpoint::Completions,
            r#"{"prompt":{}}"#,
            "`/prompt` must be a string, an array of strings or an array of token ids",
        ),
        (
            Endpoint::Embeddings,
            r#"{"input":true}"#,
            "`/input` must be a string, an array of strings or an array of token ids",
        ),
    ] {
        let error = parse_request(endpoint, body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{body}");
    }
}

#[test]
fn too_many_fields_are_refused() {
    let body = json!({"input": vec!["x"; 16 * 1024 + 1]}).to_string();
    let error = parse_request(Endpoint::Embeddings, body.as_bytes()).unwrap_err();
    assert!(matches!(error, WireError::TooManyFields { .. }));
}

#[test]
fn long_keys_around_many_strings_do_not_multiply() {
    let body =
        json!({"input": "x", "future": {"k".repeat(100_000): vec!["a b"; 1000]}}).to_string();
    let error = parse_request(Endpoint::Embeddings, body.as_bytes()).unwrap_err();
    assert!(matches!(error, WireError::TooManyFields { .. }));
}

#[test]
fn surfaces_without_a_body() {
    let request = parse_request(Endpoint::Models, b"").unwrap();
    assert!(request.fields.is_empty() && request.not_evaluated.is_empty());
    let request = parse_request(Endpoint::Forwarded, b"\xff").unwrap();
    assert_eq!(request.not_evaluated[0].reason, "unsupported_surface");
}

#[test]
fn single_tools_go_with_the_choice_that_needs_them() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let mut request = parse(
        Endpoint::ChatCompletions,
        &json!({
            "messages": [], "tools": [tool("a"), tool("b")], "parallel_tool_calls": true,
            "tool_choice": {"type": "function", "function": {"name": "a"}}}),
    );
    assert_eq!(remove_tools(&mut request, &["a".into(), "zz".into()]), ["a"]);
    assert_eq!(
        request.body,
        json!({"messages": [], "tools": [tool("b")], "parallel_tool_calls": true})
    );
    assert_eq!(request.tools, ["b"]);
    assert_eq!(remove_tools(&mut request, &["b".into()]), ["b"]);
    assert_eq!(request.body, json!({"messages": []}));
    assert!(request.fields.is_empty());
}

#[test]
fn redaction_replaces_spans_or_says_that_it_cannot() {
    let body = json!({
        "choices": [{"message": {"content": "card 4111, card 4222 é"}, "logprobs": {"content": [{"token": "4111"}]}}],
        "content": [{"input": {"key": "sk-1", "n": 1}}], "n": 1});
    let mut redacted = body.clone();
    assert!(redact_field(
        &mut redacted,
        "/choices/0/message/content",
        &[16..20, 5..9, 6..9],
        "[x]"
    ));
    assert_eq!(redacted["choices"][0]["message"]["content"], "card [x], card [x] é");
    assert_eq!(redacted["choices"][0]["logprobs"], Value::Null);
    let key = std::slice::from_ref(&(8..12));
    assert!(redact_field(&mut redacted, "/content/0/input", key, "\"x\""));
    assert_eq!(redacted["content"][0]["input"], json!({"key": "\"x\"", "n": 1}));
    for (pointer, range) in [
        ("/choices/0/message/content", 22..23),
        ("/choices/0/message/content", 5..99),
        ("/content/0/input", 0..3),
        ("/content/0/input~keys", 0..3),
        ("/content/0/input~decoded", 0..3),
        ("/nowhere", 0..1),
        ("/n", 0..1),
    ] {
        let mut same = body.clone();
        assert!(!redact_field(&mut same, pointer, &[range], "[x]"), "{pointer}");
        assert_eq!(same, body);
    }
}
