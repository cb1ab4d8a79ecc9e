//! Responses as they pass: what may leave, what is replaced, where the stream is cut.
//!
//! Text is held back only while a match that a live rule redacts or blocks may still complete, and
//! let go when that match dies, at its `max_len`, or at the end; never by time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use quell_domain::id::InteractionId;
use quell_domain::interaction::{NotEvaluated, Role, TextField};
use quell_domain::rule::Direction;
use quell_domain::signal::Signal;
use serde_json::{Map, Value};

use crate::analyzers::answer::Answer;
use crate::analyzers::echo::Known as SystemText;
use crate::analyzers::{Raised, sizes, tools};
use crate::budget::Budget;
use crate::disclosure;
use crate::event::Context;
use crate::inspect::{Redaction, planted_patterns};
use crate::judge::{FactAt, Judge};
use crate::patterns::{Hit, PatternSet, Scanner, Subject};
use crate::review::Review;
use crate::rules::RuleSet;
use crate::score::Scores;

/// Fields of one response that are inspected; more are passed on as not evaluated.
const MAX_FIELDS: usize = 256;

/// What a push or the end of a stream leads to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamStep {
    /// Per field concerned: how many of its bytes, counted from its beginning, may now leave.
    /// With a cut: up to where it may still leave before the error.
    pub released: Vec<(String, usize)>,
    /// Bytes to replace; each lies inside what is released with or after this step.
    pub redactions: Vec<Redaction>,
    /// The stream ends here.
    pub cut: Option<CutReason>,
    /// Signals newly raised.
    pub signals: Vec<Signal>,
    /// What is not judged from now on.
    pub not_evaluated: Vec<NotEvaluated>,
}

/// Why a stream is cut.
#[derive(Debug, Clone, PartialEq)]
pub struct CutReason {
    /// `rule:<id>` or `measure:<id>`.
    pub by: String,
    /// The signal, if a rule cut it.
    pub signal: Option<Signal>,
    /// The field in which the match stands; empty for a tool call.
    pub field: String,
    /// Its first byte in that field that must not leave. Bytes released beyond it have leaked.
    pub match_start: usize,
}

/// The inspection of one streamed response.
#[derive(Debug)]
pub struct StreamInspection {
    rules: Arc<RuleSet>,
    extra: Arc<PatternSet>,
    canaries: PatternSet,
    system: SystemText,
    leak: f32,
    tools_offered: Vec<String>,
    budget: Budget,
    judge: Judge,
    /// What is known besides the text.
    event: Map<String, Value>,
    fields: BTreeMap<String, Field>,
    bytes: usize,
    cut: bool,
    budget_reported: bool,
    kept_back: bool,
}

#[derive(Debug)]
struct Field {
    scanner: Scanner,
    answer: Answer,
    released: usize,
    /// Bytes that have left, where the caller keeps text back of its own accord.
    left: usize,
    open: Vec<Range<usize>>,
    finished: bool,
}

/// Something that became known at a position of a field.
struct Known {
    trigger: usize,
    start: usize,
    end: usize,
    what: What,
    /// From where on its text has waited; none: nothing waited for it.
    held_from: Option<usize>,
}

