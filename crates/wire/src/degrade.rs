//! Level 2: the same request with fewer capabilities, still valid for its provider.

use quell_domain::interaction::Endpoint;
use quell_domain::measure::Degradation;
use serde_json::{Map, Value, json};

use crate::request::ParsedRequest;

/// Least `max_output_tokens` a Responses provider takes.
pub(crate) const RESPONSES_MIN_TOKENS: u64 = 16;

/// Takes capabilities away as `limits` says, and derives the request's fields again. Returns what was
/// changed, for the record.
pub fn degrade(request: &mut ParsedRequest, limits: &Degradation, preamble: &str) -> Vec<String> {
    let mut changes = Vec::new();
    let endpoint = request.endpoint;
    let Some(body) = request.body.as_object_mut() else { return changes };
    if limits.remove_tools {
        remove_all_tools(endpoint, body, &mut changes);
    }
    if let Some(limit) = limits.max_tokens {
        clamp_tokens(endpoint, body, u64::from(limit), &mut changes);
    }
    if let Some(keep) = limits.keep_messages {
        shorten(endpoint, body, keep as usize, &mut changes);
    }
    if limits.strict_preamble && !preamble.is_empty() {
        add_preamble(endpoint, body, preamble, &mut changes);
    }
    // The shape is what was parsed before, so this cannot fail; if it did, the old fields cover more.
    let _ = request.refresh();
    changes
}

fn remove_all_tools(endpoint: Endpoint, body: &mut Map<String, Value>, changes: &mut Vec<String>) {
    let keys: &[&str] = match endpoint {
        Endpoint::ChatCompletions => &[
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "web_search_options",
        ],
        Endpoint::Responses => &["tools", "tool_choice", "parallel_tool_calls", "max_tool_calls"],
        Endpoint::Messages => &["tools", "tool_choice", "mcp_servers", "container"],
        _ => &[],
    };
    for key in keys {
        if body.shift_remove(*key).is_some() {
            changes.push(format!("{key} removed"));
        }
    }
    if endpoint == Endpoint::Messages {
        let turned = messages_of(body).map_or(0, |turns| turns.iter_mut().map(spell_out).sum());
        if turned > 0 {
            changes.push(format!("{turned} tool blocks turned into text"));
        }
    }
}

fn messages_of(body: &mut Map<String, Value>) -> Option<&mut Vec<Value>> {
    body.get_mut("messages").and_then(Value::as_array_mut)
}

/// Anthropic refuses tool blocks in a request without tools, so past ones become text.
fn spell_out(turn: &mut Value) -> usize {
    let Some(Value::Array(blocks)) = turn.get_mut("content") else { return 0 };
    let mut turned = 0;
    for block in blocks {
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        let text = if kind.ends_with("tool_use") {
            let name = block.get("name").and_then(Value::as_str).unwrap_or_default();
            format!("[tool call {name}: {}]", block.get("input").unwrap_or(&Value::Null))
        } else if kind.ends_with("tool_result") {
            format!("[tool result: {}]", result_text(block.get("content")))
        } else {
            continue;
        };
        *block = json!({"type": "text", "text": text});
        turned += 1;
    }
    turned
}

