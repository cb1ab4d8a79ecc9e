//! The plan: who sends what when.

use serde_json::json;

use super::corpus::{self, CorpusError, Drawn};
use super::texts::{self, SYSTEM_PROMPT};
use super::{Actor, CampaignOptions, Message, PARTNER_KEY, SHARED_KEY, Scenario, Step, Surface};
use crate::dice::Dice;
use crate::documents;

const MAX_SCALE: u32 = 20;
const MAX_CORPUS_TEXTS: usize = 5_000;
const HONEST_USERS: u32 = 30;
const FLOOD_REQUESTS: usize = 160;
const FLOOD_SESSIONS: usize = 4;
const ANSWER_TOKENS: u32 = 600;

/// Every way a request can be made, in the order users take them up.
const SHAPES: [(Surface, bool); 7] = [
    (Surface::Chat, true),
    (Surface::Chat, false),
    (Surface::Messages, true),
    (Surface::Responses, true),
    (Surface::Messages, false),
    (Surface::Completions, true),
    (Surface::Responses, false),
];

/// Writes down every request of a campaign, in the order of sending. Same seed, options and
/// corpora: same plan.
pub fn plan(seed: u64, options: &CampaignOptions) -> Result<Vec<Step>, CorpusError> {
    let mut plan = Plan {
        dice: Dice::new(seed, &["campaign"]),
        span: options.span_ms.max(1),
        steps: Vec::new(),
    };
    plan.honest(options.scale.clamp(1, MAX_SCALE));
    plan.jailbreak();
    plan.extraction();
    plan.leak();
    plan.flood();
    plan.injection();
    plan.exfiltration();
    plan.hard();
    if let Some(corpora) = &options.corpora {
        let attacks = options.corpus_attacks.min(MAX_CORPUS_TEXTS);
        let benign = options.corpus_benign.min(MAX_CORPUS_TEXTS);
        let draw = corpus::draw(corpora, seed, attacks, benign)?;
        plan.drawn(draw.attacks, Scenario::CorpusAttack, "visitor");
        plan.drawn(draw.benign, Scenario::CorpusBenign, "guest");
    }
    plan.steps.sort_by_key(|step| step.at_ms);
    Ok(plan.steps)
}

/// Whose key a step presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyOf {
    User,
    Shared,
    Partner,
}

struct Plan {
    dice: Dice,
    span: u64,
    steps: Vec<Step>,
}

impl Plan {
    /// Honest users: four in ten with a key of their own, the rest named in a header; one in ten
    /// shares the attackers' key.
    fn honest(&mut self, scale: u32) {
        for number in 0..HONEST_USERS * scale {
            let name = format!("reader-{number:02}");
            let key = match number % 10 {
                0 | 1 | 5 | 6 => KeyOf::User,
                9 => KeyOf::Partner,
                _ => KeyOf::Shared,
            };
            let turns = texts::CONVERSATIONS
                .get(number as usize % texts::CONVERSATIONS.len())
                .copied()
                .unwrap_or_default();
            let shape = shape(number as usize);
            let mut at = self.share(0, 55);
            let mut history = Vec::new();
            for turn in turns {
                history.push(said(turn));
                let mut step = self.step(at, &name, key, Scenario::Benign, history.clone());
                (step.surface, step.stream) = shape;
                step.tools = number % 3 == 1 && shape.0 != Surface::Completions;
                self.steps.push(step);
                let answer = self.dice.pick(texts::EARLIER_ANSWERS).to_owned();
                history.push(Message::Assistant { text: answer });
                at += self.share(3, 12);
            }
            // Everybody comes back near the end, so that collateral damage shows.
            let late = self.share(88, 100);
            let back = vec![said("One more thing: can I pay by invoice?")];
            self.steps.push(self.step(late, &name, key, Scenario::Benign, back));
        }
    }

