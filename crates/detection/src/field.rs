//! What one field of a request says, whoever asks and whatever else the exchange holds: a pure
//! function of the rule set, the measures in force, the speaker and the text, so it can be kept.

use std::ops::Range;
use std::sync::Arc;

use quell_domain::id::MeasureId;
use quell_domain::interaction::Role;
use quell_domain::rule::Direction;

use crate::analyzers::Raised;
use crate::analyzers::noise;
use crate::analyzers::repetition::Repetition;
use crate::analyzers::tokens::Tokens;
use crate::budget::Budget;
use crate::cache::FieldCache;
use crate::decode::{Decoding, View, decode, plain};
use crate::patterns::{Hit, PatternSet, Scanner, Subject};
use crate::rules::RuleSet;
use crate::score::Scores;

/// A fact at a stretch of the field's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) fact: Arc<str>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// A pattern matched exactly this text: a redaction may replace it.
    pub(crate) exact: bool,
}

/// Everything one field says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldFindings {
    pub(crate) facts: Vec<Stated>,
    pub(crate) measures: Vec<(MeasureId, Range<usize>)>,
    pub(crate) scores: Scores,
    /// A second opinion was wanted and not to be had.
    pub(crate) unasked: bool,
    /// Matches were dropped because too many were in progress at once.
    pub(crate) crowded: bool,
}

/// What asking for a second opinion costs, in the budget's terms.
const SECOND_OPINION: usize = 256 * 1024;

/// Facts of these groups make a decoded text an attack.
const ATTACKS: [&str; 4] = ["injection.", "jailbreak.", "extraction.", "exfiltration."];

/// Whether a fact says by itself that a text works against its instructions.
pub(crate) fn is_attack(fact: &str) -> bool {
    ATTACKS.iter().any(|group| fact.starts_with(group))
}

impl FieldFindings {
    /// States a fact that no redaction replaces text for, once per place.
    fn state(&mut self, fact: &str, span: &Range<usize>) {
        let known =
            self.facts.iter().any(|at| at.fact.as_ref() == fact && (at.start..at.end) == *span);
        if !known {
            let (start, end) = (span.start, span.end);
            self.facts.push(Stated { fact: fact.into(), start, end, exact: false });
        }
    }

    pub(crate) fn take(&mut self, hits: Vec<Hit>) {
        for Hit { subject, start, end, .. } in hits {
            match subject {
                Subject::Fact(fact) => self.facts.push(Stated { fact, start, end, exact: true }),
                Subject::Measure(measure) => self.measures.push((measure, start..end)),
            }
        }
    }

    pub(crate) fn raise(&mut self, raised: Vec<Raised>) {
        for Raised { fact, start, end, .. } in raised {
            self.facts.push(Stated { fact: fact.into(), start, end, exact: false });
        }
    }
}

impl RuleSet {
    /// Reads one field of a request, or remembers what it said the last time.
    pub(crate) fn read_field(
        &self,
        extra: &PatternSet,
        role: Role,
        text: &str,
        budget: &mut Budget,
        cache: Option<&FieldCache>,
    ) -> Arc<FieldFindings> {
        let Some(cache) = cache.filter(|_| FieldCache::is_worth(text)) else {
            return Arc::new(self.read_anew(extra, role, text, budget));
        };
        if !budget.spend(text.len()) {
            return Arc::default();
        }
        let key = cache.key(self.digest(), extra.digest(), role, text);
        if let Some(known) = cache.get(key) {
            return known;
        }
        let found = Arc::new(self.read_anew(extra, role, text, budget));
        if !budget.exhausted() && !found.unasked {
            cache.put(key, &found);
        }
        found
    }

    fn read_anew(
        &self,
        extra: &PatternSet,
        role: Role,
        text: &str,
        budget: &mut Budget,
    ) -> FieldFindings {
        let mut found = FieldFindings::default();
        let sets = [&self.input, extra];
        let mut scanner = Scanner::new(&sets, role, Direction::Input);
        found.take(scanner.push(&sets, text, budget));
        found.take(scanner.finish(&sets, budget));
        found.crowded = scanner.crowded();
        if role != Role::System && budget.spend(2 * text.len()) {
            let mut raised = Vec::new();
            Repetition::of(text, &mut raised);
            if role == Role::User {
                noise::of(text, &mut raised);
            }
            let mut tokens = Tokens::default();
            tokens.push(text, 0, &mut raised);
            tokens.finish(text.len(), &mut raised);
            found.raise(raised);
            let decoding = decode(text, budget);
            let plain = plain(text, &decoding.views);
            let reading = plain.as_deref().unwrap_or(text);
            self.judge_text(role, reading, 0..text.len(), 0, budget, &mut found);
            self.read_decoded(&sets, role, &decoding, budget, &mut found);
        }
        found
    }

    /// Asks the classifier about a text that stands at `span`; the facts from number `from` on are
    /// about it.
    fn judge_text(
        &self,
        role: Role,
        text: &str,
        span: Range<usize>,
        from: usize,
        budget: &mut Budget,
        found: &mut FieldFindings,
    ) {
        let Some(classifier) = self.classifier() else { return };
        let facts = found.facts[from..].iter().map(|at| at.fact.as_ref());
        let Some(first) = classifier.judge(role, text, facts, budget) else { return };
        let second = self.second().filter(|second| second.is_wanted(&first));
        let judgement = match second {
            Some(second) if budget.spend(SECOND_OPINION) => {
                let over = second.over(first, text);
                found.unasked |= over.is_none();
                over.unwrap_or(first)
            }
            _ => first,
        };
        found.scores = found.scores.max(judgement.scores);
        for fact in judgement.facts() {
            found.state(fact, &span);
        }
    }

    /// Reads what the text says once its encodings are undone; findings stand where the encoded
    /// text stands.
    fn read_decoded(
        &self,
        sets: &[&PatternSet],
        role: Role,
        decoding: &Decoding,
        budget: &mut Budget,
        found: &mut FieldFindings,
    ) {
        found.crowded |= decoding.limited;
        for (fact, span) in &decoding.flags {
            found.state(fact, span);
        }
        for View { text, scheme, span, .. } in &decoding.views {
            found.state(scheme, span);
            let mut scanner = Scanner::new(sets, role, Direction::Input);
            let mut hits = scanner.push(sets, text, budget);
            hits.extend(scanner.finish(sets, budget));
            found.crowded |= scanner.crowded();
            let attack = hits.iter().any(|hit| match &hit.subject {
                Subject::Fact(fact) => is_attack(fact),
                Subject::Measure(_) => false,
            });
            let placed =
                hits.into_iter().map(|hit| Hit { start: span.start, end: span.end, ..hit });
            let from = found.facts.len();
            found.take(placed.collect());
            self.judge_text(role, text, span.clone(), from, budget, found);
            if attack {
                found.state("encoded.attack", span);
            }
        }
    }
}
