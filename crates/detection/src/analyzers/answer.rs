//! Every analyzer that reads an answer, as one: whole answers and streams use the same.

use super::Raised;
use super::echo::{Echo, Known};
use super::language::Language;
use super::loops::Loops;
use super::reencoded::Reencoded;
use super::refusal::Refusal;
use super::repetition::Repetition;
use super::tokens::Tokens;
use super::words::Words;
use crate::budget::Budget;
use crate::patterns::PatternSet;

/// Passes over the text that the analyzers cost, those that decode apart.
const PASSES: usize = 5;

/// The state of all of them in one field.
#[derive(Debug)]
pub(crate) struct Answer {
    words: Words,
    echo: Echo,
    reencoded: Reencoded,
    repetition: Repetition,
    loops: Loops,
    language: Language,
    refusal: Refusal,
    tokens: Tokens,
    end: usize,
}

impl Answer {
    /// Analyzers of an answer under the system text of `known`, to a request of which `request` was
    /// stated.
    pub(crate) fn new(known: &Known, request: &[String]) -> Self {
        Self {
            words: Words::default(),
            echo: Echo::new(known.clone()),
            reencoded: Reencoded::new(known.clone()),
            repetition: Repetition::default(),
            loops: Loops::default(),
            language: Language::default(),
            refusal: Refusal::new(request),
            tokens: Tokens::default(),
            end: 0,
        }
    }

    /// Looks at text that stands at `at`. `sets` are the patterns of the answer.
    pub(crate) fn push(
        &mut self,
        sets: &[&PatternSet],
        text: &str,
        at: usize,
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        if budget.spend(PASSES * text.len()) {
            let Self { words, echo, loops, .. } = self;
            words.push(text, at, |word| {
                echo.word(word, out);
                loops.word(word, out);
            });
            self.repetition.push(text, at, out);
            self.language.push(text, at, out);
            self.refusal.push(text, at, out);
            self.tokens.push(text, at, out);
            self.end = at + text.len();
            self.reencoded.push(sets, text, at, budget, out);
        }
    }

    /// The field is over.
    pub(crate) fn finish(
        &mut self,
        sets: &[&PatternSet],
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        let Self { words, echo, loops, .. } = self;
        words.finish(|word| {
            echo.word(word, out);
            loops.word(word, out);
        });
        self.echo.settle(out);
        self.refusal.finish(out);
        self.tokens.finish(self.end, out);
        self.reencoded.finish(sets, budget, out);
    }

    /// How sure it is that the system text leaves.
    pub(crate) fn leak(&self) -> f32 {
        self.echo.score().max(self.reencoded.score())
    }
}
