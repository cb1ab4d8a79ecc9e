//! Collects facts, asks the rules whenever the facts have changed, and makes signals of matches.

use std::collections::{BTreeMap, BTreeSet};

use quell_domain::id::InteractionId;
use quell_domain::interaction::Role;
use quell_domain::rule::Direction;
use quell_domain::signal::{Signal, Span};
use serde_json::{Map, Value};

use crate::event::put_facts;
use crate::review::Remarks;
use crate::rules::{Matched, RuleInfo, RuleSet};
use quell_domain::canonical::sha256_hex;

/// Spans kept of one fact of one speaker.
const MAX_SPANS: usize = 32;

/// A fact about a stretch of a field.
#[derive(Debug, Clone)]
pub(crate) struct FactAt {
    pub(crate) fact: String,
    pub(crate) field: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The judgement of one direction of one exchange.
#[derive(Debug)]
pub(crate) struct Judge {
    direction: Direction,
    interaction: InteractionId,
    request_facts: Vec<String>,
    exchange: BTreeSet<String>,
    by_role: BTreeMap<&'static str, (Role, BTreeSet<String>)>,
    spans: BTreeMap<(String, &'static str), Vec<Span>>,
    fired: BTreeMap<usize, Signal>,
    changed: bool,
}

impl Judge {
    /// Begins a judgement of what `base` describes.
    pub(crate) fn new(
        direction: Direction,
        interaction: InteractionId,
        request_facts: &[String],
    ) -> Self {
        Self {
            direction,
            interaction,
            request_facts: request_facts.to_vec(),
            exchange: BTreeSet::new(),
            by_role: BTreeMap::new(),
            spans: BTreeMap::new(),
            fired: BTreeMap::new(),
            changed: true,
        }
    }

    /// What was stated about the request.
    pub(crate) fn request_facts(&self) -> &[String] {
        &self.request_facts
    }

    /// Makes sure a speaker is judged even without facts of its own.
    pub(crate) fn speaker(&mut self, role: Role) {
        self.by_role.entry(role.as_str()).or_insert_with(|| (role, BTreeSet::new()));
    }

    /// States a fact about the exchange as a whole.
    pub(crate) fn about_exchange(&mut self, fact: &str) {
        self.changed |= self.exchange.insert(fact.to_owned());
    }

    /// States a fact about a stretch of one speaker's text.
    pub(crate) fn about_text(&mut self, role: Role, at: FactAt) {
        let FactAt { fact, field, start, end } = at;
        let (_, facts) =
            self.by_role.entry(role.as_str()).or_insert_with(|| (role, BTreeSet::new()));
        if facts.insert(fact.clone()) {
            self.changed = true;
        }
        let spans = self.spans.entry((fact.clone(), role.as_str())).or_default();
        if spans.len() < MAX_SPANS {
            spans.push(Span { field, start, end, fact });
        }
    }

    /// States what was read of both sides of the exchange.
    pub(crate) fn remark(&mut self, remarks: Remarks) {
        remarks.facts.into_iter().for_each(|fact| self.about_exchange(fact));
        remarks.places.into_iter().for_each(|at| self.about_text(Role::Assistant, at));
    }

