//! Reads content files into rules, correlations and pattern specs, collecting every problem.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use quell_domain::Severity;
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::snapshot::ContentFile;
use rsigma_parser::{CorrelationRule, FilterRule, SigmaRule, parse_sigma_yaml};
use serde::Deserialize as _;

use super::check::{Checked, Checker, severity};
use super::diagnostic::{Diagnostic, Level};
use super::document::{Document, Node, documents};
use super::filter::{FilterInfo, FilterSection, named_rules};
use super::lower::{Lowered, lower};
use super::references::check_references;
use super::section::Section;
use crate::analyzers::ANALYZER_FACTS;
use crate::classifier::CLASSIFIER_FACTS;
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

/// The file that gives rules another mode than their own; see [`modes_file`].
const MODES: &str = "modes.yaml";
/// How long a filter may run before lint asks for a nearer date.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 366);

/// The content file that gives rules another mode than the one they carry, by rule.
pub fn modes_file(modes: &BTreeMap<String, RuleMode>) -> ContentFile {
    let text = serde_json::to_string(&Modes { modes: modes.clone() }).unwrap_or_default();
    ContentFile { path: MODES.to_owned(), text }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Modes {
    modes: BTreeMap<String, RuleMode>,
}

/// Everything wrong with `files` at `now`, worst first. `files` must be the whole content.
pub fn lint(files: &[ContentFile], now: Timestamp) -> Vec<Diagnostic> {
    let loaded = load(files);
    let mut found = loaded.diagnostics;
    for (info, _) in loaded.filters {
        let (message, help) = if info.expires <= now {
            let since = info.expires;
            (format!("expired on {since} and is not applied"), "remove it, or review it again")
        } else if info.expires.duration_since(now) > LONG {
            ("runs for more than a year".to_owned(), "let it be reviewed sooner")
        } else {
            continue;
        };
        found.push(Diagnostic {
            path: info.pack,
            line: info.line,
            rule: Some(info.id),
            message,
            help: help.to_owned(),
            level: Level::Warning,
        });
    }
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
    /// Its document.
    pub(super) text: String,
}

/// Everything read.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) rules: Vec<LoadedRule>,
    pub(super) patterns: Vec<PatternSpec>,
    pub(super) filters: Vec<(FilterInfo, Box<FilterRule>)>,
    pub(super) facts: BTreeSet<String>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads every file. A later file replaces an earlier one of the same path.
pub(super) fn load(files: &[ContentFile]) -> Loaded {
    let files: BTreeMap<&str, &str> =
        files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let mut loaded = Loaded::default();
    let stated = ANALYZER_FACTS.iter().chain(CLASSIFIER_FACTS).chain(quell_behaviour::FACTS);
    loaded.facts.extend(stated.map(|(fact, _)| (*fact).to_owned()));
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
    if let Some(text) = files.get(MODES) {
        set_modes(text, &mut loaded);
    }
    warn_of_late_cuts(&mut loaded);
    loaded
}

impl Loaded {
    pub(super) fn problem(
        &mut self,
        path: &str,
        line: usize,
        rule: &str,
        message: String,
        help: &str,
    ) {
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
    let Some(sections) = section.filter(|_| loaded.diagnostics.len() == before) else {
        return;
    };
    let header = header(path, root, &document.text);
    let filters = loaded.filters.iter().map(|(info, _)| &info.id);
    let mut names = loaded.rules.iter().map(|rule| &rule.header.id).chain(filters);
    if names.any(|name| *name == header.id) {
        let message = "another rule has this name".into();
        loaded.problem(path, header.line, &header.id, message, "give it its own");
        return;
    }
    let line = document.first_line + 1;
    match (parse(document), sections) {
        (Ok(Parsed::Rule(rule)), Checked::Rule(section)) => {
            load_detection(path, header, *section, rule, loaded);
        }
        (Ok(Parsed::Correlation(rule)), Checked::Rule(section)) => {
            let body = Body::Correlation(rule);
            loaded.rules.push(LoadedRule { header, section: *section, body });
        }
        (Ok(Parsed::Filter(filter)), Checked::Filter(section)) => {
            load_filter(header, section, filter, loaded);
        }
        (Err(error), _) => loaded.problem(path, line, &header.id, error, "correct the rule"),
        (Ok(_), _) => {
            let error = "the document is more than one of rule, correlation and filter".into();
            loaded.problem(path, line, &header.id, error, "split it with a line of ---");
        }
    }
}

fn load_filter(
    header: Header,
    section: FilterSection,
    filter: Box<FilterRule>,
    loaded: &mut Loaded,
) {
    let Header { id, title, description, path, line, .. } = header;
    let FilterSection { reason, reviewed_by, expires } = section;
    let Some(rules) = named_rules(&filter) else {
        let error = "a filter names its rules; it cannot cover any rule".into();
        loaded.problem(&path, line, &id, error, "list rules by their `name`");
        return;
    };
    let info = FilterInfo {
        id,
        title,
        description,
        rules,
        reason,
        reviewed_by,
        expires,
        pack: path,
        line,
    };
    loaded.filters.push((info, filter));
}

/// Gives rules the modes a person chose. A choice about a rule that is gone changes nothing.
fn set_modes(text: &str, loaded: &mut Loaded) {
    let modes = match serde_saphyr::from_str::<Modes>(text) {
        Ok(modes) => modes.modes,
        Err(error) => {
            let error = error.without_snippet().to_string();
            loaded.problem(MODES, 1, "", error, "write `modes: {rule: shadow | enforce}`");
            return;
        }
    };
    for rule in &mut loaded.rules {
        if let Some(mode) = modes.get(&rule.header.id) {
            rule.section.mode = *mode;
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

fn header(path: &str, root: &Node, document: &str) -> Header {
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
        text: document.to_owned(),
    }
}

enum Parsed {
    Rule(Box<SigmaRule>),
    Correlation(Box<CorrelationRule>),
    Filter(Box<FilterRule>),
}

fn parse(document: &Document) -> Result<Parsed, String> {
    let mut parsed = parse_sigma_yaml(&document.text).map_err(|error| error.to_string())?;
    if let Some(error) = parsed.errors.first() {
        return Err(error.clone());
    }
    match (parsed.rules.pop(), parsed.correlations.pop(), parsed.filters.pop()) {
        (Some(rule), None, None) => Ok(Parsed::Rule(Box::new(rule))),
        (None, Some(correlation), None) => Ok(Parsed::Correlation(Box::new(correlation))),
        (None, None, Some(filter)) => Ok(Parsed::Filter(Box::new(filter))),
        _ => Err("the document is not one rule, one correlation or one filter".into()),
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
