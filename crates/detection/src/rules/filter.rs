//! Filters: reviewed documents that keep a rule's matches from counting, for a limited time.

use std::collections::HashMap;

use jiff::Timestamp;
use rsigma_eval::{CompiledRule, JsonEvent, compile_rule, evaluate_rule};
use rsigma_parser::{Detections, FilterRule, FilterRuleTarget, LogSource, SigmaRule};
use serde::Deserialize;
use serde_json::Value;

/// The `quell:` section of a filter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterSection {
    /// Why the matches are harmless.
    pub(crate) reason: String,
    /// Who looked at it.
    pub(crate) reviewed_by: String,
    /// From then on it is not applied.
    pub(crate) expires: Timestamp,
}

/// The keys of the section, for messages.
pub(super) const FILTER_SECTION_KEYS: [&str; 3] = ["reason", "reviewed_by", "expires"];

/// What is known about a filter.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FilterInfo {
    /// Its name: what suppressed signals carry.
    pub id: String,
    /// What it lets pass.
    pub title: String,
    /// More about it.
    pub description: String,
    /// Rules whose matches it suppresses.
    pub rules: Vec<String>,
    /// Why those matches are harmless.
    pub reason: String,
    /// Who looked at it.
    pub reviewed_by: String,
    /// From then on it is not applied.
    pub expires: Timestamp,
    /// The file it comes from.
    pub pack: String,
    /// The line of that file.
    pub line: usize,
}

/// A filter, ready to be asked.
pub(crate) struct Filter {
    pub(crate) info: FilterInfo,
    compiled: CompiledRule,
}

impl Filter {
    /// Compiles a parsed filter. Its condition, as Sigma has it, says which matches still count.
    pub(super) fn read(info: FilterInfo, parsed: &FilterRule) -> Result<Self, String> {
        let rule = as_rule(&info.id, &parsed.detection);
        let compiled = compile_rule(&rule).map_err(|error| error.to_string())?;
        Ok(Self { info, compiled })
    }

    /// Whether a match of `rule` at `now`, seen in `event`, does not count.
    pub(crate) fn suppresses(&self, rule: &str, event: &Value, now: Timestamp) -> bool {
        now < self.info.expires
            && self.info.rules.iter().any(|known| known == rule)
            && evaluate_rule(&self.compiled, &JsonEvent::borrow(event)).is_none()
    }
}

/// The rules a filter names; none when it names `any`, which Quell refuses.
pub(super) fn named_rules(parsed: &FilterRule) -> Option<Vec<String>> {
    match &parsed.rules {
        FilterRuleTarget::Any => None,
        FilterRuleTarget::Specific(names) => Some(names.clone()),
    }
}

fn as_rule(name: &str, detection: &Detections) -> SigmaRule {
    SigmaRule {
        title: name.to_owned(),
        logsource: LogSource::default(),
        detection: detection.clone(),
        sigma_version: None,
        id: Some(name.to_owned()),
        name: None,
        related: Vec::new(),
        taxonomy: None,
        status: None,
        description: None,
        license: None,
        author: None,
        references: Vec::new(),
        date: None,
        modified: None,
        fields: Vec::new(),
        falsepositives: Vec::new(),
        level: None,
        tags: Vec::new(),
        scope: Vec::new(),
        custom_attributes: HashMap::new(),
    }
}