    /// One user finds a frame that works, rewrites it, and others take it over.
    fn jailbreak(&mut self) {
        for number in 0..5_usize {
            let name = format!("prowler-{number}");
            let mut at = self.at(10 + 7 * number as u64);
            let tries = if number == 0 { texts::JAILBREAKS.len() } else { 3 };
            for attempt in 0..tries {
                let text = pick(texts::JAILBREAKS, number + attempt);
                self.attack(at, &name, Scenario::Jailbreak, text, shape(number));
                at += self.share(2, 4);
            }
            let text = pick(texts::OVERRIDES, number);
            self.attack(at, &name, Scenario::Jailbreak, text, shape(number + 1));
        }
        let at = self.at(46);
        let text = texts::encoded();
        self.attack(at, "prowler-5", Scenario::Jailbreak, &text, (Surface::Chat, true));
    }

    fn extraction(&mut self) {
        let mut at = self.at(30);
        for (number, text) in texts::EXTRACTIONS.iter().enumerate() {
            let streamed = (shape(number).0, true);
            self.attack(at, "digger-0", Scenario::PromptExtraction, text, streamed);
            at += self.share(3, 6);
        }
    }

    fn leak(&mut self) {
        for (number, text) in texts::LEAK_REQUESTS.iter().enumerate() {
            let at = self.at(40 + 6 * number as u64);
            let surface =
                pick_shape(&[Surface::Chat, Surface::Messages, Surface::Responses], number);
            self.attack(at, "siphon-0", Scenario::IdentifierLeak, text, (surface, true));
        }
    }

    /// One key, several sessions at once, long inputs, the largest answers.
    fn flood(&mut self) {
        let start = self.at(55);
        for number in 0..FLOOD_REQUESTS {
            let at = start + (number / FLOOD_SESSIONS) as u64 * self.span / 400;
            let text = texts::flood(number);
            let mut step =
                self.step(at, "batch-0", KeyOf::User, Scenario::Flood, vec![said(&text)]);
            step.actor.session = format!("batch-0-{}", number % FLOOD_SESSIONS);
            step.max_tokens = 1_024;
            step.stream = false;
            self.steps.push(accused(step));
        }
    }

    /// Honest users whose tool returns the poisoned document.
    fn injection(&mut self) {
        let Some(document) = documents::poisoned() else { return };
        for number in 0..3_usize {
            let question = pick(texts::SUPPLIER_QUESTIONS, number);
            let messages = vec![
                said(question),
                Message::ToolCall {
                    name: "read_file".into(),
                    arguments: json!({"path": document.id}),
                },
                Message::ToolResult { text: document.text.into() },
            ];
            let at = self.at(62 + 4 * number as u64);
            let name = format!("buyer-{number}");
            let key = if number % 2 == 0 { KeyOf::User } else { KeyOf::Shared };
            let mut step = self.step(at, &name, key, Scenario::IndirectInjection, messages);
            step.surface =
                pick_shape(&[Surface::Chat, Surface::Messages, Surface::Responses], number);
            step.tools = true;
            step.is_attack = true;
            self.steps.push(step);
        }
    }

    /// Honest users whose answer carries a link: the model found the poisoned document itself.
    fn exfiltration(&mut self) {
        for number in 0..3_usize {
            let question = pick(texts::SUPPLIER_QUESTIONS, number + 1);
            let name = format!("clerk-{number}");
            let key = if number == 0 { KeyOf::User } else { KeyOf::Shared };
            let at = self.at(66 + 5 * number as u64);
            let mut step = self.step(at, &name, key, Scenario::Exfiltration, vec![said(question)]);
            (step.surface, step.stream) = shape(2 * number);
            step.is_attack = true;
            self.steps.push(step);
        }
    }

    fn hard(&mut self) {
        for (number, text) in texts::HARD.iter().enumerate() {
            let at = self.at(20 + 12 * number as u64);
            let name = format!("riddler-{number}");
            self.attack(at, &name, Scenario::Hard, text, shape(number));
        }
    }

    fn drawn(&mut self, drawn: Vec<Drawn>, scenario: Scenario, role: &str) {
        for (number, drawn) in drawn.into_iter().enumerate() {
            // Two texts a user, so that touched users can be told from touched requests.
            let name = format!("{role}-{:03}", number / 2);
            let at = self.share(5, 95);
            let messages = if drawn.document {
                vec![
                    said("What does this document say? Please read it."),
                    Message::ToolCall {
                        name: "read_file".into(),
                        arguments: json!({"path": format!("inbox/{number}.txt")}),
                    },
                    Message::ToolResult { text: drawn.text },
                ]
            } else {
                vec![Message::User { text: drawn.text }]
            };
            let key =
                if scenario == Scenario::CorpusAttack { KeyOf::Partner } else { KeyOf::Shared };
            let mut step = self.step(at, &name, key, scenario, messages);
            let shape = shape(number);
            if !(drawn.document && shape.0 == Surface::Completions) {
                (step.surface, step.stream) = shape;
            }
            step.tools = drawn.document;
            step.source = Some(drawn.source);
            if scenario == Scenario::CorpusAttack {
                step = accused(step);
            }
            self.steps.push(step);
        }
    }