enum What {
    Text(String),
    Exchange(&'static str),
    Measure(String),
}

impl RuleSet {
    /// Begins the inspection of a streamed response. `extra` holds the patterns of measures in
    /// force, `request_facts` are the request's [`Findings::facts`](crate::Findings::facts).
    pub fn stream(
        self: &Arc<Self>,
        ctx: &Context<'_>,
        extra: Arc<PatternSet>,
        budget: Budget,
        interaction: InteractionId,
        request_facts: &[String],
    ) -> StreamInspection {
        let direction = Direction::Output;
        let mut judge = Judge::new(direction, interaction, request_facts);
        judge.speaker(Role::Assistant);
        StreamInspection {
            rules: Arc::clone(self),
            extra,
            canaries: planted_patterns(self, ctx),
            system: SystemText::of(ctx.system_text),
            leak: 0.0,
            tools_offered: ctx.tools_offered.to_vec(),
            budget,
            judge,
            event: ctx.event(direction),
            fields: BTreeMap::new(),
            bytes: 0,
            cut: false,
            budget_reported: false,
            kept_back: false,
        }
    }
}

impl StreamInspection {
    /// Takes more text of a field. `part` is what sort of text it is, as in
    /// [`TextField::part`](quell_domain::interaction::TextField).
    pub fn push(&mut self, field: &str, _part: &str, text: &str) -> StreamStep {
        let mut step = StreamStep::default();
        if self.cut {
            return step;
        }
        if !self.fields.contains_key(field) && self.fields.len() >= MAX_FIELDS {
            step.not_evaluated.push(not_evaluated("oversize", field));
            step.released.push((field.to_owned(), usize::MAX));
            return step;
        }
        let mut state = self.take(field);
        let at = state.scanner.end();
        let mut known = self.sizes(at, text);
        let mut raised = Vec::new();
        let (rules, extra) = (Arc::clone(&self.rules), Arc::clone(&self.extra));
        let sets = [&rules.output, &*extra, &self.canaries];
        state.answer.push(&sets, text, at, &mut self.budget, &mut raised);
        self.leak = self.leak.max(state.answer.leak());
        let hits = state.scanner.push(&sets, text, &mut self.budget);
        known.extend(raised.into_iter().map(Known::from));
        known.extend(hits.into_iter().map(Known::from));
        self.settle(field, &mut state, known, false, &mut step);
        self.fields.insert(field.to_owned(), state);
        step
    }

    /// A tool call begins.
    pub fn tool_call(&mut self, tool: &str) -> StreamStep {
        let mut step = StreamStep::default();
        if !self.cut {
            for fact in tools::of_call(tool, &self.tools_offered) {
                self.judge.about_exchange(fact);
            }
            self.decide("", &[], &mut step);
        }
        step
    }

    /// Both sides of the exchange are there: states what no piece of the answer says by itself.
    /// Comes before [`finish`](Self::finish); a rule that blocks on it cuts the stream there.
    pub fn review(&mut self, review: Review<'_>, answer: &[TextField]) -> StreamStep {
        let mut step = StreamStep::default();
        if !self.cut {
            let remarks = review.remarks(answer, &mut self.budget);
            step.not_evaluated
                .extend(remarks.missing.iter().map(|reason| not_evaluated(reason, "")));
            self.judge.remark(remarks);
            self.decide("", &[], &mut step);
        }
        step
    }

    /// A field is complete.
    pub fn finish_field(&mut self, field: &str) -> StreamStep {
        let mut step = StreamStep::default();
        self.finish_one(field, &mut step);
        step
    }

    /// The response is complete: everything still held is judged and let go.
    pub fn finish(&mut self) -> StreamStep {
        let mut step = StreamStep::default();
        let fields: Vec<String> = self.fields.keys().cloned().collect();
        for field in fields {
            self.finish_one(&field, &mut step);
        }
        if !self.cut {
            self.decide("", &[], &mut step);
        }
        step
    }

    /// The caller keeps back more than it is asked to, and says by [`left`](Self::left) what has
    /// left. What has not can be replaced wherever it stands.
    pub fn keep_back(&mut self) {
        self.kept_back = true;
    }

    /// The first `bytes` of `field` have left.
    pub fn left(&mut self, field: &str, bytes: usize) {
        if let Some(state) = self.fields.get_mut(field) {
            state.left = state.left.max(bytes);
        }
    }

