//! Tools of a request: their names, and taking them away.

use serde_json::{Map, Value};

use crate::request::ParsedRequest;

/// The names one definition offers: its own, and those nested in a namespace. A hosted tool goes by
/// its type, a tool server by its label.
pub(crate) fn names(definition: &Map<String, Value>) -> Vec<String> {
    let text = |members: &Map<String, Value>, key: &str| {
        members.get(key).and_then(Value::as_str).map(ToOwned::to_owned)
    };
    let inner = definition.get("function").or(definition.get("custom")).and_then(Value::as_object);
    // Every name an upstream might take it for counts.
    let mut own: Vec<String> = inner
        .and_then(|inner| text(inner, "name"))
        .into_iter()
        .chain(text(definition, "name"))
        .collect();
    own.dedup();
    if own.is_empty() {
        own.extend(text(definition, "server_label").or_else(|| text(definition, "type")));
    }
    let nested = definition.get("tools").and_then(Value::as_array).into_iter().flatten();
    let nested = nested.filter_map(Value::as_object).flat_map(names);
    own.into_iter().chain(nested).collect()
}

/// The JSON schema of each offered tool's arguments, where the request declares one, by the
/// tool's name.
pub fn tool_schemas(request: &ParsedRequest) -> Vec<(&str, &Value)> {
    fn schema(definition: &Value) -> Option<(&str, &Value)> {
        let inner = definition.get("function").unwrap_or(definition);
        let name = inner.get("name")?.as_str()?;
        let schema = inner.get("parameters").or(inner.get("input_schema"))?;
        schema.is_object().then_some((name, schema))
    }
    let listed = ["tools", "functions"].into_iter().filter_map(|key| request.body.get(key));
    let definitions = listed.filter_map(Value::as_array).flatten().take(MAX_SCHEMAS);
    definitions.filter_map(schema).collect()
}

/// Schemas looked at; tools past this many are called unchecked.
const MAX_SCHEMAS: usize = 1_024;

/// Takes away the tools with these names, and a `tool_choice` that needs one of them. Returns what
/// was taken away.
pub fn remove_tools(request: &mut ParsedRequest, names: &[String]) -> Vec<String> {
    let mut removed = Vec::new();
    let Some(body) = request.body.as_object_mut() else { return removed };
    for key in ["tools", "functions", "mcp_servers"] {
        let Some(Value::Array(definitions)) = body.get_mut(key) else { continue };
        strip(definitions, names, &mut removed);
        if definitions.is_empty() {
            body.shift_remove(key);
        }
    }
    if removed.is_empty() {
        return removed;
    }
    let none_left = !body.contains_key("tools") && !body.contains_key("functions");
    for key in ["tool_choice", "function_call"] {
        if body.get(key).is_some_and(|choice| none_left || mentions(choice, &removed)) {
            body.shift_remove(key);
        }
    }
    if none_left {
        body.shift_remove("parallel_tool_calls");
    }
    // What remains has the same shape, so this cannot fail; if it did, the old fields cover more.
    let _ = request.refresh();
    removed
}

fn strip(definitions: &mut Vec<Value>, names: &[String], removed: &mut Vec<String>) {
    definitions.retain_mut(|definition| {
        let Some(members) = definition.as_object_mut() else { return true };
        if let Some(Value::Array(nested)) = members.get_mut("tools") {
            strip(nested, names, removed);
        }
        match self::names(members).into_iter().find(|own| names.contains(own)) {
            Some(own) => {
                removed.push(own);
                false
            }
            None => true,
        }
    });
}

fn mentions(value: &Value, names: &[String]) -> bool {
    match value {
        Value::String(text) => names.contains(text),
        Value::Array(items) => items.iter().any(|item| mentions(item, names)),
        Value::Object(members) => members.values().any(|member| mentions(member, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
