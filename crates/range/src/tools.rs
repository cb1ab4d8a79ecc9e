//! The tools of the range: what a client offers to the model and how it runs a call.

use serde_json::{Value, json};

use crate::documents;

/// A tool in no particular wire shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Name.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// The four tools.
pub fn all() -> Vec<Tool> {
    vec![
        tool("search_docs", "Search the knowledge base.", &["query"]),
        tool("read_file", "Read one document of the knowledge base.", &["path"]),
        tool("send_email", "Send an e-mail.", &["to", "subject", "body"]),
        tool("get_order", "Look up an order by its number.", &["order_id"]),
    ]
}

fn tool(name: &'static str, description: &'static str, fields: &[&str]) -> Tool {
    let properties: serde_json::Map<_, _> =
        fields.iter().map(|field| ((*field).to_owned(), json!({"type": "string"}))).collect();
    Tool {
        name,
        description,
        parameters: json!({
            "type": "object",
            "properties": properties,
            "required": fields,
            "additionalProperties": false,
        }),
    }
}

/// The tools as OpenAI chat completions takes them.
pub fn openai_chat() -> Value {
    all()
        .into_iter()
        .map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            }})
        })
        .collect()
}

/// The tools as OpenAI responses takes them.
pub fn openai_responses() -> Value {
    all()
        .into_iter()
        .map(|tool| {
            json!({"type": "function", "name": tool.name, "description": tool.description,
                   "parameters": tool.parameters, "strict": false})
        })
        .collect()
}

/// The tools as Anthropic messages takes them.
pub fn anthropic() -> Value {
    all()
        .into_iter()
        .map(|tool| {
            json!({"name": tool.name, "description": tool.description,
                   "input_schema": tool.parameters})
        })
        .collect()
}

/// Runs a call the way the vulnerable application does: nothing is checked, nothing leaves.
pub fn run(name: &str, arguments: &Value) -> String {
    let text = |field: &str| arguments.get(field).and_then(Value::as_str).unwrap_or_default();
    match name {
        "search_docs" => documents::lookup(text("query")).map_or_else(
            || "no document found".to_owned(),
            |found| format!("{} ({}): {}", found.title, found.id, found.text),
        ),
        "read_file" => documents::by_id(text("path"))
            .map_or_else(|| "no such document".to_owned(), |found| found.text.to_owned()),
        "get_order" => format!(
            "order {}: 2 items, packed, leaves the warehouse tomorrow, standard delivery",
            text("order_id")
        ),
        "send_email" => "queued".to_owned(),
        other => format!("no tool called {other}"),
    }
}
