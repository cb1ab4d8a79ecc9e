//! What is known about a rule without running it.

use quell_domain::Severity;
use quell_domain::kind::IncidentKind;
use quell_domain::rule::{Direction, FailMode, RuleEffect, RuleMode};
use quell_domain::taxonomy::TaxonomyRef;

use super::section::Examples;

/// When a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    /// While the exchange passes.
    Inline,
    /// Over the recorded exchange.
    AfterExchange,
}

/// What is known about a rule without running it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RuleInfo {
    /// The rule's name, unique: what signals and causes carry.
    pub id: String,
    /// The Sigma UUID.
    pub sigma_id: Option<String>,
    /// What a match means.
    pub title: String,
    /// More about it.
    pub description: String,
    /// Ordinary things that match as well.
    pub false_positives: Vec<String>,
    /// What sort of incident a match suggests.
    pub kind: IncidentKind,
    /// How bad.
    pub severity: Severity,
    /// Whether the effect is carried out.
    pub mode: RuleMode,
    /// What a match does.
    pub effect: RuleEffect,
    /// Which way the text goes.
    pub direction: Direction,
    /// What happens when it could not be asked; the application's choice when absent.
    pub fail: Option<FailMode>,
    /// Framework references.
    pub taxonomy: Vec<TaxonomyRef>,
    /// The file it comes from, e.g. `rules/injection.yaml`.
    pub pack: String,
    /// SHA-256 of what it says and of the patterns it rests on: the same rule, the same digest.
    pub digest: String,
    /// When it runs.
    pub runs: Runs,
    /// Whether it counts other rules over time.
    pub correlation: bool,
    /// Whether it is only counted by correlations and raises no signal itself.
    pub counted_only: bool,
    /// Facts it rests on; a trailing `*` stands for any ending.
    pub facts: Vec<String>,
    /// Its examples.
    #[serde(skip)]
    pub examples: Examples,
}

impl RuleInfo {
    /// Whether the rule rests on `fact`.
    pub fn rests_on(&self, fact: &str) -> bool {
        self.facts.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => fact.starts_with(prefix),
            None => known == fact,
        })
    }

    /// Whether a match stops traffic.
    pub(crate) fn blocks(&self) -> bool {
        self.mode == RuleMode::Enforce && self.effect == RuleEffect::Block
    }

    /// Whether a match replaces text.
    pub(crate) fn redacts(&self) -> bool {
        self.mode == RuleMode::Enforce && self.effect == RuleEffect::Redact
    }
}