    /// A window of `field` is over: what has been pushed is judged as if the field ended here.
    /// Unless it `ended` a sentence or a text, matches that touch this end may be parts of
    /// something else and are left to later.
    pub fn window_end(&mut self, field: &str, ended: bool) -> StreamStep {
        let mut step = StreamStep::default();
        if self.cut || !self.fields.contains_key(field) {
            return step;
        }
        let mut state = self.take(field);
        let (rules, extra) = (Arc::clone(&self.rules), Arc::clone(&self.extra));
        let sets = [&rules.output, &*extra, &self.canaries];
        let end = state.scanner.end();
        let hits = state.scanner.so_far(&sets, &mut self.budget);
        let hits = hits.into_iter().filter(|hit| ended || hit.end < end);
        let known = hits.map(|hit| Known { trigger: end, ..hit.into() }).collect();
        self.settle(field, &mut state, known, false, &mut step);
        self.fields.insert(field.to_owned(), state);
        step
    }

    /// Every signal raised so far, with all spans known by now.
    pub fn signals(&self) -> Vec<Signal> {
        self.judge.signals(&self.rules)
    }

    /// Every fact stated so far.
    pub fn facts(&self) -> Vec<String> {
        self.judge.facts()
    }

    /// How sure the judgement is so far.
    pub fn scores(&self) -> Scores {
        let by_fact = disclosure::scores(self.judge.facts().iter().map(String::as_str));
        by_fact.max(Scores { leak: self.leak, ..Scores::default() })
    }

    fn finish_one(&mut self, field: &str, step: &mut StreamStep) {
        if self.cut || !self.fields.contains_key(field) {
            return;
        }
        let mut state = self.take(field);
        if !state.finished {
            state.finished = true;
            let mut raised = Vec::new();
            let (rules, extra) = (Arc::clone(&self.rules), Arc::clone(&self.extra));
            let sets = [&rules.output, &*extra, &self.canaries];
            state.answer.finish(&sets, &mut self.budget, &mut raised);
            self.leak = self.leak.max(state.answer.leak());
            let hits = state.scanner.finish(&sets, &mut self.budget);
            let end = state.scanner.end();
            let known = raised
                .into_iter()
                .map(Known::from)
                .chain(hits.into_iter().map(Known::from))
                .map(|known| Known { trigger: end, ..known })
                .collect();
            self.settle(field, &mut state, known, true, step);
        }
        self.fields.insert(field.to_owned(), state);
    }

    fn take(&mut self, field: &str) -> Field {
        self.fields.remove(field).unwrap_or_else(|| Field {
            scanner: Scanner::new(
                &[&self.rules.output, &self.extra, &self.canaries],
                Role::Assistant,
                Direction::Output,
            ),
            answer: Answer::new(&self.system, self.judge.request_facts()),
            released: 0,
            left: 0,
            open: Vec::new(),
            finished: false,
        })
    }

    /// Size facts that become true inside `text`.
    fn sizes(&mut self, at: usize, text: &str) -> Vec<Known> {
        let before = self.bytes;
        self.bytes += text.len();
        sizes::output_steps()
            .filter(|(limit, _)| before < *limit && *limit <= self.bytes)
            .map(|(limit, fact)| {
                let trigger = at + text.ceil_char_boundary(limit - before);
                let what = What::Exchange(fact);
                Known { trigger, start: trigger, end: trigger, what, held_from: None }
            })
            .collect()
    }

    /// Judges what became known, in the order in which it did, and works out what may leave.
    fn settle(
        &mut self,
        field: &str,
        state: &mut Field,
        mut known: Vec<Known>,
        finishing: bool,
        step: &mut StreamStep,
    ) {
        known.sort_by_key(|known| (known.trigger, known.start, known.end));
        self.decide(field, &[], step);
        let mut rest = known.as_slice();
        while let (Some(first), false) = (rest.first(), self.cut) {
            let group = rest.partition_point(|known| known.trigger <= first.trigger);
            let (now, later) = rest.split_at(group);
            rest = later;
            self.decide(field, now, step);
            for known in now {
                let kept_back = self.kept_back && known.start >= state.left;
                let from = if kept_back { Some(known.start) } else { known.held_from };
                if let (What::Text(fact), Some(from)) = (&known.what, from)
                    && self.judge.redacts(&self.rules, fact)
                {
                    state.open.push(from..known.end);
                }
            }
            if self.cut {
                let position = first.trigger;
                let sets = [&self.rules.output, &*self.extra, &self.canaries];
                let hold =
                    if finishing { position } else { state.scanner.hold_at(&sets, position) };
                let limit = now.iter().filter_map(|known| known.held_from).min();
                let limit = limit.unwrap_or(hold).min(hold);
                state.release(field, limit, step);
                return;
            }
        }
        if self.cut {
            return;
        }
        let sets = [&self.rules.output, &*self.extra, &self.canaries];
        let hold = if finishing || self.budget.exhausted() {
            state.scanner.end()
        } else {
            state.scanner.hold(&sets)
        };
        if self.budget.exhausted() && !self.budget_reported {
            self.budget_reported = true;
            step.not_evaluated.push(not_evaluated("budget", field));
        }
        state.release(field, hold, step);
    }

