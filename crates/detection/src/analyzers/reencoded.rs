//! What an answer says once its encodings are undone: the system prompt, planted strings, keys and
//! identifiers behind base64, hex, ciphers, reversal, spacing and the like.
//!
//! Sees: what `decode` can undo in the first 16 KiB of a field, looked at whenever the field has
//! doubled in size, and at its end.
//! Cannot see: other encodings, translations, encoded text farther behind.
//! Known false positives: those of what is looked for.

use std::ops::Range;

use super::Raised;
use super::echo::{Echo, Known};
use crate::budget::Budget;
use crate::decode::{View, decode};
use crate::patterns::{PatternSet, Scanner, Subject};
use quell_domain::interaction::Role;
use quell_domain::rule::Direction;

/// Bytes of a field that are looked at.
const MAX_BYTES: usize = 16 * 1024;
/// Bytes at which a running field is looked at first.
const FIRST_LOOK: usize = 1024;
/// Identifiers that are ordinary in an answer.
const ORDINARY: [&str; 3] = ["identifier.email", "identifier.phone", "identifier.ip"];

/// The analyzer's state in one field.
#[derive(Debug)]
pub(crate) struct Reencoded {
    known: Known,
    text: String,
    start: usize,
    next_look: usize,
    looked: usize,
    raised: Vec<&'static str>,
    score: f32,
}

impl Reencoded {
    /// An analyzer that looks for the text of `known` and for what patterns find.
    pub(crate) const fn new(known: Known) -> Self {
        Self {
            known,
            text: String::new(),
            start: 0,
            next_look: FIRST_LOOK,
            looked: 0,
            raised: Vec::new(),
            score: 0.0,
        }
    }

    /// Looks at text that stands at `at`.
    pub(crate) fn push(
        &mut self,
        sets: &[&PatternSet],
        text: &str,
        at: usize,
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        if self.text.is_empty() {
            self.start = at;
        }
        let mut text = text;
        while self.text.len() < MAX_BYTES && !text.is_empty() {
            // Exactly up to the next look, so that it does not matter how the text was split.
            let room = text.ceil_char_boundary(self.next_look.saturating_sub(self.text.len()));
            let (now, later) = text.split_at(room.min(text.len()));
            self.text.push_str(now);
            text = later;
            if self.text.len() >= self.next_look {
                self.look(sets, budget, out);
                self.next_look *= 2;
            }
        }
    }

    /// The field is over.
    pub(crate) fn finish(
        &mut self,
        sets: &[&PatternSet],
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        if self.looked < self.text.len() {
            self.look(sets, budget, out);
        }
    }

    /// How sure it is that the system text leaves encoded.
    pub(crate) const fn score(&self) -> f32 {
        self.score
    }

    fn look(&mut self, sets: &[&PatternSet], budget: &mut Budget, out: &mut Vec<Raised>) {
        self.looked = self.text.len();
        let text = std::mem::take(&mut self.text);
        for View { text, span, .. } in &decode(&text, budget).views {
            if !budget.spend(2 * text.len()) {
                break;
            }
            self.view(sets, text, span, budget, out);
        }
        self.text = text;
    }

    fn view(
        &mut self,
        sets: &[&PatternSet],
        text: &str,
        span: &Range<usize>,
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        let mut echo = Echo::new(self.known.clone());
        let mut raised = Vec::new();
        echo.push(text, 0, &mut raised);
        echo.finish(&mut raised);
        self.score = self.score.max(echo.score());
        let mut facts: Vec<&'static str> = Vec::new();
        if raised.iter().any(|raised| raised.fact == "output.system_prompt_echo") {
            facts.push("output.system_prompt_encoded");
        }
        let mut scanner = Scanner::new(sets, Role::Assistant, Direction::Output);
        let mut hits = scanner.push(sets, text, budget);
        hits.extend(scanner.finish(sets, budget));
        for hit in hits {
            if let Subject::Fact(fact) = hit.subject {
                facts.extend(encoded(&fact));
            }
        }
        for fact in facts {
            if !self.raised.contains(&fact) {
                self.raised.push(fact);
                let (start, end) = (self.start + span.start, self.start + span.end);
                out.push(Raised { fact, start, end, trigger: self.start + self.looked });
            }
        }
    }
}

/// What a fact about decoded text amounts to.
fn encoded(fact: &str) -> Option<&'static str> {
    if matches!(fact, "output.canary" | "output.system_secret") {
        Some("output.encoded_canary")
    } else if fact.starts_with("secret.") {
        Some("output.encoded_secret")
    } else if fact.starts_with("identifier.") && !ORDINARY.contains(&fact) {
        Some("output.encoded_identifier")
    } else {
        None
    }
}
