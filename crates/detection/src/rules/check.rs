//! The strict pass: what Sigma parsers let through and Quell refuses, with line and fix.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use rsigma_parser::Modifier;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::diagnostic::{Diagnostic, Level};
use super::document::{Content, Key, Node};
use super::filter::{FILTER_SECTION_KEYS, FilterSection};
use super::section::{SECTION_KEYS, Section};
use super::suggest::{one_of, suggest};
use crate::event::{FACT_FIELDS, FIELDS, LATE_FIELDS, TEXT_FIELDS};
use crate::patterns::parse_regex;

const RULE_KEYS: [&str; 18] = [
    "title",
    "id",
    "name",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "tags",
    "logsource",
    "detection",
    "falsepositives",
    "level",
    "fields",
    "related",
    "quell",
];
const CORRELATION_DOCUMENT_KEYS: [&str; 16] = [
    "title",
    "id",
    "name",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "tags",
    "correlation",
    "falsepositives",
    "level",
    "related",
    "quell",
];
const FILTER_KEYS: [&str; 13] = [
    "title",
    "id",
    "name",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "logsource",
    "filter",
    "quell",
];
const CORRELATION_KEYS: [&str; 6] =
    ["type", "rules", "group-by", "timespan", "condition", "generate"];
const CORRELATION_TYPES: [&str; 8] = [
    "event_count",
    "value_count",
    "value_sum",
    "value_avg",
    "value_median",
    "value_percentile",
    "temporal",
    "temporal_ordered",
];
const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// The `quell:` section of a document that is in order.
pub(super) enum Checked {
    Rule(Box<Section>),
    Filter(FilterSection),
}

