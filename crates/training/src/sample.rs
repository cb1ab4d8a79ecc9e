//! What the model is trained and judged on.

use std::ops::Range;

use quell_domain::interaction::Role;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An ordinary request or question of a user.
    Request,
    /// An ordinary document, tool result, or answer.
    Document,
    /// A text about attacks, security or rules for models that attacks nothing.
    Mention,
    /// Instructions against the instructions.
    Override,
    /// A frame that is to free the model of its rules.
    Jailbreak,
    /// A request for the instructions themselves.
    Extraction,
    /// Instructions that stand in a document.
    Indirect,
    /// A harmful request without any trick.
    Harmful,
}

impl Kind {
    /// Whether the text works against its instructions; `None`: another question.
    pub const fn attack(self) -> Option<bool> {
        match self {
            Self::Request | Self::Document | Self::Mention => Some(false),
            Self::Override | Self::Jailbreak | Self::Extraction | Self::Indirect => Some(true),
            Self::Harmful => None,
        }
    }
}

/// A text with what is known about it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The text.
    pub text: String,
    /// Who speaks: `User` or `Tool`.
    pub role: Role,
    /// What it is.
    pub kind: Kind,
    /// Where it comes from; a whole source is left out at a time when a model is tried.
    pub source: String,
    /// The injected bytes, where a document carries them.
    pub injected: Option<Range<usize>>,
    /// Facts that patterns and analyzers state about it, sorted.
    pub facts: Vec<String>,
    /// Whether weights may be trained on it; else it only serves to try and to calibrate.
    pub trains: bool,
}

impl Sample {
    /// Whether the text was written or put together here.
    pub fn own(&self) -> bool {
        self.source.starts_with("own-")
    }
}
