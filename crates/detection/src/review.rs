//! What is read once both sides of an exchange are there: calls against what was offered and asked
//! for, the answer against what it was given, its wording against its own probabilities.

use quell_domain::interaction::{Interaction, Role, TextField, ToolCall};
use serde_json::Value;

use crate::analyzers::{arguments, confidence, grounding};
use crate::budget::Budget;
use crate::judge::FactAt;

/// Both sides of an exchange, for what no text says by itself. Empty while a request is judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Review<'a> {
    /// Every text of the request.
    pub request: &'a [TextField],
    /// JSON schema of each offered tool's arguments, by the tool's name.
    pub schemas: &'a [(&'a str, &'a Value)],
    /// Hosts that arguments may name, with all below them; empty: any.
    pub destinations: &'a [String],
    /// The calls the model made.
    pub calls: &'a [ToolCall],
    /// Log-probabilities as the provider gave them.
    pub logprobs: Option<&'a Value>,
}

/// What a review states.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// About the exchange as a whole.
    pub(crate) facts: Vec<&'static str>,
    /// About stretches of the answer.
    pub(crate) places: Vec<FactAt>,
    /// What could not be read, with the reason.
    pub(crate) missing: Vec<&'static str>,
}

impl<'a> Review<'a> {
    /// An exchange as it was recorded: without schemas, which are not kept, and without a scope.
    pub fn recorded(record: &'a Interaction) -> Self {
        Self {
            request: &record.request,
            calls: &record.tool_calls,
            logprobs: record.logprobs.as_ref(),
            ..Self::default()
        }
    }

    /// Names of the tools called.
    pub(crate) fn tools_called(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.name.as_str()).collect()
    }

    /// Reads both sides; `answer` holds every text of the response.
    pub(crate) fn remarks(&self, answer: &[TextField], budget: &mut Budget) -> Remarks {
        let mut remarks = Remarks::default();
        arguments::read(self, budget, &mut remarks);
        grounding::read(self.request, answer, budget, &mut remarks);
        if let Some(logprobs) = self.logprobs {
            remarks.facts.extend(confidence::read(logprobs));
        }
        remarks
    }
}

/// Whether `field` holds what a person or the operator said, as against what a tool brought.
pub(crate) fn is_asked(field: &TextField) -> bool {
    matches!(field.role, Role::User | Role::System)
}
