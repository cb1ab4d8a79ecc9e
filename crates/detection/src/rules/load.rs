//! Reads content files into rules, correlations and pattern specs, collecting every problem.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use quell_domain::Severity;
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::snapshot::ContentFile;
use rsigma_parser::{CorrelationRule, SigmaRule, parse_sigma_yaml};
use serde::Deserialize as _;

use super::check::{Checker, Diagnostic, Level, severity};
use super::document::{Document, Node, documents};
use super::lower::{Lowered, lower};
use super::section::Section;
use crate::analyzers::ANALYZER_FACTS;
use crate::patterns::{PatternPack, PatternSet, PatternSpec};

/// Why detection content was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ContentErrors(pub Vec<Diagnostic>);

impl fmt::Display for ContentErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().take(20).map(ToString::to_string).collect();
        f.write_str(&shown.join("\n"))?;
        match self.0.len().checked_sub(20) {
            Some(more) if more > 0 => write!(f, "\nand {more} more"),
            _ => Ok(()),
        }
    }
}

/// Everything wrong with `files`, worst first. `files` must be the whole content.
pub fn lint(files: &[ContentFile]) -> Vec<Diagnostic> {
    let mut found = load(files).diagnostics;
    found.sort_by(|a, b| (a.level, &a.path, a.line).cmp(&(b.level, &b.path, b.line)));
    found
}

/// A rule as read.
pub(super) struct LoadedRule {
    pub(super) header: Header,
    pub(super) section: Section,
    pub(super) body: Body,
}

/// What a rule consists of.
pub(super) enum Body {
    Detection { rule: Box<SigmaRule>, facts: Vec<String>, late: Vec<String> },
    Correlation(Box<CorrelationRule>),
}

/// What describes a rule.
pub(super) struct Header {
    pub(super) id: String,
    pub(super) sigma_id: Option<String>,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) false_positives: Vec<String>,
    pub(super) severity: Severity,
    pub(super) path: String,
    pub(super) line: usize,
}

/// Everything read.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) rules: Vec<LoadedRule>,
    pub(super) patterns: Vec<PatternSpec>,
    pub(super) facts: BTreeSet<String>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads every file. A later file replaces an earlier one of the same path.
pub(super) fn load(files: &[ContentFile]) -> Loaded {
    let files: BTreeMap<&str, &str> =
        files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let mut loaded = Loaded::default();
    loaded.facts.extend(ANALYZER_FACTS.iter().map(|(fact, _)| (*fact).to_owned()));
    for (path, text) in &files {
        if path.starts_with("patterns/") {
            load_patterns(path, text, &mut loaded);
        }
    }
    for (path, text) in &files {
        if path.starts_with("rules/") {
            for document in documents(text) {
                load_rule(path, &document, &mut loaded);
            }
        }
    }
    check_references(&mut loaded);
    warn_of_late_cuts(&mut loaded);
    loaded
}

impl Loaded {
    fn problem(&mut self, path: &str, line: usize, rule: &str, message: String, help: &str) {
        self.diagnostics.push(Diagnostic {
            path: path.to_owned(),
            line,
            rule: (!rule.is_empty()).then(|| rule.to_owned()),
            message,
            help: help.to_owned(),
            level: Level::Error,
        });
    }
}

fn load_patterns(path: &str, text: &str, loaded: &mut Loaded) {
    for document in documents(text) {
        let root = match document.root {
            Ok(root) => root,
            Err((line, error)) => {
                loaded.problem(path, line, "", error, "correct the YAML");
                continue;
            }
        };
        let items = root.get("patterns").map(Node::scalars).unwrap_or_default();
        match PatternPack::deserialize(root.to_json()) {
            Ok(pack) => {
                for (mut spec, node) in pack.patterns.into_iter().zip(items) {
                    if spec.roles.is_empty() {
                        spec.roles.clone_from(&pack.roles);
                    }
                    load_pattern(path, node.line, spec, loaded);
                }
            }
            Err(error) => {
                let line = items
                    .iter()
                    .find(|item| PatternSpec::deserialize(item.to_json()).is_err())
                    .map_or(root.line, |item| item.line);
                loaded.problem(path, line, "", error.to_string(), "correct the pattern");
            }
        }
    }
}

fn load_pattern(path: &str, line: usize, spec: PatternSpec, loaded: &mut Loaded) {
    let id = spec.id.clone();
    if loaded.patterns.iter().any(|known| known.id == id) {
        let message = "another pattern has this id".into();
        loaded.problem(path, line, &id, message, "give it its own");
        return;
    }
    match PatternSet::compile(vec![spec.clone()]) {
        Ok(_) => {
            for of in ["", "tool.", "tool_definition."] {
                loaded.facts.extend(spec.facts().map(|fact| format!("{of}{fact}")));
            }
            loaded.patterns.push(spec);
        }
        Err(error) => loaded.problem(path, line, &id, error.message, &error.help),
    }
}