/// The text of a tool's result. Inline bytes are left out.
fn result_text(content: Option<&Value>) -> String {
    match content {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts = blocks.iter().filter_map(|block| block.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        Some(other) => other.to_string(),
    }
}

pub(crate) fn clamp_tokens(
    endpoint: Endpoint,
    body: &mut Map<String, Value>,
    limit: u64,
    changes: &mut Vec<String>,
) {
    let limit = limit.max(if endpoint == Endpoint::Responses { RESPONSES_MIN_TOKENS } else { 1 });
    let key = match endpoint {
        // Providers refuse both at once; the older name stays where the client uses it.
        Endpoint::ChatCompletions
            if body.get("max_tokens").is_some_and(|value| !value.is_null()) =>
        {
            "max_tokens"
        }
        Endpoint::ChatCompletions => "max_completion_tokens",
        Endpoint::Completions | Endpoint::Messages => "max_tokens",
        Endpoint::Responses => "max_output_tokens",
        Endpoint::Embeddings | Endpoint::Models | Endpoint::Forwarded => return,
    };
    let asked = |key: &str| body.get(key).and_then(Value::as_u64);
    let both = endpoint == Endpoint::ChatCompletions && key == "max_tokens";
    let other = both.then(|| asked("max_completion_tokens")).flatten();
    if other.is_some_and(|asked| asked > limit) {
        body.insert("max_completion_tokens".into(), limit.into());
        changes.push(format!("max_completion_tokens lowered to {limit}"));
    }
    if body.get(key).and_then(Value::as_u64).is_none_or(|asked| asked > limit) {
        body.insert(key.into(), limit.into());
        changes.push(format!("{key} lowered to {limit}"));
    }
    // A thinking budget must stay below the limit and has a floor above it.
    let budget = body.get("thinking").and_then(|thinking| thinking.get("budget_tokens"));
    if budget.and_then(Value::as_u64).is_some_and(|budget| budget >= limit) {
        body.shift_remove("thinking");
        changes.push("thinking removed".into());
    }
}

fn shorten(
    endpoint: Endpoint,
    body: &mut Map<String, Value>,
    keep: usize,
    changes: &mut Vec<String>,
) {
    let (key, starts): (_, fn(&Value) -> bool) = match endpoint {
        Endpoint::ChatCompletions => ("messages", starts_chat),
        Endpoint::Responses => ("input", starts_responses),
        Endpoint::Messages => ("messages", starts_anthropic),
        _ => return,
    };
    let Some(Value::Array(turns)) = body.get_mut(key) else { return };
    let before = turns.len();
    let spoken: Vec<usize> = (0..before).filter(|index| !is_system(&turns[*index])).collect();
    if spoken.len() <= keep {
        return;
    }
    let Some(first) = window(&spoken, keep.max(1), |index| starts(&turns[index])) else { return };
    let mut index = 0;
    turns.retain(|turn| {
        let kept = index >= first || is_system(turn);
        index += 1;
        kept
    });
    if turns.len() < before {
        changes.push(format!("{key} shortened from {before} to {}", turns.len()));
    }
}

/// Where the kept turns begin: at the first of the last `keep` that a conversation may start with,
/// else at the last one before them.
fn window(spoken: &[usize], keep: usize, starts: impl Fn(usize) -> bool) -> Option<usize> {
    let cut = spoken.len().saturating_sub(keep);
    let (earlier, kept) = spoken.split_at(cut);
    let later = kept.iter().copied().find(|index| starts(*index));
    later.or_else(|| earlier.iter().copied().rfind(|index| starts(*index)))
}

fn role(turn: &Value) -> &str {
    turn.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn is_system(turn: &Value) -> bool {
    matches!(role(turn), "system" | "developer")
}

/// A tool's result may not come without the call it answers.
fn starts_chat(turn: &Value) -> bool {
    !matches!(role(turn), "tool" | "function")
}

/// Calls, results and reasoning belong to the user's message before them.
fn starts_responses(item: &Value) -> bool {
    role(item) == "user" || item.is_string()
}

/// The first turn is the user's, and answers no tool call.
fn starts_anthropic(turn: &Value) -> bool {
    let blocks = turn.get("content").and_then(Value::as_array).into_iter().flatten();
    let mut kinds = blocks.filter_map(|block| block.get("type").and_then(Value::as_str));
    role(turn) == "user" && !kinds.any(|kind| kind.ends_with("tool_result"))
}

fn add_preamble(
    endpoint: Endpoint,
    body: &mut Map<String, Value>,
    preamble: &str,
    changes: &mut Vec<String>,
) {
    let added = match endpoint {
        Endpoint::ChatCompletions => messages_of(body).is_some_and(|turns| {
            let developer = turns.iter().any(|turn| role(turn) == "developer");
            let role = if developer { "developer" } else { "system" };
            turns.insert(0, json!({"role": role, "content": preamble}));
            true
        }),
        Endpoint::Responses => prefix(body, "instructions", preamble),
        Endpoint::Messages => match body.get_mut("system") {
            Some(Value::Array(blocks)) => {
                blocks.insert(0, json!({"type": "text", "text": preamble}));
                true
            }
            _ => prefix(body, "system", preamble),
        },
        Endpoint::Completions => match body.get_mut("prompt") {
            Some(Value::Array(prompts)) => {
                let mut added = false;
                for prompt in prompts {
                    if let Value::String(text) = prompt {
                        text.insert_str(0, &format!("{preamble}\n\n"));
                        added = true;
                    }
                }
                added
            }
            Some(Value::String(_)) => prefix(body, "prompt", preamble),
            _ => false,
        },
        Endpoint::Embeddings | Endpoint::Models | Endpoint::Forwarded => false,
    };
    if added {
        changes.push("preamble added".into());
    }
}

/// Puts `preamble` before a text member, which is created where it is missing.
fn prefix(body: &mut Map<String, Value>, key: &str, preamble: &str) -> bool {
    match body.get_mut(key) {
        Some(Value::String(text)) => text.insert_str(0, &format!("{preamble}\n\n")),
        Some(Value::Array(items)) => {
            items.insert(0, json!({"role": "developer", "content": preamble}));
        }
        Some(Value::Null) | None => {
            body.insert(key.into(), preamble.into());
        }
        Some(_) => return false,
    }
    true
}
