//! One question, whatever wire shape it came in.

use serde_json::{Map, Value};

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
    Tool,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) role: Role,
    pub(crate) text: String,
}

/// A tool the client offers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

/// What the client wants done with its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    Auto,
    Never,
    Any,
    Named(String),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) system: String,
    pub(crate) turns: Vec<Turn>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) choice: Choice,
    pub(crate) n: u32,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) max_tokens: Option<u32>,
}

/// Why a request is refused with 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRequest {
    pub(crate) message: String,
    pub(crate) param: Option<&'static str>,
}

impl BadRequest {
    pub(crate) fn new(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self { message: message.into(), param }
    }
}

const MAX_CHOICES: u64 = 16;

impl Ask {
    /// The last thing a user said.
    pub(crate) fn last_user(&self) -> &str {
        self.turns
            .iter()
            .rev()
            .find(|turn| turn.role == Role::User)
            .map_or("", |turn| turn.text.as_str())
    }

    /// The result of the tool call just made, if the conversation ends with one.
    pub(crate) fn tool_result(&self) -> Option<&str> {
        self.turns.last().filter(|turn| turn.role == Role::Tool).map(|turn| turn.text.as_str())
    }

    /// Everything said, for counting and for telling one question from another.
    pub(crate) fn transcript(&self) -> String {
        let mut text = self.system.clone();
        for turn in &self.turns {
            text.push('\n');
            text.push_str(&turn.text);
        }
        text
    }

    /// From `POST /v1/chat/completions`.
    pub(crate) fn chat(body: &Map<String, Value>) -> Result<Self, BadRequest> {
        let mut ask = Self::common(body, &["max_completion_tokens", "max_tokens"])?;
        ask.read_messages(array(body, "messages")?);
        ask.offers = offers(body, |tool| tool.get("function").unwrap_or(tool), "parameters");
        ask.include_usage =
            body.get("stream_options").and_then(|options| options.get("include_usage"))
                == Some(&Value::Bool(true));
        Ok(ask)
    }

    /// From `POST /v1/messages`.
    pub(crate) fn messages(body: &Map<String, Value>) -> Result<Self, BadRequest> {
        let mut ask = Self::common(body, &["max_tokens"])?;
        if ask.max_tokens.is_none() {
            return Err(BadRequest::new("max_tokens: Field required", Some("max_tokens")));
        }
        ask.n = 1;
        ask.system = body.get("system").map(text_of).unwrap_or_default();
        ask.read_messages(array(body, "messages")?);
        ask.offers = offers(body, |tool| tool, "input_schema");
        Ok(ask)
    }

    /// From `POST /v1/responses`.
    pub(crate) fn responses(body: &Map<String, Value>) -> Result<Self, BadRequest> {
        let mut ask = Self::common(body, &["max_output_tokens"])?;
        ask.n = 1;
        ask.system = body.get("instructions").map(text_of).unwrap_or_default();
        match body.get("input") {
            Some(Value::String(text)) => {
                ask.turns.push(Turn { role: Role::User, text: text.clone() });
            }
            Some(Value::Array(items)) => ask.read_messages(items),
            _ => {
                return Err(BadRequest::new("Missing required parameter: 'input'.", Some("input")));
            }
        }
        ask.offers = offers(body, |tool| tool, "parameters");
        Ok(ask)
    }

    /// From `POST /v1/completions`.
    pub(crate) fn completion(body: &Map<String, Value>) -> Result<Self, BadRequest> {
        let mut ask = Self::common(body, &["max_tokens"])?;
        let prompt = body.get("prompt").map(text_of).unwrap_or_default();
        ask.turns.push(Turn { role: Role::User, text: prompt });
        Ok(ask)
    }

    fn common(body: &Map<String, Value>, limits: &[&str]) -> Result<Self, BadRequest> {
        let model = body
            .get("model")
            .and_then(Value::as_str)
            .ok_or_else(|| BadRequest::new("you must provide a model parameter", Some("model")))?;
        let n = match body.get("n") {
            None | Some(Value::Null) => 1,
            Some(n) => n.as_u64().filter(|n| (1..=MAX_CHOICES).contains(n)).ok_or_else(|| {
                BadRequest::new(
                    format!("Invalid 'n': a number from 1 to {MAX_CHOICES}."),
                    Some("n"),
                )
            })?,
        };
        Ok(Self {
            model: model.to_owned(),
            system: String::new(),
            turns: Vec::new(),
            offers: Vec::new(),
            choice: choice(body.get("tool_choice")),
            n: n as u32,
            stream: body.get("stream") == Some(&Value::Bool(true)),
            include_usage: false,
            max_tokens: limits
                .iter()
                .find_map(|field| body.get(*field).and_then(Value::as_u64))
                .map(|tokens| tokens.min(u64::from(u32::MAX)) as u32),
        })
    }