    fn attack(
        &mut self,
        at: u64,
        name: &str,
        scenario: Scenario,
        text: &str,
        shape: (Surface, bool),
    ) {
        // Attackers with an even number at the end have a key of their own.
        let even = name.ends_with(['0', '2', '4', '6', '8']);
        let key = if even { KeyOf::User } else { KeyOf::Partner };
        let mut step = self.step(at, name, key, scenario, vec![said(text)]);
        (step.surface, step.stream) = shape;
        self.steps.push(accused(step));
    }

    fn step(
        &self,
        at_ms: u64,
        user: &str,
        key: KeyOf,
        scenario: Scenario,
        messages: Vec<Message>,
    ) -> Step {
        Step {
            at_ms: at_ms.min(self.span),
            actor: Actor {
                user: user.into(),
                session: format!("{user}-main"),
                key: match key {
                    KeyOf::User => user,
                    KeyOf::Shared => SHARED_KEY,
                    KeyOf::Partner => PARTNER_KEY,
                }
                .into(),
                honest: true,
            },
            scenario,
            surface: Surface::Chat,
            stream: true,
            tools: false,
            system: SYSTEM_PROMPT.into(),
            messages,
            max_tokens: ANSWER_TOKENS,
            is_attack: false,
            source: None,
        }
    }

    /// This many hundredths of the span.
    fn at(&self, percent: u64) -> u64 {
        self.span * percent / 100
    }

    /// Somewhere between two hundredths of the span.
    fn share(&mut self, from: u64, to: u64) -> u64 {
        let (from, to) = (self.at(from), self.at(to));
        from + self.dice.below((to - from) as usize + 1) as u64
    }
}

fn said(text: &str) -> Message {
    Message::User { text: text.into() }
}

fn accused(mut step: Step) -> Step {
    step.is_attack = true;
    step.actor.honest = false;
    step
}

fn pick<'a>(texts: &[&'a str], number: usize) -> &'a str {
    texts.get(number % texts.len().max(1)).copied().unwrap_or_default()
}

fn pick_shape(surfaces: &[Surface], number: usize) -> Surface {
    surfaces.get(number % surfaces.len().max(1)).copied().unwrap_or(Surface::Chat)
}

fn shape(number: usize) -> (Surface, bool) {
    SHAPES.get(number % SHAPES.len()).copied().unwrap_or((Surface::Chat, true))
}

#[cfg(test)]
mod tests {
    use super::super::keys_needed;
    use super::*;

    fn default_plan(seed: u64) -> Vec<Step> {
        plan(seed, &CampaignOptions::default()).unwrap()
    }

    #[test]
    fn the_same_seed_plans_the_same() {
        assert_eq!(default_plan(7), default_plan(7));
        assert_ne!(default_plan(7), default_plan(8));
    }

    #[test]
    fn steps_are_in_order_and_inside_the_span() {
        let steps = default_plan(7);
        assert!(steps.is_sorted_by_key(|step| step.at_ms));
        assert!(steps.iter().all(|step| step.at_ms <= CampaignOptions::default().span_ms));
    }

    #[test]
    fn nobody_is_honest_and_accused_and_keys_are_bound_to_one_user() {
        let steps = default_plan(7);
        for step in &steps {
            let others = steps.iter().filter(|other| other.actor.user == step.actor.user);
            assert!(others.clone().all(|other| other.actor.honest == step.actor.honest));
            assert!(others.clone().all(|other| other.actor.key == step.actor.key));
        }
        let keys = keys_needed(&steps);
        assert!(keys.iter().filter(|key| key.user.is_none()).count() == 2);
        assert!(keys.len() > 10);
    }
}
