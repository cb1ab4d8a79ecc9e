//! Facts and metadata as the event that Sigma rules look at. Fields are named after the
//! OpenTelemetry GenAI conventions where one exists; the rest begins with `quell.`.

use quell_domain::interaction::{Endpoint, Role};
use quell_domain::principal::Principal;
use quell_domain::rule::Direction;
use serde_json::{Map, Value, json};

use crate::review::Review;

/// Every field a rule may name, with what it means.
pub const FIELDS: &[(&str, &str)] = &[
    ("gen_ai.conversation.id", "the session"),
    ("gen_ai.input.messages", "text towards the model; lowered into a pattern"),
    ("gen_ai.operation.name", "chat, text_completion, embeddings"),
    ("gen_ai.output.messages", "text towards the client; lowered into a pattern"),
    ("gen_ai.request.max_tokens", "output tokens asked for"),
    ("gen_ai.request.model", "the model the client asked for"),
    ("gen_ai.request.temperature", "sampling temperature"),
    ("gen_ai.response.finish_reasons", "why each answer ended; only after the exchange"),
    ("gen_ai.response.model", "the model that answered; only after the exchange"),
    ("gen_ai.tool.name", "tools called"),
    ("gen_ai.usage.input_tokens", "tokens in, as the provider counts; only after the exchange"),
    ("gen_ai.usage.output_tokens", "tokens out, as the provider counts; only after the exchange"),
    ("quell.address", "the peer's address"),
    ("quell.api_key", "the Quell key's id"),
    ("quell.application", "the application"),
    ("quell.baseline.change", "up or down; only for alarms of baselines"),
    ("quell.baseline.metric", "the metric that left its baseline; only for alarms of baselines"),
    ("quell.baseline.scope", "application, model, endpoint, principal or tool; only for alarms"),
    ("quell.direction", "input or output"),
    ("quell.endpoint", "the wire surface, e.g. chat_completions"),
    ("quell.exchange.fact", "facts about any speaker's text in this direction"),
    ("quell.fact", "facts about the speaker's text and about the exchange as a whole"),
    ("quell.outcome", "what became of the exchange; only after the exchange"),
    ("quell.principal", "user, else session, else key, else address; only after the exchange"),
    ("quell.request.fact", "while judging output: facts about the request"),
    ("quell.role", "who speaks: user, assistant, tool, tool_definition, system"),
    ("quell.rule", "in a correlation's group-by: the counted rule that matched"),
    ("quell.signal", "rules that matched; only after the exchange"),
    ("quell.stream", "whether the client asked for a stream"),
    ("quell.tool.offered", "tools offered"),
    ("quell.tool.repeats", "how often the same call was made; only after the exchange"),
    (
        "quell.tool.signature",
        "names and arguments of all calls, as a hash; only after the exchange",
    ),
    ("quell.user", "the end user"),
    ("quell.user.grade", "how the user was established: observed, asserted, authenticated"),
];

/// Fields that hold facts.
pub(crate) const FACT_FIELDS: [&str; 3] =
    ["quell.fact", "quell.exchange.fact", "quell.request.fact"];

/// Fields that hold text and are lowered into patterns.
pub(crate) const TEXT_FIELDS: [&str; 2] = ["gen_ai.input.messages", "gen_ai.output.messages"];

/// Fields known only once the exchange is over.
pub(crate) const LATE_FIELDS: [&str; 13] = [
    "gen_ai.response.finish_reasons",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "quell.baseline.change",
    "quell.baseline.metric",
    "quell.baseline.scope",
    "quell.outcome",
    "quell.principal",
    "quell.rule",
    "quell.signal",
    "quell.tool.repeats",
    "quell.tool.signature",
];

/// What is known about an exchange besides its text.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The application's name.
    pub application: &'a str,
    /// The wire surface.
    pub endpoint: Endpoint,
    /// The model asked for.
    pub model: Option<&'a str>,
    /// Who.
    pub principal: &'a Principal,
    /// All system text of the request, for the echo analyzer.
    pub system_text: &'a str,
    /// Strings of the application that must not leave.
    pub canaries: &'a [String],
    /// Names of the tools offered.
    pub tools_offered: &'a [String],
    /// Both sides of the exchange; only while judging a response.
    pub review: Review<'a>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Sampling parameters as the client set them.
    pub parameters: &'a Map<String, Value>,
}

/// The OpenTelemetry name of what an endpoint does.
pub(crate) const fn operation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Completions => "text_completion",
        Endpoint::Embeddings => "embeddings",
        Endpoint::ChatCompletions | Endpoint::Responses | Endpoint::Messages => "chat",
        Endpoint::Models | Endpoint::Forwarded => "other",
    }
}

impl Context<'_> {
    /// The fields that do not change while one direction is judged.
    pub(crate) fn event(&self, direction: Direction) -> Map<String, Value> {
        let mut event = Map::new();
        let mut put = |name: &str, value: Value| {
            event.insert(name.to_owned(), value);
        };
        put("quell.direction", json!(direction.as_str()));
        put("quell.application", json!(self.application));
        put("quell.endpoint", json!(self.endpoint.as_str()));
        put("quell.stream", json!(self.stream));
        put("gen_ai.operation.name", json!(operation(self.endpoint)));
        put("quell.tool.offered", json!(self.tools_offered));
        if !self.review.calls.is_empty() {
            put("gen_ai.tool.name", json!(self.review.tools_called()));
        }
        if let Some(model) = self.model {
            put("gen_ai.request.model", json!(model));
        }
        for (name, keys) in [
            (
                "gen_ai.request.max_tokens",
                &["max_tokens", "max_completion_tokens", "max_output_tokens"][..],
            ),
            ("gen_ai.request.temperature", &["temperature"]),
        ] {
            if let Some(value) = keys.iter().find_map(|key| self.parameters.get(*key)) {
                put(name, value.clone());
            }
        }
        put_principal(&mut event, self.principal);
        event
    }
}

pub(crate) fn put_principal(event: &mut Map<String, Value>, principal: &Principal) {
    if let Some(user) = &principal.user {
        event.insert("quell.user".into(), json!(user.value));
        event.insert("quell.user.grade".into(), json!(user.grade.as_str()));
    }
    if let Some(session) = &principal.session {
        event.insert("gen_ai.conversation.id".into(), json!(session.value));
    }
    if let Some(address) = &principal.address {
        event.insert("quell.address".into(), json!(address));
    }
    if let Some(key) = &principal.key {
        event.insert("quell.api_key".into(), json!(key.to_string()));
    }
}

/// Adds what one speaker's text is judged by.
pub(crate) fn put_facts<'f>(
    event: &mut Map<String, Value>,
    role: Role,
    facts: impl Iterator<Item = &'f str>,
    exchange: impl Iterator<Item = &'f str>,
    request: &[String],
) {
    event.insert("quell.role".into(), json!(role.as_str()));
    event.insert("quell.fact".into(), facts.collect());
    event.insert("quell.exchange.fact".into(), exchange.collect());
    event.insert("quell.request.fact".into(), json!(request));
}