    fn read_messages(&mut self, messages: &[Value]) {
        for message in messages {
            let field = |name: &str| message.get(name).and_then(Value::as_str);
            let content = message.get("content").map(text_of).unwrap_or_default();
            match (field("role"), field("type")) {
                (Some("system" | "developer"), _) => {
                    if !self.system.is_empty() {
                        self.system.push('\n');
                    }
                    self.system.push_str(&content);
                }
                (Some("tool" | "function"), _) => self.push(Role::Tool, content),
                (Some("assistant"), _) => self.push(Role::Assistant, content),
                (_, Some("function_call_output")) => {
                    self.push(Role::Tool, message.get("output").map(text_of).unwrap_or_default());
                }
                (Some(_), _) if holds_tool_result(message) => self.push(Role::Tool, content),
                (Some(_), _) => self.push(Role::User, content),
                (None, _) => {}
            }
        }
    }

    fn push(&mut self, role: Role, text: String) {
        self.turns.push(Turn { role, text });
    }
}

fn array<'a>(body: &'a Map<String, Value>, field: &'static str) -> Result<&'a [Value], BadRequest> {
    match body.get(field) {
        Some(Value::Array(items)) if !items.is_empty() => Ok(items),
        Some(Value::Array(_)) => Err(BadRequest::new(
            format!("Invalid '{field}': empty array. Expected at least one item."),
            Some(field),
        )),
        _ => Err(BadRequest::new(
            format!("Missing or invalid required parameter: '{field}'."),
            Some(field),
        )),
    }
}

/// All text in a content value: a string, or parts with `text`, `content` or `output`.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().map(text_of).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
        }
        Value::Object(part) => ["text", "content", "output"]
            .iter()
            .find_map(|field| part.get(*field))
            .map(text_of)
            .unwrap_or_default(),
        _ => String::new(),
    }
}

fn holds_tool_result(message: &Value) -> bool {
    message.get("content").and_then(Value::as_array).is_some_and(|parts| {
        parts.iter().any(|part| part.get("type").and_then(Value::as_str) == Some("tool_result"))
    })
}

fn offers(body: &Map<String, Value>, inner: impl Fn(&Value) -> &Value, schema: &str) -> Vec<Offer> {
    let tools = body.get("tools").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    tools
        .iter()
        .filter_map(|tool| {
            let tool = inner(tool);
            Some(Offer {
                name: tool.get("name")?.as_str()?.to_owned(),
                schema: tool.get(schema).cloned().unwrap_or_default(),
            })
        })
        .collect()
}

fn choice(value: Option<&Value>) -> Choice {
    let word = |value: &Value| match value.as_str() {
        Some("none") => Choice::Never,
        Some("required" | "any") => Choice::Any,
        _ => Choice::Auto,
    };
    let Some(Value::Object(wanted)) = value else {
        return value.map_or(Choice::Auto, word);
    };
    let name = wanted
        .get("name")
        .or_else(|| wanted.get("function").and_then(|function| function.get("name")));
    match name.and_then(Value::as_str) {
        Some(name) => Choice::Named(name.to_owned()),
        None => wanted.get("type").map_or(Choice::Auto, word),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chat(body: &Value) -> Result<Ask, BadRequest> {
        Ask::chat(body.as_object().unwrap())
    }

    #[test]
    fn chat_reads_every_role() {
        let ask = chat(&json!({"model": "m", "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "tool", "tool_call_id": "x", "content": "R"},
        ]}))
        .unwrap();
        assert_eq!(
            (ask.system.as_str(), ask.last_user(), ask.tool_result()),
            ("S", "A\nB", Some("R"))
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(chat(&json!({"messages": []})).unwrap_err().param, Some("model"));
        assert_eq!(
            chat(&json!({"model": "m", "messages": []})).unwrap_err().param,
            Some("messages")
        );
        let many = json!({"model": "m", "n": 99, "messages": [{"role": "user", "content": "x"}]});
        assert_eq!(chat(&many).unwrap_err().param, Some("n"));
    }

    #[test]
    fn anthropic_tool_results_end_the_conversation() {
        let body = json!({"model": "m", "max_tokens": 5, "messages": [
            {"role": "user", "content": "Q"},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "R"}]},
        ]});
        let ask = Ask::messages(body.as_object().unwrap()).unwrap();
        assert_eq!((ask.last_user(), ask.tool_result()), ("Q", Some("R")));
    }

    #[test]
    fn tool_choices_of_all_dialects() {
        for (value, expected) in [
            (json!("none"), Choice::Never),
            (json!("required"), Choice::Any),
            (json!({"type": "any"}), Choice::Any),
            (json!({"type": "tool", "name": "a"}), Choice::Named("a".into())),
            (json!({"type": "function", "function": {"name": "b"}}), Choice::Named("b".into())),
            (json!("auto"), Choice::Auto),
        ] {
            assert_eq!(choice(Some(&value)), expected);
        }
    }
}
