//! Requests with a text planted in one place each. Members replace those of an ordinary request.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::mediation::{PLANTED, Row, text, unreadable};

pub(crate) fn requests(path: &str) -> Vec<Row<Value>> {
    match path {
        "/v1/chat/completions" => {
            [chat_turns(), chat_tools(), chat_other()].into_iter().flatten().collect()
        }
        "/v1/completions" => completions(),
        "/v1/responses" => [responses_items(), responses_other()].into_iter().flatten().collect(),
        "/v1/messages" => [messages_blocks(), messages_other()].into_iter().flatten().collect(),
        _ => embeddings(),
    }
}

/// The planted text as inline bytes.
fn bytes(kind: &str) -> String {
    format!("data:{kind};base64,{}", BASE64_STANDARD.encode(PLANTED))
}

fn turn(message: Value) -> Value {
    turns(&[message, json!({"role": "user", "content": "And?"})])
}

fn turns(messages: &[Value]) -> Value {
    json!({"messages": messages})
}

fn part(part: Value) -> Value {
    let content = vec![json!({"type": "text", "text": "Look:"}), part];
    turns(&[json!({"role": "user", "content": content})])
}

fn chat_turns() -> Vec<Row<Value>> {
    let called = |arguments: &str| {
        json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}]})
    };
    let result = |content: Value| json!({"role": "tool", "tool_call_id": "c1", "content": content});
    let after = |message: Value| turns(&[called("{}"), message]);
    vec![
        text("content string", turns(&[json!({"role": "user", "content": "say @"})])),
        text("content part", part(json!({"type": "text", "text": "@"}))),
        text("system", turn(json!({"role": "system", "content": "@"}))),
        text(
            "developer",
            turn(json!({"role": "developer", "content": [{"type": "text", "text": "@"}]})),
        ),
        text("earlier turn of the user", turn(json!({"role": "user", "content": "@"}))),
        text("earlier turn of the model", turn(json!({"role": "assistant", "content": "@"}))),
        text(
            "earlier reasoning",
            turn(json!({"role": "assistant", "content": "x", "reasoning_content": "@"})),
        ),
        text(
            "earlier refusal",
            turn(json!({"role": "assistant", "content": null, "refusal": "@"})),
        ),
        text("earlier tool arguments", turn(called("{\"q\": \"@\"}"))),
        text("earlier tool arguments, escaped", turn(called("{\"q\": \"violet\\u0020heron 77\"}"))),
        text(
            "earlier function call",
            turn(
                json!({"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"q\": \"@\"}"}}),
            ),
        ),
        text(
            "earlier custom tool input",
            turn(
                json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "f", "input": "@"}}]}),
            ),
        ),
        text("tool result string", after(result(json!("@")))),
        text("tool result part", after(result(json!([{"type": "text", "text": "@"}])))),
        text("speaker's name", turn(json!({"role": "user", "name": "@", "content": "x"}))),
        text(
            "unheard-of member of a turn",
            turn(json!({"role": "user", "content": "x", "novel": {"deep": ["@"]}})),
        ),
    ]
}

fn chat_tools() -> Vec<Row<Value>> {
    let tool = |function: Value| json!({"tools": [{"type": "function", "function": function}]});
    vec![
        text("tool name", tool(json!({"name": "@"}))),
        text("tool description", tool(json!({"name": "f", "description": "@"}))),
        text(
            "tool parameter description",
            tool(
                json!({"name": "f", "parameters": {"type": "object", "properties": {"q": {"type": "string", "description": "@"}}}}),
            ),
        ),
        text(
            "tool parameter name",
            tool(
                json!({"name": "f", "parameters": {"type": "object", "properties": {"@": {"type": "string"}}}}),
            ),
        ),
        text("old-style function", json!({"functions": [{"name": "f", "description": "@"}]})),
    ]
}

fn chat_other() -> Vec<Row<Value>> {
    vec![
        text(
            "response format",
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": {"description": "@"}}}}),
        ),
        text("prediction", json!({"prediction": {"type": "content", "content": "@"}})),
        text("stop", json!({"stop": ["@"]})),
        text("metadata", json!({"metadata": {"topic": "@"}})),
        text("user field", json!({"user": "@"})),
        text("unheard-of member", json!({"novel": {"deep": [["@"]]}})),
        text(
            "image link",
            part(json!({"type": "image_url", "image_url": {"url": "https://x/@.png"}})),
        ),
        unreadable(
            "image",
            part(json!({"type": "image_url", "image_url": {"url": bytes("image/png")}})),
        ),
        unreadable(
            "audio",
            part(
                json!({"type": "input_audio", "input_audio": {"data": BASE64_STANDARD.encode(PLANTED), "format": "wav"}}),
            ),
        ),
        unreadable(
            "file",
            part(
                json!({"type": "file", "file": {"filename": "f", "file_data": bytes("application/pdf")}}),
            ),
        ),
        unreadable(
            "file kept by the provider",
            part(json!({"type": "file", "file": {"file_id": "file-1"}})),
        ),
    ]
}

