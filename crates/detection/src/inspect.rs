//! Whole requests and whole responses.

use std::ops::Range;

use quell_domain::id::{InteractionId, MeasureId};
use quell_domain::interaction::{Cause, NotEvaluated, Outcome, Role, TextField};
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::signal::Signal;
use serde_json::{Map, Value};

use crate::analyzers::answer::Answer;
use crate::analyzers::echo::Known;
use crate::analyzers::{sizes, system_secret, tools};
use crate::budget::Budget;
use crate::cache::FieldCache;
use crate::conversation::ConversationModel;
use crate::disclosure;
use crate::event::Context;
use crate::field::{FieldFindings, Stated, is_attack};
use crate::join::{Joint, joints};
use crate::judge::{FactAt, Judge};
use crate::patterns::{PatternSet, Scanner};
use crate::rules::RuleSet;
use crate::score::Scores;

/// What inspecting one direction of an exchange found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Rules that matched.
    pub signals: Vec<Signal>,
    /// What was not judged, and why.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Patterns of containment measures that matched.
    pub measure_hits: Vec<MeasureHit>,
    /// Text that must be replaced, merged and in order of field and position.
    pub redactions: Vec<Redaction>,
    /// Facts stated; those of a tool's text also as `tool.<fact>`. Handed on to the judgement of
    /// the response.
    pub facts: Vec<String>,
    /// How sure the judgement is.
    pub scores: Scores,
}

/// A match of a containment measure's pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasureHit {
    /// The measure.
    pub measure: MeasureId,
    /// The field, as a JSON pointer.
    pub field: String,
    /// The bytes of the field's text.
    pub range: Range<usize>,
}

/// Text of a field that must be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction {
    /// The field, as a JSON pointer.
    pub field: String,
    /// The bytes of the field's text.
    pub range: Range<usize>,
}

/// What is to be done with the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Continue,
    /// A rule in shadow mode would have acted.
    WouldBlock,
    /// Replace the redactions.
    Redact,
    /// Refuse; by `measure:<id>` or `rule:<id>`.
    Block(String),
}

impl Findings {
    /// What is to be done, the strictest cause first.
    pub fn decision(&self) -> Decision {
        if let Some(hit) = self.measure_hits.first() {
            return Decision::Block(format!("measure:{}", hit.measure));
        }
        let enforced = self.signals.iter().filter(|signal| signal.mode == RuleMode::Enforce);
        let strictest = enforced
            .filter(|signal| signal.effect != RuleEffect::Signal)
            .max_by_key(|signal| (signal.effect, std::cmp::Reverse(signal.severity)));
        match strictest {
            Some(signal) if signal.effect == RuleEffect::Block => {
                Decision::Block(format!("rule:{}", signal.rule))
            }
            Some(_) => Decision::Redact,
            None if self.causes().is_empty() => Decision::Continue,
            None => Decision::WouldBlock,
        }
    }

    /// Every reason for an outcome, for the record.
    pub fn causes(&self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self
            .measure_hits
            .iter()
            .map(|hit| Cause { outcome: Outcome::Blocked, by: format!("measure:{}", hit.measure) })
            .collect();
        causes.extend(self::causes(&self.signals));
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.outcome));
        causes.dedup();
        causes
    }
}

/// What signals lead to, strongest first.
pub fn causes(signals: &[Signal]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = signals.iter().filter_map(cause).collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.outcome));
    causes
}

fn cause(signal: &Signal) -> Option<Cause> {
    let outcome = match (signal.effect, signal.mode) {
        (RuleEffect::Signal, _) => return None,
        (_, RuleMode::Shadow) => Outcome::WouldBlock,
        (RuleEffect::Redact, RuleMode::Enforce) => Outcome::Redacted,
        (RuleEffect::Block, RuleMode::Enforce) => Outcome::Blocked,
    };
    Some(Cause { outcome, by: format!("rule:{}", signal.rule) })
}