    /// Asks the rules if facts have changed; the rules that match now and did not before. `base`
    /// describes the exchange, and is asked for only where a rule has to be evaluated.
    pub(crate) fn decide(
        &mut self,
        rules: &RuleSet,
        base: &dyn Fn() -> Map<String, Value>,
    ) -> Vec<usize> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let all: BTreeSet<&str> = self
            .by_role
            .values()
            .flat_map(|(_, facts)| facts)
            .chain(&self.exchange)
            .map(String::as_str)
            .collect();
        let known = all.iter().copied().chain(self.request_facts.iter().map(String::as_str));
        let asked = rules.asked(self.direction, known);
        if asked.is_empty() {
            return Vec::new();
        }
        let now = self.interaction.born();
        let mut new: Vec<(usize, Role, Option<String>)> = Vec::new();
        for (role, facts) in self.by_role.values() {
            let mut event = base();
            let own = facts.union(&self.exchange).map(String::as_str);
            put_facts(&mut event, *role, own, all.iter().copied(), &self.request_facts);
            let event = Value::Object(event);
            for Matched { rule, suppressed_by } in
                rules.evaluate(self.direction, &asked, &event, now)
            {
                let known = self.fired.get(&rule).is_some_and(|signal| {
                    signal.suppressed_by.is_none() || suppressed_by.is_some()
                });
                if !known && !new.iter().any(|(index, by, _)| (*index, by) == (rule, role)) {
                    new.push((rule, *role, suppressed_by.map(str::to_owned)));
                }
            }
        }
        // A match that counts goes before one that a filter suppresses.
        new.sort_by_key(|(index, _, filter)| (*index, filter.is_some()));
        new.dedup_by_key(|(index, ..)| *index);
        for (index, role, filter) in &new {
            let mut signal = self.signal(&rules.infos[*index], *role);
            signal.suppress(filter.as_deref());
            self.fired.insert(*index, signal);
        }
        let counting = new.into_iter().filter(|(_, _, filter)| filter.is_none());
        counting.map(|(index, ..)| index).collect()
    }

    /// The signal a rule has raised.
    pub(crate) fn signal_of(&self, index: usize) -> Option<&Signal> {
        self.fired.get(&index)
    }

    /// Whether a rule that matched replaces text of this fact.
    pub(crate) fn redacts(&self, rules: &RuleSet, fact: &str) -> bool {
        let counting = self.fired.iter().filter(|(_, signal)| signal.suppressed_by.is_none());
        counting
            .map(|(index, _)| &rules.infos[*index])
            .any(|info| info.redacts() && info.rests_on(fact))
    }

    /// Every signal, with all spans known by now.
    pub(crate) fn signals(&self, rules: &RuleSet) -> Vec<Signal> {
        self.fired
            .iter()
            .map(|(index, signal)| {
                let info = &rules.infos[*index];
                Signal { spans: self.spans_of(info), ..signal.clone() }
            })
            .collect()
    }

    /// Every fact stated, of all speakers.
    pub(crate) fn facts(&self) -> Vec<String> {
        let mut all: BTreeSet<String> = self.exchange.clone();
        for (role, facts) in self.by_role.values() {
            for fact in facts {
                all.insert(fact.clone());
                if *role != Role::User && *role != Role::Assistant {
                    all.insert(format!("{}.{fact}", role.as_str()));
                }
            }
        }
        all.into_iter().collect()
    }

    fn spans_of(&self, info: &RuleInfo) -> Vec<Span> {
        let mut spans: Vec<Span> = self
            .spans
            .iter()
            .filter(|((fact, _), _)| info.rests_on(fact))
            .flat_map(|(_, spans)| spans.iter().cloned())
            .collect();
        spans.sort_by(|a, b| (&a.field, a.start, a.end).cmp(&(&b.field, b.start, b.end)));
        spans.truncate(MAX_SPANS);
        spans
    }

    fn signal(&self, info: &RuleInfo, role: Role) -> Signal {
        let own = self.by_role.get(role.as_str()).map(|(_, facts)| facts.clone());
        let mut facts: Vec<String> = own
            .unwrap_or_default()
            .into_iter()
            .chain(self.exchange.iter().cloned())
            .chain(self.request_facts.iter().cloned())
            .filter(|fact| info.rests_on(fact))
            .collect();
        facts.sort();
        facts.dedup();
        let key = format!("{}|{}|{}", info.id, self.interaction, self.direction);
        Signal {
            id: format!("sig_{}", &sha256_hex(key.as_bytes())[..32]),
            rule: info.id.clone(),
            title: info.title.clone(),
            kind: info.kind,
            severity: info.severity,
            effect: info.effect,
            mode: info.mode,
            direction: self.direction,
            facts,
            spans: self.spans_of(info),
            taxonomy: info.taxonomy.clone(),
            suppressed_by: None,
        }
    }
}