fn completions() -> Vec<Row<Value>> {
    vec![
        text("prompt", json!({"prompt": "say @"})),
        text("second prompt", json!({"prompt": ["x", "@"]})),
        text("suffix", json!({"suffix": "@"})),
        text("stop", json!({"stop": "@"})),
        unreadable("token ids", json!({"prompt": [101, 102]})),
    ]
}

fn embeddings() -> Vec<Row<Value>> {
    vec![
        text("input", json!({"input": "@"})),
        text("second input", json!({"input": ["x", "@"]})),
        unreadable("token ids", json!({"input": [[101, 102]]})),
    ]
}

fn messages_blocks() -> Vec<Row<Value>> {
    let model = |block: Value| turn(json!({"role": "assistant", "content": [block]}));
    let result = |content: Value| {
        turns(&[
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": content}]}),
        ])
    };
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64_STANDARD.encode(PLANTED)}});
    vec![
        text("content string", turns(&[json!({"role": "user", "content": "say @"})])),
        text("content block", part(json!({"type": "text", "text": "@"}))),
        text("earlier turn of the user", turn(json!({"role": "user", "content": "@"}))),
        text("earlier turn of the model", model(json!({"type": "text", "text": "@"}))),
        text(
            "earlier thinking",
            model(json!({"type": "thinking", "thinking": "@", "signature": "c2ln"})),
        ),
        unreadable(
            "earlier sealed thinking",
            model(json!({"type": "redacted_thinking", "data": BASE64_STANDARD.encode(PLANTED)})),
        ),
        text(
            "earlier tool input",
            model(
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"q": {"deep": ["@"]}}}),
            ),
        ),
        text("tool result string", result(json!("@"))),
        text("tool result block", result(json!([{"type": "text", "text": "@"}]))),
        unreadable("image in a tool result", result(json!([image]))),
        text(
            "document text",
            part(
                json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "say @"}}),
            ),
        ),
        text(
            "document title",
            part(
                json!({"type": "document", "title": "@", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}),
            ),
        ),
        text(
            "search result",
            part(
                json!({"type": "search_result", "source": "https://s", "title": "t", "content": [{"type": "text", "text": "@"}]}),
            ),
        ),
        text(
            "web search result",
            model(
                json!({"type": "web_search_tool_result", "tool_use_id": "t2", "content": [{"type": "web_search_result", "url": "https://u", "title": "@"}]}),
            ),
        ),
        text("unheard-of block", part(json!({"type": "novel", "blob": {"x": "@"}}))),
        unreadable("image", part(image)),
        unreadable(
            "document bytes",
            part(
                json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": BASE64_STANDARD.encode(PLANTED)}}),
            ),
        ),
        unreadable(
            "file kept by the provider",
            part(json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}})),
        ),
    ]
}

fn messages_other() -> Vec<Row<Value>> {
    let tool = |tool: Value| json!({"tools": [tool]});
    vec![
        text("system string", json!({"system": "@"})),
        text("system block", json!({"system": [{"type": "text", "text": "@"}]})),
        text(
            "tool description",
            tool(json!({"name": "f", "description": "@", "input_schema": {}})),
        ),
        text(
            "tool schema",
            tool(
                json!({"name": "f", "input_schema": {"type": "object", "properties": {"q": {"description": "@"}}}}),
            ),
        ),
        text("stop sequence", json!({"stop_sequences": ["@"]})),
        text("metadata", json!({"metadata": {"user_id": "@"}})),
        text("unheard-of member", json!({"novel": "say @"})),
    ]
}

fn item(item: Value) -> Value {
    json!({"input": vec![item, json!({"role": "user", "content": "And?"})]})
}

