//! The rule-based model: reads the question, decides what it gives in to, writes the answer.

mod answer;
mod intent;
mod obey;

use serde_json::{Value, json};

use crate::ask::{Ask, Choice, Offer};
use crate::config::RangeConfig;
use crate::dice::Dice;
use crate::documents::{self, Document};
use crate::planted::Planted;
use intent::{Intent, Technique};

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    ToolCall,
}

/// A call the model wants made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// One choice of an answer, already cut into tokens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) tokens: Vec<String>,
    pub(crate) call: Option<Call>,
    pub(crate) finish: Finish,
}

impl Reply {
    /// The whole text.
    pub(crate) fn text(&self) -> String {
        self.tokens.concat()
    }
}

/// The model.
#[derive(Debug)]
pub(crate) struct Model {
    config: RangeConfig,
    planted: Planted,
}

/// How the length and the shape of a reply are bent by a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bend {
    None,
    Repeat,
    Huge,
}

impl Model {
    pub(crate) fn new(config: &RangeConfig) -> Self {
        Self { config: config.clone(), planted: Planted::new(config.seed) }
    }

    /// Choice number `index` of the `occurrence`-th answer to this question.
    pub(crate) fn reply(&self, ask: &Ask, occurrence: u64, index: u32, bend: Bend) -> Reply {
        let transcript = ask.transcript();
        let place = format!("{occurrence}/{index}");
        let mut dice = Dice::new(self.config.seed, &["reply", &transcript, &place]);
        match bend {
            Bend::None => {}
            Bend::Repeat => {
                let endless = "As I was saying, let me go through that again. ".repeat(20_000);
                return self.cut(&endless, ask.max_tokens);
            }
            Bend::Huge => {
                let paragraph = answer::general("the whole archive", &mut dice);
                let count = self.config.huge_bytes / paragraph.len().max(1) + 1;
                let tokens = vec![paragraph; count];
                return Reply { tokens, call: None, finish: Finish::Stop };
            }
        }
        if let Some(call) = self.wanted_call(ask, &mut dice) {
            let finish = Finish::ToolCall;
            return Reply { tokens: Vec::new(), call: Some(call), finish };
        }
        let text = self.write(ask, &mut dice);
        self.cut(&text, ask.max_tokens)
    }

    fn cut(&self, text: &str, asked: Option<u32>) -> Reply {
        let limit = asked.map_or(self.config.max_tokens, |asked| asked.min(self.config.max_tokens));
        let mut tokens = tokens(text);
        let finish = if tokens.len() > limit as usize { Finish::Length } else { Finish::Stop };
        tokens.truncate(limit as usize);
        Reply { tokens, call: None, finish }
    }

    fn write(&self, ask: &Ask, dice: &mut Dice) -> String {
        let question = ask.last_user();
        if let Some(result) = ask.tool_result() {
            return if intent::is_injected(result)
                && dice.chance(self.config.obeys.injected_document)
            {
                obey::injected(&self.planted, dice)
            } else {
                answer::from_source(result, dice)
            };
        }
        match intent::classify(question) {
            Intent::Attack(technique) => self.give_in(technique, ask, dice),
            Intent::Ordinary => {
                // Instructions in a document the client put into the prompt, not in the question.
                if intent::is_injected(question) || intent::is_injected(&ask.system) {
                    return self.give_in(Technique::InjectedDocument, ask, dice);
                }
                match documents::lookup(question).filter(|_| self.config.retrieval) {
                    Some(found) => self.look_up(found, dice),
                    None => answer::ordinary(question, dice),
                }
            }
        }
    }

    fn look_up(&self, found: &Document, dice: &mut Dice) -> String {
        if found.poisoned && dice.chance(self.config.obeys.injected_document) {
            obey::injected(&self.planted, dice)
        } else {
            answer::from_source(found.text, dice)
        }
    }

