//! What one exchange cost, by its record alone, so that the log tells the same as the gateway did.

use std::collections::HashMap;

use jiff::Timestamp;
use quell_domain::application::Application;
use quell_domain::budget::ModelPrice;
use quell_domain::interaction::{Interaction, TextField, Usage};
use quell_domain::{ApiKeyId, Graded, Principal};
use serde::{Deserialize, Serialize};

use super::price_of;

/// Characters of a token, where the provider does not state a number.
const CHARS_PER_TOKEN: u64 = 4;

/// An amount of both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub tokens: u64,
    pub cost_micros: u64,
}

impl Charge {
    pub(crate) fn new(input: u64, output: u64, price: Option<&ModelPrice>) -> Self {
        Self {
            tokens: input.saturating_add(output),
            cost_micros: price.map_or(0, |price| price.cost(input, output)),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost_micros = self.cost_micros.saturating_add(other.cost_micros);
    }

    pub(super) fn take(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_sub(other.tokens);
        self.cost_micros = self.cost_micros.saturating_sub(other.cost_micros);
    }
}

/// What of a record decides about its cost.
#[derive(Debug, Deserialize)]
pub(super) struct Billed {
    pub application: String,
    pub started_at: Timestamp,
    #[serde(default)]
    principal: Who,
    #[serde(default)]
    model_asked: Option<String>,
    #[serde(default)]
    upstream: Option<String>,
    #[serde(default)]
    finish_reasons: Vec<String>,
    status: u16,
    request_chars: u64,
    response_chars: u64,
    #[serde(default)]
    usage: Usage,
}

#[derive(Debug, Default, Deserialize)]
struct Who {
    #[serde(default)]
    user: Option<Graded>,
    #[serde(default)]
    key: Option<ApiKeyId>,
}

impl Billed {
    pub(super) fn of(record: &Interaction) -> Self {
        Self {
            application: record.application.clone(),
            started_at: record.started_at,
            principal: Who { user: record.principal.user.clone(), key: record.principal.key },
            model_asked: record.model_asked.clone(),
            upstream: record.upstream.clone(),
            finish_reasons: record.finish_reasons.clone(),
            status: record.status,
            request_chars: record.request_chars,
            response_chars: record.response_chars,
            usage: record.usage,
        }
    }

    pub(super) fn principal(&self) -> Principal {
        let who = &self.principal;
        Principal { user: who.user.clone(), key: who.key, ..Principal::default() }
    }

    /// What it cost: as the provider states it, else estimated from the text. Nothing where no
    /// provider answered.
    pub(super) fn charge(&self, application: &Application) -> Charge {
        let price = price_of(application, self.model_asked.as_deref());
        let stated = self.usage.input_tokens.is_some() || self.usage.output_tokens.is_some();
        let answered = self.status == 200 || !self.finish_reasons.is_empty();
        if self.upstream.is_none() || !(stated || answered) {
            return Charge::default();
        }
        let estimated = |chars: u64| chars.div_ceil(CHARS_PER_TOKEN);
        let input = self.usage.input_tokens.unwrap_or_else(|| estimated(self.request_chars));
        let output = self.usage.output_tokens.unwrap_or_else(|| estimated(self.response_chars));
        Charge::new(input, output, price)
    }
}

/// What the exchange of a settled record cost.
pub(crate) fn of(record: &Interaction, application: &Application) -> Charge {
    Billed::of(record).charge(application)
}

/// Prompt tokens to be expected: about four characters of ASCII, or one and a half others, each.
pub(crate) fn expected_input(fields: &[TextField]) -> u64 {
    let tokens = |field: &TextField| {
        let bytes = field.text.len() as u64;
        let ascii = field.text.bytes().filter(u8::is_ascii).count() as u64;
        ascii.div_ceil(CHARS_PER_TOKEN) + (bytes - ascii).div_ceil(2)
    };
    fields.iter().map(tokens).sum()
}

/// Counts the tokens of a streamed answer from below while they pass: at least one a piece, and at
/// least one every five characters that are no space.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    texts: HashMap<String, (u64, u64)>,
}

impl Heard {
    /// One more piece of a text.
    pub(crate) fn hear(&mut self, field: &str, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let seen = piece.chars().filter(|char| !char.is_whitespace()).count() as u64;
        match self.texts.get_mut(field) {
            Some((pieces, chars)) => (*pieces, *chars) = (*pieces + 1, *chars + seen),
            None => {
                self.texts.insert(field.to_owned(), (1, seen));
            }
        }
    }

    /// Tokens so far.
    pub(crate) fn tokens(&self) -> u64 {
        self.texts.values().map(|(pieces, chars)| (*pieces).max(chars / 5)).sum()
    }
}
