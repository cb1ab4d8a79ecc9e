//! The `quell:` section of a rule: what a match means and does, and the examples that test it.

use std::collections::BTreeMap;

use quell_domain::interaction::Role;
use quell_domain::kind::IncidentKind;
use quell_domain::rule::{Direction, FailMode, RuleEffect, RuleMode};
use quell_domain::taxonomy::TaxonomyRef;
use serde::{Deserialize, Serialize};

/// The `quell:` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) kind: IncidentKind,
    #[serde(default = "shadow")]
    pub(crate) mode: RuleMode,
    #[serde(default = "signal")]
    pub(crate) effect: RuleEffect,
    #[serde(default = "input")]
    pub(crate) direction: Direction,
    /// What happens when the rule could not be asked; the application's choice when absent.
    #[serde(default)]
    pub(crate) fail: Option<FailMode>,
    /// Only counted by correlations; raises no signal of its own.
    #[serde(default)]
    pub(crate) counted_only: bool,
    #[serde(default)]
    pub(crate) taxonomy: Vec<TaxonomyRef>,
    #[serde(default)]
    pub(crate) examples: Examples,
}

const fn shadow() -> RuleMode {
    RuleMode::Shadow
}
const fn signal() -> RuleEffect {
    RuleEffect::Signal
}
const fn input() -> Direction {
    Direction::Input
}

/// The keys of the section, for messages.
pub(crate) const SECTION_KEYS: [&str; 8] =
    ["kind", "mode", "effect", "direction", "fail", "counted_only", "taxonomy", "examples"];

/// A rule's examples. They are its tests.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// The rule matches each of these.
    #[serde(default)]
    pub positive: Vec<Example>,
    /// The rule matches none of these.
    #[serde(default)]
    pub negative: Vec<Example>,
}

/// One example: a text, or an exchange, or for a correlation a series of exchanges.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Example {
    /// A text of the user (input) or the model (output).
    Text(String),
    /// One exchange.
    Turn(Box<Turn>),
    /// Several exchanges, in order.
    Series(Vec<Turn>),
}

/// One exchange of an example.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// The text judged.
    #[serde(skip_serializing_if = "is_default")]
    pub text: String,
    /// Its text is this, many times over.
    #[serde(skip_serializing_if = "is_default")]
    pub times: Option<usize>,
    /// Whose text it is.
    #[serde(skip_serializing_if = "is_default")]
    pub role: Option<Role>,
    /// The system text.
    #[serde(skip_serializing_if = "is_default")]
    pub system: String,
    /// The request, while output is judged.
    #[serde(skip_serializing_if = "is_default")]
    pub request: String,
    /// The user's turns before this one, in the same request.
    pub earlier: Vec<String>,
    /// The result of a tool in the request, while output is judged.
    #[serde(skip_serializing_if = "is_default")]
    pub tool_result: String,
    /// Canaries of the application.
    #[serde(skip_serializing_if = "is_default")]
    pub canaries: Vec<String>,
    /// Tools offered.
    #[serde(skip_serializing_if = "is_default")]
    pub tools_offered: Vec<String>,
    /// Tools called.
    #[serde(skip_serializing_if = "is_default")]
    pub tools_called: Vec<String>,
    /// Arguments of every call.
    #[serde(skip_serializing_if = "is_default")]
    pub tool_arguments: Option<serde_json::Value>,
    /// JSON schema of the arguments of every tool called.
    #[serde(skip_serializing_if = "is_default")]
    pub tool_schema: Option<serde_json::Value>,
    /// Hosts that arguments may name.
    #[serde(skip_serializing_if = "is_default")]
    pub tool_destinations: Vec<String>,
    /// The answer's log-probabilities, as a provider gives them.
    #[serde(skip_serializing_if = "is_default")]
    pub logprobs: Option<serde_json::Value>,
    /// The model asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub model: Option<String>,
    /// Sampling parameters.
    #[serde(skip_serializing_if = "is_default")]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The user.
    #[serde(skip_serializing_if = "is_default")]
    pub user: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "is_default")]
    pub session: Option<String>,
    /// This exchange is repeated so often; `{n}` in its text stands for its number.
    #[serde(skip_serializing_if = "is_default")]
    pub repeat: Option<usize>,
    /// Seconds after the previous exchange.
    #[serde(skip_serializing_if = "is_default")]
    pub after: i64,
    /// Tokens in, as the provider counts.
    #[serde(skip_serializing_if = "is_default")]
    pub input_tokens: Option<u64>,
    /// Tokens out, as the provider counts.
    #[serde(skip_serializing_if = "is_default")]
    pub output_tokens: Option<u64>,
    /// An alarm of a baseline, in place of an exchange.
    pub baseline: Option<BaselineExample>,
}

/// An alarm of a baseline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineExample {
    /// The metric.
    pub metric: String,
    /// `up` or `down`.
    pub change: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