/// Collects what is wrong in one document.
pub(super) struct Checker<'a> {
    pub(super) path: &'a str,
    pub(super) facts: &'a BTreeSet<String>,
    pub(super) rule: Option<String>,
    pub(super) found: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    pub(super) fn error(
        &mut self,
        line: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (path, rule) = (self.path.to_owned(), self.rule.clone());
        let (message, help, level) = (message.into(), help.into(), Level::Error);
        self.found.push(Diagnostic { path, line, rule, message, help, level });
    }

    /// Checks a document; its `quell:` section if that can be read.
    pub(super) fn document(&mut self, root: &Node) -> Option<Checked> {
        let Some(entries) = root.entries() else {
            self.error(root.line, "the document is not a map", "begin with `title:`");
            return None;
        };
        if let Some(filter) = root.get("filter") {
            self.keys(entries, &FILTER_KEYS);
            self.names(root);
            self.filter(filter);
            return self.section(root, &FILTER_SECTION_KEYS).map(Checked::Filter);
        }
        let is_correlation = root.get("correlation").is_some();
        let known: &[&str] = if is_correlation { &CORRELATION_DOCUMENT_KEYS } else { &RULE_KEYS };
        self.keys(entries, known);
        self.names(root);
        self.level(root);
        if is_correlation {
            self.correlation(root);
        } else if let Some(detection) = root.get("detection") {
            self.detection(detection);
        } else {
            self.error(root.line, "`detection` is missing", "add selections and a condition");
        }
        self.section::<Section>(root, &SECTION_KEYS).map(Box::new).map(Checked::Rule)
    }

    fn filter(&mut self, filter: &Node) {
        let Some(entries) = filter.entries() else {
            self.error(filter.line, "`filter` is not a map", "name its rules and selections");
            return;
        };
        if filter.get("rules").is_none() {
            self.error(filter.line, "`rules` is missing", "list rules by their `name`");
        }
        for (key, node) in entries {
            if matches!(key.name.as_str(), "condition" | "rules") {
                continue;
            }
            self.selection(key, node);
            for (field, _) in node.entries().unwrap_or_default() {
                let name = field.name.split('|').next().unwrap_or_default();
                if TEXT_FIELDS.contains(&name) || LATE_FIELDS.contains(&name) {
                    let help = "filter by facts, user, application, model or tool";
                    self.error(field.line, format!("a filter does not see `{name}`"), help);
                }
            }
        }
        if filter.get("condition").is_none() {
            let help = "e.g. `condition: not selection`: what still counts";
            self.error(filter.line, "`condition` is missing", help);
        }
    }

    fn keys(&mut self, entries: &[(Key, Node)], known: &[&str]) {
        for (key, _) in entries {
            if !known.contains(&key.name.as_str()) {
                let help = suggest(&key.name, known.iter().copied());
                self.error(key.line, format!("unknown key `{}`", key.name), help);
            }
        }
    }

    fn names(&mut self, root: &Node) {
        match root.get("name").and_then(Node::text) {
            Some(name) if is_slug(name) => self.rule = Some(name.to_owned()),
            Some(_) => self.error(
                root.line,
                "`name` is not a rule name",
                "use lower-case letters, digits and underscores",
            ),
            None => self.error(root.line, "`name` is missing", "it is the rule's id in Quell"),
        }
        if root.get("title").and_then(Node::text).is_none_or(str::is_empty) {
            self.error(root.line, "`title` is missing", "say what a match means");
        }
    }

    fn level(&mut self, root: &Node) {
        let level = root.get("level");
        match level.and_then(Node::text) {
            Some(text) if LEVELS.contains(&text) => {}
            Some(text) => {
                let line = level.map_or(root.line, |node| node.line);
                self.error(line, format!("unknown level `{text}`"), one_of(&LEVELS));
            }
            None => self.error(root.line, "`level` is missing", one_of(&LEVELS)),
        }
    }

    fn section<T: DeserializeOwned>(&mut self, root: &Node, keys: &[&str]) -> Option<T> {
        let Some(node) = root.get("quell") else {
            let help = if keys.contains(&"kind") {
                "state at least `quell: {kind: …}`: what sort of incident a match suggests"
            } else {
                "state `quell: {reason: …, reviewed_by: …, expires: …}`"
            };
            self.error(root.line, "`quell` is missing", help);
            return None;
        };
        self.keys(node.entries().unwrap_or_default(), keys);
        match serde_json::from_value::<T>(node.to_json()) {
            Ok(section) => Some(section),
            Err(error) => {
                self.error(node.line, format!("`quell` cannot be read: {error}"), "correct it");
                None
            }
        }
    }

    fn detection(&mut self, detection: &Node) {
        let Some(entries) = detection.entries() else {
            self.error(detection.line, "`detection` is not a map", "name its selections");
            return;
        };
        for (key, node) in entries {
            if key.name == "condition" {
                continue;
            }
            self.selection(key, node);
        }
        if detection.get("condition").is_none() {
            self.error(detection.line, "`condition` is missing", "e.g. `condition: selection`");
        }
    }

    fn selection(&mut self, key: &Key, node: &Node) {
        match &node.content {
            Content::Map(entries) => {
                for (field, value) in entries {
                    self.field(field, value);
                }
            }
            Content::List(items) if items.iter().all(|item| item.entries().is_some()) => {
                for item in items {
                    self.selection(key, item);
                }
            }
            _ => self.error(
                node.line,
                format!("selection `{}` lists words without a field", key.name),
                "name the field, e.g. `gen_ai.input.messages|contains:`",
            ),
        }
    }

    fn field(&mut self, key: &Key, value: &Node) {
        let mut parts = key.name.split('|');
        let name = parts.next().unwrap_or_default();
        if !FIELDS.iter().any(|(known, _)| *known == name) {
            let help = suggest(name, FIELDS.iter().map(|(known, _)| *known));
            self.error(key.line, format!("unknown field `{name}`"), help);
            return;
        }
        let modifiers: Vec<&str> = parts.collect();
        for modifier in &modifiers {
            if Modifier::from_str(modifier).is_err() {
                const COMMON: [&str; 12] = [
                    "contains",
                    "startswith",
                    "endswith",
                    "all",
                    "re",
                    "cased",
                    "exists",
                    "gt",
                    "gte",
                    "lt",
                    "lte",
                    "cidr",
                ];
                let help = suggest(modifier, COMMON);
                self.error(key.line, format!("unknown modifier `{modifier}`"), help);
                return;
            }
        }
        if FACT_FIELDS.contains(&name) {
            self.fact_values(&modifiers, key, value);
        } else if modifiers.contains(&"re") {
            self.regex_values(TEXT_FIELDS.contains(&name), value);
        }
    }

    fn fact_values(&mut self, modifiers: &[&str], key: &Key, value: &Node) {
        if modifiers.iter().any(|modifier| !matches!(*modifier, "all" | "exists")) {
            let help = "name facts in full or with a trailing *; only `|all` is understood here";
            self.error(key.line, "facts take no such modifier", help);
            return;
        }
        for node in value.scalars() {
            let Some(fact) = node.text() else {
                continue;
            };
            let known = match fact.strip_suffix('*') {
                Some(prefix) => self.facts.iter().any(|known| known.starts_with(prefix)),
                None => self.facts.contains(fact),
            };
            if !known {
                let facts = self.facts;
                let help = suggest(fact, facts.iter().map(String::as_str));
                self.error(node.line, format!("no pattern or analyzer raises `{fact}`"), help);
            }
        }
    }

    fn regex_values(&mut self, folded: bool, value: &Node) {
        for node in value.scalars() {
            let Some(source) = node.text() else {
                continue;
            };
            let id = self.rule.clone().unwrap_or_default();
            if let Err(error) = parse_regex(&id, source, !folded) {
                self.error(node.line, error.message, error.help);
            }
        }
    }

    fn correlation(&mut self, root: &Node) {
        let Some(node) = root.get("correlation") else {
            return;
        };
        self.keys(node.entries().unwrap_or_default(), &CORRELATION_KEYS);
        let kind = node.get("type");
        if !kind.and_then(Node::text).is_some_and(|text| CORRELATION_TYPES.contains(&text)) {
            let line = kind.map_or(node.line, |kind| kind.line);
            self.error(line, "unknown correlation type", one_of(&CORRELATION_TYPES));
        }
        for key in ["rules", "timespan"] {
            if node.get(key).is_none() {
                self.error(node.line, format!("`{key}` is missing"), "a correlation needs it");
            }
        }
        for field in node.get("group-by").map(Node::scalars).unwrap_or_default() {
            let name = field.text().unwrap_or_default();
            if !FIELDS.iter().any(|(known, _)| *known == name) {
                let help = suggest(name, FIELDS.iter().map(|(known, _)| *known));
                self.error(field.line, format!("unknown field `{name}`"), help);
            }
        }
    }
}

fn is_slug(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The severity a Sigma level stands for.
pub(super) fn severity(level: &Value) -> quell_domain::Severity {
    use quell_domain::Severity;
    match level.as_str() {
        Some("critical") => Severity::Critical,
        Some("high") => Severity::High,
        Some("medium") => Severity::Medium,
        _ => Severity::Low,
    }
}