impl RuleSet {
    /// Judges a whole request. `extra` holds the patterns of measures in force; `cache` remembers
    /// what fields said.
    pub fn inspect_request(
        &self,
        ctx: &Context<'_>,
        extra: &PatternSet,
        fields: &[TextField],
        budget: &mut Budget,
        interaction: InteractionId,
        cache: Option<&FieldCache>,
    ) -> Findings {
        let direction = Direction::Input;
        let mut run = Run::new(direction, interaction, &[]);
        let bytes = fields.iter().map(|field| field.text.len()).sum();
        for fact in sizes::of_request(bytes, ctx.tools_offered.len(), ctx.parameters) {
            run.judge.about_exchange(fact);
        }
        run.judge.speaker(Role::User);
        for field in fields {
            let found = self.read_field(extra, field.role, &field.text, budget, cache);
            run.take(field, &found);
        }
        for joint in joints(fields) {
            let role = joint.role;
            let found = self.read_field(extra, role, &joint.text, budget, None);
            run.take_across(&joint, fields, &found);
        }
        run.converse(fields, budget);
        run.finish(self, &|| ctx.event(direction), budget)
    }

    /// Judges a whole response. `request_facts` are [`Findings::facts`] of the request.
    pub fn inspect_response(
        &self,
        ctx: &Context<'_>,
        extra: &PatternSet,
        fields: &[TextField],
        budget: &mut Budget,
        interaction: InteractionId,
        request_facts: &[String],
    ) -> Findings {
        let direction = Direction::Output;
        let mut run = Run::new(direction, interaction, request_facts);
        let bytes = fields.iter().map(|field| field.text.len()).sum();
        for fact in sizes::of_output(bytes) {
            run.judge.about_exchange(fact);
        }
        for call in ctx.review.calls {
            for fact in tools::of_call(&call.name, ctx.tools_offered) {
                run.judge.about_exchange(fact);
            }
        }
        run.judge.speaker(Role::Assistant);
        let remarks = ctx.review.remarks(fields, budget);
        for reason in &remarks.missing {
            run.not_evaluated(reason, "");
        }
        run.judge.remark(remarks);
        let canaries = planted_patterns(self, ctx);
        let known = Known::of(ctx.system_text);
        let sets = [&self.output, extra, &canaries];
        for field in fields {
            let found = read_output(&sets, Answer::new(&known, request_facts), field, budget);
            run.take(field, &found);
        }
        run.finish(self, &|| ctx.event(direction), budget)
    }
}

/// Shortest text that is looked for backwards, bytes.
const TURNED: usize = 6;

/// Patterns of the strings that must not leave: planted ones, and secrets the system text names;
/// spelt out and backwards, too.
pub(crate) fn planted_patterns(rules: &RuleSet, ctx: &Context<'_>) -> PatternSet {
    let mut texts: Vec<(&str, String)> = Vec::new();
    let mut plant = |fact, text: String| {
        if text.len() >= TURNED {
            texts.push(("output.encoded_canary", text.chars().rev().collect()));
        }
        texts.push((fact, text));
    };
    for canary in ctx.canaries {
        plant("output.canary", canary.clone());
    }
    let secrets = system_secret::of(ctx.system_text);
    for secret in &secrets {
        plant("output.system_secret", secret.clone());
    }
    let spelt = secrets.iter().flat_map(|secret| system_secret::spelt(secret));
    texts.extend(spelt.map(|text| ("output.system_secret", text)));
    PatternSet::literals(&texts, |fact| rules.acts_on_output(fact)).unwrap_or_default()
}

/// What one field of an answer says.
fn read_output(
    sets: &[&PatternSet],
    mut answer: Answer,
    field: &TextField,
    budget: &mut Budget,
) -> FieldFindings {
    let mut found = FieldFindings::default();
    let mut scanner = Scanner::new(sets, field.role, Direction::Output);
    found.take(scanner.push(sets, &field.text, budget));
    found.take(scanner.finish(sets, budget));
    found.crowded = scanner.crowded();
    let mut raised = Vec::new();
    answer.push(sets, &field.text, 0, budget, &mut raised);
    answer.finish(sets, budget, &mut raised);
    found.raise(raised);
    found.scores.leak = answer.leak();
    found
}