fn responses_items() -> Vec<Row<Value>> {
    let said =
        |content: Value| item(json!({"type": "message", "role": "user", "content": [content]}));
    let answered = |content: Value| {
        item(
            json!({"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [content]}),
        )
    };
    let output = |output: Value| {
        item(json!({"type": "function_call_output", "call_id": "c1", "output": output}))
    };
    vec![
        text("input string", json!({"input": "say @"})),
        text("message item", item(json!({"role": "user", "content": "@"}))),
        text("content part", said(json!({"type": "input_text", "text": "@"}))),
        text("system item", item(json!({"role": "system", "content": "@"}))),
        text(
            "earlier answer",
            answered(json!({"type": "output_text", "text": "@", "annotations": []})),
        ),
        text("earlier refusal", answered(json!({"type": "refusal", "refusal": "@"}))),
        text(
            "reasoning summary",
            item(
                json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "@"}]}),
            ),
        ),
        text(
            "reasoning text",
            item(
                json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "@"}]}),
            ),
        ),
        unreadable(
            "sealed reasoning",
            item(
                json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": BASE64_STANDARD.encode(PLANTED)}),
            ),
        ),
        text(
            "function call arguments",
            item(
                json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"q\": \"@\"}"}),
            ),
        ),
        text(
            "function call arguments, escaped",
            item(
                json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"q\": \"violet\\u0020heron 77\"}"}),
            ),
        ),
        text("function call output", output(json!("@"))),
        text("function call output part", output(json!([{"type": "input_text", "text": "@"}]))),
        text(
            "custom tool input",
            item(json!({"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "@"})),
        ),
        text(
            "custom tool output",
            item(json!({"type": "custom_tool_call_output", "call_id": "c1", "output": "@"})),
        ),
        text(
            "file search result",
            item(json!({"type": "file_search_call", "queries": ["x"], "results": [{"text": "@"}]})),
        ),
        text(
            "web search query",
            item(json!({"type": "web_search_call", "action": {"type": "search", "query": "@"}})),
        ),
        text("code", item(json!({"type": "code_interpreter_call", "code": "print('@')"}))),
        text(
            "code output",
            item(
                json!({"type": "code_interpreter_call", "code": "x", "outputs": [{"type": "logs", "logs": "@"}]}),
            ),
        ),
        text(
            "typed by the computer tool",
            item(
                json!({"type": "computer_call", "call_id": "c3", "action": {"type": "type", "text": "@"}}),
            ),
        ),
        unreadable(
            "screenshot",
            item(
                json!({"type": "computer_call_output", "call_id": "c3", "output": {"type": "computer_screenshot", "image_url": bytes("image/png")}}),
            ),
        ),
        text(
            "shell command",
            item(
                json!({"type": "local_shell_call", "action": {"type": "exec", "command": ["echo", "@"]}}),
            ),
        ),
        text(
            "shell output",
            item(json!({"type": "local_shell_call_output", "id": "c4", "output": "@"})),
        ),
        text(
            "tool server's output",
            item(
                json!({"type": "mcp_call", "name": "t", "server_label": "s", "arguments": "{}", "output": "@"}),
            ),
        ),
        text(
            "tool server's tools",
            item(
                json!({"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "t", "description": "@"}]}),
            ),
        ),
        text("unheard-of item", item(json!({"type": "novel", "payload": ["x", {"y": "@"}]}))),
        unreadable("image", said(json!({"type": "input_image", "image_url": bytes("image/png")}))),
        unreadable(
            "file",
            said(json!({"type": "input_file", "file_data": bytes("application/pdf")})),
        ),
        unreadable(
            "file kept by the provider",
            said(json!({"type": "input_file", "file_id": "file_1"})),
        ),
        unreadable(
            "item kept by the provider",
            item(json!({"type": "item_reference", "id": "msg_9"})),
        ),
    ]
}

fn responses_other() -> Vec<Row<Value>> {
    vec![
        text("instructions", json!({"instructions": "@"})),
        text(
            "tool description",
            json!({"tools": [{"type": "function", "name": "f", "description": "@"}]}),
        ),
        text(
            "tool schema",
            json!({"tools": [{"type": "function", "name": "f", "parameters": {"properties": {"q": {"description": "@"}}}}]}),
        ),
        text("prompt variable", json!({"prompt": {"id": "pmpt_1", "variables": {"who": "@"}}})),
        text(
            "text format",
            json!({"text": {"format": {"type": "json_schema", "name": "o", "schema": {"description": "@"}}}}),
        ),
        text("metadata", json!({"metadata": {"k": "@"}})),
        unreadable("previous response", json!({"previous_response_id": "resp_0"})),
        unreadable("conversation", json!({"conversation": "conv_1"})),
    ]
}
