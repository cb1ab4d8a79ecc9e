//! Rows of a corpus, one JSON object a line, as samples.

use quell_domain::interaction::Role;
use serde::Deserialize;

use crate::sample::{Kind, Sample};

/// A row of a corpus file. Fields that training does not use are left aside.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    /// The text.
    #[serde(default)]
    pub text: String,
    /// `attack` or `benign`.
    pub label: String,
    /// What kind of attack or harmless text.
    #[serde(default)]
    pub family: String,
    /// Where it comes from.
    #[serde(default)]
    pub source: String,
    /// `permissive`, or a class that keeps it out of shipped weights.
    #[serde(default)]
    pub licence_class: String,
    /// The label can be argued either way.
    #[serde(default)]
    pub contested: bool,
    /// The text that was put into a document.
    #[serde(default)]
    pub injected: Option<String>,
    /// Who speaks, where the row says so.
    #[serde(default)]
    pub role: Option<String>,
    /// The system prompt that an output is judged against.
    #[serde(default)]
    pub system: String,
    /// A conversation's turns, instead of `text`.
    #[serde(default)]
    pub turns: Vec<String>,
    /// Of personal data: at least one identifier looks like a number.
    #[serde(default = "yes")]
    pub structured: bool,
}

const fn yes() -> bool {
    true
}

impl Row {
    /// Who speaks: as the row says, else as its family implies.
    pub fn speaker(&self) -> Role {
        match (self.role.as_deref(), self.family.as_str()) {
            (Some("system"), _) | (_, "system_prompt") => Role::System,
            (Some("document" | "tool"), _)
            | (_, "indirect_injection" | "benign_document" | "tool_output") => Role::Tool,
            (Some("output"), _) | (_, "benign_output" | "system_prompt_leak_output") => {
                Role::Assistant
            }
            _ => Role::User,
        }
    }

    /// The sample this row makes, if it is one that the model learns from or is tried on.
    pub fn sample(&self) -> Option<Sample> {
        let kind = match self.family.as_str() {
            _ if self.contested => return None,
            "direct_injection" => Kind::Override,
            "jailbreak" => Kind::Jailbreak,
            "system_prompt_extraction" => Kind::Extraction,
            "indirect_injection" => Kind::Indirect,
            "harmful_request" => Kind::Harmful,
            // Rows of feedback say no more than on which side they are.
            "" if self.label == "attack" && self.speaker() == Role::Tool => Kind::Indirect,
            "" if self.label == "attack" => Kind::Override,
            "" if self.speaker() == Role::Tool => Kind::Document,
            "" | "benign" | "hard_negative" => Kind::Request,
            "benign_document" | "tool_output" | "benign_output" => Kind::Document,
            _ => return None,
        };
        let role = if self.speaker() == Role::Assistant { Role::Tool } else { self.speaker() };
        let injected = self.injected.as_deref().and_then(|injected| {
            let start = self.text.find(injected)?;
            Some(start..start + injected.len())
        });
        Some(Sample {
            text: self.text.clone(),
            role,
            kind,
            source: self.source.clone(),
            injected,
            facts: Vec::new(),
            trains: self.licence_class == "permissive",
        })
    }
}