    /// States what is known now and asks the rules.
    fn decide(&mut self, field: &str, known: &[Known], step: &mut StreamStep) {
        for known in known {
            match &known.what {
                What::Exchange(fact) => self.judge.about_exchange(fact),
                What::Text(fact) => self.judge.about_text(
                    Role::Assistant,
                    FactAt {
                        fact: fact.clone(),
                        field: field.to_owned(),
                        start: known.start,
                        end: known.end,
                    },
                ),
                What::Measure(id) if !self.cut => {
                    self.cut = true;
                    step.cut = Some(CutReason {
                        by: format!("measure:{id}"),
                        signal: None,
                        field: field.to_owned(),
                        match_start: known.start,
                    });
                }
                What::Measure(_) => {}
            }
        }
        let rules = Arc::clone(&self.rules);
        for index in self.judge.decide(&rules, &|| self.event.clone()) {
            let Some(signal) = self.judge.signal_of(index).cloned() else {
                continue;
            };
            step.signals.push(signal.clone());
            let info = &rules.infos[index];
            if info.blocks() && !self.cut {
                self.cut = true;
                let cause = known.iter().filter(|known| match &known.what {
                    What::Text(fact) => info.rests_on(fact),
                    What::Exchange(fact) => info.rests_on(fact),
                    What::Measure(_) => false,
                });
                let first = |known: &Known| known.held_from.unwrap_or(known.start);
                let match_start = cause.map(first).min().unwrap_or(0);
                let by = format!("rule:{}", info.id);
                let (signal, field) = (Some(signal), field.to_owned());
                step.cut = Some(CutReason { by, signal, field, match_start });
            }
        }
    }
}

impl Field {
    /// Lets go up to `hold`, but never part of a redaction.
    fn release(&mut self, field: &str, hold: usize, step: &mut StreamStep) {
        self.open.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in self.open.drain(..) {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        let straddling = merged.iter().find(|range| range.start < hold && hold < range.end);
        let hold = straddling.map_or(hold, |range| range.start);
        for range in merged {
            if range.end <= hold {
                step.redactions.push(Redaction { field: field.to_owned(), range });
            } else {
                self.open.push(range);
            }
        }
        if hold > self.released {
            self.released = hold;
            step.released.push((field.to_owned(), hold));
        }
    }
}

impl From<Hit> for Known {
    fn from(hit: Hit) -> Self {
        let what = match hit.subject {
            Subject::Fact(fact) => What::Text(fact.as_ref().to_owned()),
            Subject::Measure(id) => What::Measure(id.to_string()),
        };
        Self {
            trigger: hit.trigger,
            start: hit.start,
            end: hit.end,
            what,
            held_from: hit.held_from,
        }
    }
}

impl From<Raised> for Known {
    fn from(Raised { fact, start, end, trigger }: Raised) -> Self {
        Self { trigger, start, end, what: What::Text(fact.to_owned()), held_from: None }
    }
}

fn not_evaluated(reason: &str, field: &str) -> NotEvaluated {
    NotEvaluated { reason: reason.to_owned(), field: field.to_owned() }
}