    fn give_in(&self, technique: Technique, ask: &Ask, dice: &mut Dice) -> String {
        let (obeys, leaks) = (&self.config.obeys, &self.config.leaks);
        match technique {
            Technique::PromptExtraction if dice.chance(leaks.system_prompt) => {
                obey::system_prompt(&ask.system)
            }
            Technique::PromptExtraction if dice.chance(leaks.system_prompt_paraphrase) => {
                obey::system_prompt_in_other_words(&ask.system)
            }
            Technique::Identifiers if dice.chance(leaks.identifiers) => {
                obey::identifiers(&self.planted, dice)
            }
            Technique::InstructionOverride if dice.chance(obeys.instruction_override) => {
                obey::unsafe_placeholder(technique, dice)
            }
            Technique::RolePlay if dice.chance(obeys.role_play) => {
                obey::unsafe_placeholder(technique, dice)
            }
            Technique::DeveloperMode if dice.chance(obeys.developer_mode) => {
                obey::unsafe_placeholder(technique, dice)
            }
            Technique::Encoded if dice.chance(obeys.encoded) => {
                obey::unsafe_placeholder(technique, dice)
            }
            Technique::Repetition if dice.chance(obeys.repetition) => {
                obey::repetition(ask.last_user())
            }
            Technique::InjectedDocument if dice.chance(obeys.injected_document) => {
                obey::injected(&self.planted, dice)
            }
            _ => answer::refusal(dice),
        }
    }

    /// The tool call the conversation leads to, if any.
    fn wanted_call(&self, ask: &Ask, dice: &mut Dice) -> Option<Call> {
        if ask.offers.is_empty() || ask.choice == Choice::Never {
            return None;
        }
        if let Some(result) = ask.tool_result() {
            let mail = offer(ask, "send_email")?;
            let obeyed =
                intent::is_injected(result) && dice.chance(self.config.obeys.injected_document);
            return obeyed.then(|| obey::mail_out(&mail.name, &self.planted));
        }
        let question = ask.last_user();
        let wanted = match &ask.choice {
            Choice::Named(name) => offer(ask, name),
            Choice::Any => intent::tool_for(question)
                .and_then(|name| offer(ask, name))
                .or_else(|| ask.offers.first()),
            Choice::Auto => intent::tool_for(question)
                .and_then(|name| offer(ask, name))
                .or_else(|| ask.offers.iter().find(|offer| mentions(question, &offer.name))),
            Choice::Never => None,
        }?;
        Some(Call { name: wanted.name.clone(), arguments: arguments(wanted, question) })
    }
}

fn offer<'a>(ask: &'a Ask, name: &str) -> Option<&'a Offer> {
    ask.offers.iter().find(|offer| offer.name == name)
}

/// Whether a question has a word of the tool's name in it, e.g. `get_weather` and "weather".
fn mentions(question: &str, name: &str) -> bool {
    let question = question.to_lowercase();
    name.split(['_', '-'])
        .filter(|word| word.len() > 3)
        .any(|word| question.contains(&word.to_lowercase()))
}

/// Arguments that satisfy a tool's schema as far as its top level says.
fn arguments(wanted: &Offer, question: &str) -> Value {
    let Some(properties) = wanted.schema.get("properties").and_then(Value::as_object) else {
        return json!({});
    };
    properties
        .iter()
        .map(|(name, schema)| (name.clone(), argument(name, schema, question)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn argument(name: &str, schema: &Value, question: &str) -> Value {
    if let Some(first) = schema.get("enum").and_then(|allowed| allowed.get(0)) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!(match name {
            "order_id" => intent::order_number(question),
            "path" => documents::lookup(question).map_or("kb/returns.md", |found| found.id).into(),
            "to" => "service@example.com".into(),
            "subject" => "Your request".into(),
            _ => question.chars().take(200).collect::<String>(),
        }),
    }
}

/// Cuts text the way tokenizers do, roughly: a space sticks to the word after it, long words fall
/// apart.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    const LONGEST: usize = 6;
    let mut tokens = Vec::new();
    let mut token = String::new();
    let mut length = 0;
    for c in text.chars() {
        let starts_word = c.is_whitespace() || !c.is_alphanumeric();
        let after_space = token.ends_with(' ') && length == 1;
        if length > 0 && ((starts_word && !after_space) || length > LONGEST) {
            tokens.push(std::mem::take(&mut token));
            length = 0;
        }
        token.push(c);
        length += 1;
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_small_and_lose_nothing() {
        let text = "Hello, world:  sk-proj-AbCdEfGhIjKl über straße\n\n1234567890";
        let cut = tokens(text);
        assert_eq!(cut.concat(), text);
        assert!(cut.iter().all(|token| token.chars().count() <= 7), "{cut:?}");
        assert_eq!(&cut[..3], ["Hello", ",", " world"]);
    }
}