fn load_rule(path: &str, document: &Document, loaded: &mut Loaded) {
    let root = match &document.root {
        Ok(root) => root,
        Err((line, error)) => {
            loaded.problem(path, *line, "", error.clone(), "correct the YAML");
            return;
        }
    };
    let before = loaded.diagnostics.len();
    let facts = std::mem::take(&mut loaded.facts);
    let mut checker = Checker { path, facts: &facts, rule: None, found: &mut loaded.diagnostics };
    let section = checker.document(root);
    loaded.facts = facts;
    let Some(section) = section.filter(|_| loaded.diagnostics.len() == before) else {
        return;
    };
    let header = header(path, root);
    if loaded.rules.iter().any(|rule| rule.header.id == header.id) {
        let message = "another rule has this name".into();
        loaded.problem(path, header.line, &header.id, message, "give it its own");
        return;
    }
    match parse(document) {
        Ok(Parsed::Rule(rule)) => load_detection(path, header, section, rule, loaded),
        Ok(Parsed::Correlation(rule)) => {
            let body = Body::Correlation(rule);
            loaded.rules.push(LoadedRule { header, section, body });
        }
        Err(error) => {
            let line = document.first_line + 1;
            loaded.problem(path, line, &header.id, error, "correct the rule");
        }
    }
}

fn load_detection(
    path: &str,
    header: Header,
    section: Section,
    mut rule: Box<SigmaRule>,
    loaded: &mut Loaded,
) {
    let Lowered { patterns, facts, late, errors } = lower(&mut rule, &header.id, section.direction);
    for error in errors {
        loaded.problem(path, header.line, &header.id, error, "");
    }
    for spec in patterns {
        load_pattern(path, header.line, spec, loaded);
    }
    for reason in &late {
        loaded.diagnostics.push(Diagnostic {
            path: path.to_owned(),
            line: header.line,
            rule: Some(header.id.clone()),
            message: format!("runs only after the exchange: {reason}"),
            help: "it can raise a signal, but not block or redact".into(),
            level: Level::Warning,
        });
    }
    rule.id = Some(header.id.clone());
    rule.custom_attributes.clear();
    let body = Body::Detection { rule, facts, late };
    loaded.rules.push(LoadedRule { header, section, body });
}

fn header(path: &str, root: &Node) -> Header {
    let text = |name: &str| root.get(name).and_then(Node::text).unwrap_or_default().to_owned();
    let level = root.get("level").map(Node::to_json).unwrap_or_default();
    let listed = root.get("falsepositives").map(Node::scalars).unwrap_or_default();
    Header {
        id: text("name"),
        sigma_id: root.get("id").and_then(Node::text).map(str::to_owned),
        title: text("title"),
        description: text("description"),
        false_positives: listed.iter().filter_map(|node| node.text()).map(str::to_owned).collect(),
        severity: severity(&level),
        path: path.to_owned(),
        line: root.line,
    }
}

enum Parsed {
    Rule(Box<SigmaRule>),
    Correlation(Box<CorrelationRule>),
}

fn parse(document: &Document) -> Result<Parsed, String> {
    let mut parsed = parse_sigma_yaml(&document.text).map_err(|error| error.to_string())?;
    if let Some(error) = parsed.errors.first() {
        return Err(error.clone());
    }
    match (parsed.rules.pop(), parsed.correlations.pop()) {
        (Some(rule), None) => Ok(Parsed::Rule(Box::new(rule))),
        (None, Some(correlation)) => Ok(Parsed::Correlation(Box::new(correlation))),
        _ => Err("the document is neither one rule nor one correlation".into()),
    }
}

/// Correlations may only count rules that exist.
fn check_references(loaded: &mut Loaded) {
    let names: BTreeSet<String> = loaded.rules.iter().map(|rule| rule.header.id.clone()).collect();
    let mut missing = Vec::new();
    for rule in &loaded.rules {
        if let Body::Correlation(correlation) = &rule.body {
            for name in correlation.rules.iter().filter(|name| !names.contains(*name)) {
                let message = format!("it counts `{name}`, which is no rule");
                missing.push((
                    rule.header.path.clone(),
                    rule.header.line,
                    rule.header.id.clone(),
                    message,
                ));
            }
        }
    }
    for (path, line, rule, message) in missing {
        loaded.problem(&path, line, &rule, message, "name a rule by its `name`");
    }
}

/// On a stream, text can only be kept back for patterns that say where they begin.
fn warn_of_late_cuts(loaded: &mut Loaded) {
    let mut found = Vec::new();
    for rule in &loaded.rules {
        let Body::Detection { facts, .. } = &rule.body else {
            continue;
        };
        let section = &rule.section;
        let acts = section.mode == RuleMode::Enforce && section.effect != RuleEffect::Signal;
        if !acts || section.direction != Direction::Output {
            continue;
        }
        let rests_on = |spec: &&PatternSpec| {
            facts.iter().any(|fact| match fact.strip_suffix('*') {
                Some(prefix) => spec.facts().any(|stated| stated.starts_with(prefix)),
                None => spec.facts().any(|stated| stated == fact),
            })
        };
        let specs = loaded.patterns.iter().filter(|spec| !spec.hold);
        for spec in specs.filter(|spec| spec.covers(Direction::Output)).filter(rests_on) {
            found.push(Diagnostic {
                path: rule.header.path.clone(),
                line: rule.header.line,
                rule: Some(rule.header.id.clone()),
                message: format!("text that `{}` matches may leave a stream before it", spec.id),
                help: "let the pattern begin with its keyword and set `hold: true`".into(),
                level: Level::Warning,
            });
        }
    }
    loaded.diagnostics.append(&mut found);
}
