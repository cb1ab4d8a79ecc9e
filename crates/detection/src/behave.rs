//! What a recorded exchange says to the watchers of behaviour over several requests.

use quell_behaviour::extraction::pattern::Manner;
use quell_behaviour::{COMPARED, Observation};
use quell_domain::interaction::{Interaction, Outcome, Role, TextField};
use quell_domain::kind::IncidentKind;
use quell_domain::rule::{Direction, RuleMode};
use quell_domain::signal::{Signal, Span};
use quell_domain::{Severity, canonical::sha256_hex};
use serde_json::{Map, Value};

use crate::fold::fold;

/// Bytes on each side of a finding that belong to its passage.
const AROUND: usize = 160;
/// Passages of one exchange that are compared.
const MAX_PASSAGES: usize = 8;
/// Bytes of a question that are compared.
const MAX_QUESTION: usize = 16 * 1024;

/// The parts of an observation that are made for it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    question: String,
    passages: Vec<(String, String)>,
    score: f32,
    finding: u64,
    first_turn: bool,
}

impl Seen {
    /// Reads the record.
    pub(crate) fn of(interaction: &Interaction) -> Self {
        let mut seen = Self { first_turn: is_first_turn(&interaction.request), ..Self::default() };
        let newest = interaction.request.iter().rev().find(|field| is_question(field));
        seen.question = newest.map_or_else(String::new, |field| fold(head(&field.text)));
        for signal in interaction.signals.iter().filter(|signal| is_attack(signal)) {
            let of_role = |role: Role| {
                let fields = signal.spans.iter().filter_map(|span| field(interaction, span));
                fields.filter(move |field| field.role == role)
            };
            let score = score(signal);
            // Rules in shadow mode are watched, not believed: a document that one of them takes for
            // an attack may be read by many.
            let believed = signal.mode == RuleMode::Enforce && score >= COMPARED;
            if believed && of_role(Role::Tool).next().is_some() {
                seen.passages(interaction, signal);
            }
            let by_user = signal.spans.is_empty() || of_role(Role::User).next().is_some();
            if by_user && score > seen.score {
                seen.score = score;
                seen.finding = finding(interaction, signal);
            }
        }
        seen
    }

    /// The observation about `principal`.
    pub(crate) fn observation<'a>(
        &'a self,
        interaction: &Interaction,
        principal: &'a str,
        trusted: bool,
    ) -> Observation<'a> {
        let blocked = matches!(interaction.outcome, Outcome::Blocked | Outcome::Fallback);
        let filtered = interaction.finish_reasons.iter().any(|reason| reason == "content_filter");
        let refusal = |signal: &Signal| signal.facts.iter().any(|fact| fact.contains("refusal"));
        let answered = interaction.signals.iter().filter(|s| s.direction == Direction::Output);
        Observation {
            at: interaction.started_at.as_microsecond(),
            principal,
            trusted,
            key: number(&interaction.id.to_string()),
            question: &self.question,
            score: self.score,
            finding: self.finding,
            refused: blocked || filtered || answered.into_iter().any(refusal),
            passages: self.passages.iter().map(|(p, w)| (p.as_str(), w.as_str())).collect(),
            manner: Manner {
                first_turn: self.first_turn,
                harvesting: is_harvesting(&interaction.parameters),
            },
        }
    }

    /// The text around each place where the signal stands in a tool's result.
    fn passages(&mut self, interaction: &Interaction, signal: &Signal) {
        for span in &signal.spans {
            let Some(field) = field(interaction, span).filter(|f| f.role == Role::Tool) else {
                continue;
            };
            let text = &field.text;
            let start = text.floor_char_boundary(span.start.saturating_sub(AROUND));
            let end = text.ceil_char_boundary(span.end.saturating_add(AROUND).min(text.len()));
            let passage = text.get(start..end).map(fold).unwrap_or_default();
            let known = self.passages.iter().any(|(known, _)| *known == passage);
            if !passage.is_empty() && !known && self.passages.len() < MAX_PASSAGES {
                self.passages.push((passage, text.clone()));
            }
        }
    }
}

fn field<'i>(interaction: &'i Interaction, span: &Span) -> Option<&'i TextField> {
    interaction.request.iter().find(|field| field.field == span.field)
}

fn is_question(field: &TextField) -> bool {
    field.role == Role::User && !field.text.trim().is_empty()
}

/// No answer of the model stands before the newest question.
fn is_first_turn(request: &[TextField]) -> bool {
    !request.iter().any(|field| field.role == Role::Assistant)
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_QUESTION.min(text.len()))]
}

/// Whether the finding speaks against whoever asked.
fn is_attack(signal: &Signal) -> bool {
    signal.direction == Direction::Input
        && signal.suppressed_by.is_none()
        && matches!(
            signal.kind,
            IncidentKind::PromptInjection
                | IncidentKind::Jailbreak
                | IncidentKind::Extraction
                | IncidentKind::SafetyViolation
                | IncidentKind::ModelManipulation
                | IncidentKind::Evasion
        )
}

/// How much a finding weighs: by the rule's severity, less while the rule is only watched.
fn score(signal: &Signal) -> f32 {
    let certain = signal.facts.iter().any(|fact| fact.ends_with(".certain"));
    let weight = match signal.severity {
        Severity::Low => 0.3,
        Severity::Medium => 0.6,
        Severity::High => 0.8,
        Severity::Critical => 1.0,
    };
    let weight = if certain { 1.0_f32 } else { weight };
    if signal.mode == RuleMode::Shadow { weight * 0.7 } else { weight }
}

/// The same for the same old turn in a later request: the rule and the text it was found in.
/// Where text is not recorded, the place stands for it.
fn finding(interaction: &Interaction, signal: &Signal) -> u64 {
    let Some(span) = signal.spans.first() else { return number(&interaction.id.to_string()) };
    let text = field(interaction, span).map_or("", |field| field.text.as_str());
    if text.is_empty() {
        return number(&format!("{}|{}|{}|{}", signal.rule, span.field, span.start, span.end));
    }
    number(&format!("{}|{text}", signal.rule))
}

fn number(text: &str) -> u64 {
    u64::from_str_radix(&sha256_hex(text.as_bytes())[..16], 16).unwrap_or(0)
}

/// Whether the request asks for what a copy of the model needs.
fn is_harvesting(parameters: &Map<String, Value>) -> bool {
    let number = |name: &str| parameters.get(name).and_then(Value::as_f64);
    let asked = |name: &str| match parameters.get(name) {
        Some(Value::Bool(asked)) => *asked,
        Some(Value::Number(n)) => n.as_f64().is_some_and(|n| n > 0.0),
        Some(Value::Object(map)) => !map.is_empty(),
        _ => false,
    };
    number("temperature").is_some_and(|temperature| temperature == 0.0)
        || number("n").is_some_and(|n| n > 1.0)
        || ["logprobs", "top_logprobs", "logit_bias"].into_iter().any(asked)
}