/// Overlapping matches as one.
fn merged(mut matches: Vec<FactAt>) -> Vec<Redaction> {
    matches.sort_by(|a, b| (&a.field, a.start).cmp(&(&b.field, b.start)));
    let mut merged: Vec<Redaction> = Vec::new();
    for FactAt { field, start, end, .. } in matches {
        match merged.last_mut() {
            Some(last) if last.field == field && start <= last.range.end => {
                last.range.end = last.range.end.max(end);
            }
            _ => merged.push(Redaction { field, range: start..end }),
        }
    }
    merged
}

/// One direction of one exchange while it is judged.
struct Run {
    judge: Judge,
    findings: Findings,
    matches: Vec<FactAt>,
}

impl Run {
    fn new(direction: Direction, interaction: InteractionId, request_facts: &[String]) -> Self {
        let judge = Judge::new(direction, interaction, request_facts);
        Self { judge, findings: Findings::default(), matches: Vec::new() }
    }

    /// Judges the user's turns together.
    fn converse(&mut self, fields: &[TextField], budget: &mut Budget) {
        let Some(model) = ConversationModel::embedded() else {
            return self.not_evaluated("conversation", "");
        };
        let Some(found) = model.judge(fields, budget) else { return };
        for fact in found.facts() {
            let (field, end) = found.hottest.clone();
            self.judge
                .about_text(Role::User, FactAt { fact: fact.to_owned(), field, start: 0, end });
        }
        self.findings.scores.harm = self.findings.scores.harm.max(found.score);
    }

    /// Takes over what a field says.
    fn take(&mut self, field: &TextField, found: &FieldFindings) {
        if found.crowded {
            self.not_evaluated("crowded", &field.field);
        }
        if found.unasked {
            self.not_evaluated("second_opinion", &field.field);
        }
        for Stated { fact, start, end, exact } in &found.facts {
            let at = FactAt {
                fact: fact.as_ref().to_owned(),
                field: field.field.clone(),
                start: *start,
                end: *end,
            };
            if *exact {
                self.matches.push(at.clone());
            }
            self.judge.about_text(field.role, at);
        }
        self.findings.measure_hits.extend(found.measures.iter().map(|(measure, range)| {
            MeasureHit { measure: *measure, field: field.field.clone(), range: range.clone() }
        }));
        self.findings.scores = self.findings.scores.max(found.scores);
    }

    /// Takes over the attacks and measures that only show across fields. Identifiers and scores
    /// are left to each field: numbers of several turns make no number.
    fn take_across(&mut self, joint: &Joint, fields: &[TextField], found: &FieldFindings) {
        for Stated { fact, start, end, exact } in &found.facts {
            let split = is_attack(fact) || fact.as_ref() == "encoded.attack";
            let places = if split { joint.across(&(*start..*end)) } else { None };
            for (index, range) in places.into_iter().flatten() {
                let field = fields[index].field.clone();
                for fact in [fact.as_ref(), "encoded.split"] {
                    let fact = fact.to_owned();
                    let at =
                        FactAt { fact, field: field.clone(), start: range.start, end: range.end };
                    if *exact {
                        self.matches.push(at.clone());
                    }
                    self.judge.about_text(joint.role, at);
                }
            }
        }
        for (measure, span) in &found.measures {
            for (index, range) in joint.across(span).into_iter().flatten() {
                let field = fields[index].field.clone();
                self.findings.measure_hits.push(MeasureHit { measure: *measure, field, range });
            }
        }
    }

    fn not_evaluated(&mut self, reason: &str, field: &str) {
        self.findings
            .not_evaluated
            .push(NotEvaluated { reason: reason.to_owned(), field: field.to_owned() });
    }

    fn finish(
        mut self,
        rules: &RuleSet,
        base: &dyn Fn() -> Map<String, Value>,
        budget: &Budget,
    ) -> Findings {
        self.judge.decide(rules, base);
        if budget.exhausted() {
            self.not_evaluated("budget", "");
        }
        self.findings.signals = self.judge.signals(rules);
        self.findings.facts = self.judge.facts();
        let facts = self.findings.facts.iter().map(String::as_str);
        self.findings.scores = self.findings.scores.max(disclosure::scores(facts));
        self.matches.retain(|found| self.judge.redacts(rules, &found.fact));
        self.findings.redactions = merged(self.matches);
        self.findings
    }
}
