//! One detector's finding.

use serde::{Deserialize, Serialize};

use crate::incident::Severity;
use crate::kind::IncidentKind;
use crate::rule::{Direction, RuleEffect, RuleMode};
use crate::taxonomy::TaxonomyRef;

/// Where in an interaction a finding points to. Offsets are bytes into the named field's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Span {
    /// The field, as a JSON pointer into the request or response, e.g. `/messages/2/content`.
    pub field: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The fact that was raised here.
    pub fact: String,
}

/// A rule that matched. Carries no text, only where the text is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signal {
    /// Hash of rule, group and window for correlations; of rule and interaction otherwise. Replay
    /// gives the same id.
    pub id: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// What it suggests.
    pub kind: IncidentKind,
    /// How bad, by the rule.
    pub severity: Severity,
    /// What the rule does to traffic.
    pub effect: RuleEffect,
    /// Whether that effect is live.
    pub mode: RuleMode,
    /// Which way the text was going.
    pub direction: Direction,
    /// The facts the rule rested on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// Where in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// Framework references.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxonomy: Vec<TaxonomyRef>,
    /// The filter that keeps the match from counting: it does nothing to traffic and opens no
    /// incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<String>,
}

impl Signal {
    /// Marks the match as suppressed by a filter, if one is given: it keeps its record and loses
    /// its effect.
    pub fn suppress(&mut self, filter: Option<&str>) {
        if let Some(filter) = filter {
            self.suppressed_by = Some(filter.to_owned());
            (self.mode, self.effect) = (RuleMode::Shadow, RuleEffect::Signal);
        }
    }
}

impl Signal {
    /// Whether the rule would have redacted or blocked, were it enforced.
    pub fn would_act(&self) -> bool {
        self.mode == RuleMode::Shadow && self.effect != RuleEffect::Signal
    }
}
