//! Compiles pattern specs: one keyword automaton per view of the text, one automaton per pattern.

use std::collections::HashMap;
use std::sync::Arc;

use quell_domain::canonical::sha256_hex;
use quell_domain::id::MeasureId;
use quell_domain::interaction::Role;
use quell_domain::measure::TextPattern;
use quell_domain::rule::Direction;
use regex_automata::util::syntax;
use regex_syntax::hir::Hir;

use super::keywords::{Found, keywords_of};
use super::matcher::Matcher;
use super::spec::{MAX_LEN, PatternSpec};
use super::track::Track;
use crate::fold::{fold, fold_regex_source};
use crate::validate::{NumberHold, Validator};

/// A pattern that cannot be used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {pattern}: {message}; {help}")]
pub struct PatternError {
    /// The pattern's id.
    pub pattern: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Compiled patterns.
#[derive(Debug, Default)]
pub struct PatternSet {
    /// By [`Pattern::track`]: the folded view, then the text as it is.
    pub(super) tracks: [Option<Track>; 2],
    pub(super) patterns: Vec<Pattern>,
    digest: u128,
}

/// What a hit of a pattern stands for.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A fact for the rules.
    Fact(Arc<str>),
    /// A containment measure in force.
    Measure(MeasureId),
}

/// What of a match waits on a stream until the match is decided.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hold {
    /// Nothing: no live rule acts on it.
    Nothing,
    /// All of it.
    Whole,
    /// Of numbers, what the format asks for.
    Number(NumberHold),
}

impl Hold {
    fn of(spec: &PatternSpec, acts: &impl Fn(&str) -> bool) -> Self {
        match spec.validator {
            _ if !(spec.hold && spec.facts().any(acts)) => Self::Nothing,
            Some(Validator::Number) => Self::Number(NumberHold::new(acts)),
            _ => Self::Whole,
        }
    }

    pub(super) const fn is_some(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// One compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) subject: Subject,
    pub(super) matcher: Matcher,
    pub(super) validator: Option<Validator>,
    pub(super) max_len: usize,
    pub(super) hold: Hold,
    directions: Vec<Direction>,
    spec_roles: Vec<Role>,
}

impl Pattern {
    pub(super) fn listens_to(&self, role: Role) -> bool {
        if self.spec_roles.is_empty() {
            role != Role::System
        } else {
            self.spec_roles.contains(&role)
        }
    }

    pub(super) fn covers(&self, direction: Direction) -> bool {
        self.directions.is_empty() || self.directions.contains(&direction)
    }
}

/// Automata by pattern id, so that two sets of the same patterns hold each once.
#[derive(Debug, Default)]
pub(crate) struct Matchers(HashMap<String, Matcher>);

/// Index of the folded view in [`PatternSet::tracks`].
pub(super) const FOLDED: usize = 0;
/// Index of the view of the text as it is.
pub(super) const EXACT: usize = 1;

/// Longest source of a regex, bytes.
const SOURCE_LIMIT: usize = 4096;
/// How far around a keyword a measure's regex looks, bytes.
const MEASURE_LEN: usize = 1024;

impl PatternSet {
    /// No patterns.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Compiles patterns; every one that asks for it holds text back.
    pub fn compile(specs: Vec<PatternSpec>) -> Result<Self, PatternError> {
        Self::compile_holding(specs, |_| true)
    }

    /// Compiles patterns; those that ask for it hold text back where `acts` names their fact.
    pub(crate) fn compile_holding(
        specs: Vec<PatternSpec>,
        acts: impl Fn(&str) -> bool,
    ) -> Result<Self, PatternError> {
        Self::compile_sharing(specs, acts, &mut Matchers::default())
    }

    /// The same, for several sets of the same patterns: each is compiled once, into `shared`.
    pub(crate) fn compile_sharing(
        specs: Vec<PatternSpec>,
        acts: impl Fn(&str) -> bool,
        shared: &mut Matchers,
    ) -> Result<Self, PatternError> {
        Self::build(specs.into_iter().map(|spec| (spec, None)).collect(), acts, shared)
    }

    /// Compiles the patterns of containment measures. A hit raises `measure.<id>`.
    pub fn from_measures(measures: &[(MeasureId, TextPattern)]) -> Result<Self, PatternError> {
        let mut specs = Vec::new();
        for (id, pattern) in measures {
            // A measure is about the text, whoever writes it: system text comes from clients, too.
            let roles = Role::ALL.to_vec();
            let spec = PatternSpec { roles, ..measure_spec(&id.to_string(), pattern)? };
            specs.push((spec, Some(*id)));
        }
        Self::build(specs, |_| true, &mut Matchers::default())
    }

    /// Literals that must not leave, such as canaries: facts and texts; held where `acts` says so.
    pub(crate) fn literals(
        texts: &[(&str, String)],
        acts: impl Fn(&str) -> bool,
    ) -> Result<Self, PatternError> {
        let usable = texts.iter().filter(|(_, text)| !fold(text).trim().is_empty());
        let specs = usable.map(|(fact, text)| PatternSpec::literal(fact, fact, text)).collect();
        Self::compile_holding(specs, acts)
    }

    /// Tells sets apart; 0 for the empty set.
    pub(crate) const fn digest(&self) -> u128 {
        self.digest
    }

    /// Every keyword, of the folded and of the exact view.
    pub(crate) fn keywords(&self) -> impl Iterator<Item = &str> {
        self.tracks.iter().flatten().flat_map(Track::words)
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    fn build(
        specs: Vec<(PatternSpec, Option<MeasureId>)>,
        acts: impl Fn(&str) -> bool,
        shared: &mut Matchers,
    ) -> Result<Self, PatternError> {
        let mut keywords: [Vec<(String, usize)>; 2] = Default::default();
        let mut patterns = Vec::with_capacity(specs.len());
        let digest = digest(&specs);
        for (spec, measure) in specs {
            check(&spec)?;
            let matcher = match shared.0.get(&spec.id) {
                Some(known) => known.clone(),
                None => Matcher::new(&spec)?,
            };
            shared.0.insert(spec.id.clone(), matcher.clone());
            let track = if spec.exact { EXACT } else { FOLDED };
            for keyword in &spec.keywords {
                let word = if spec.exact { keyword.clone() } else { fold(keyword) };
                keywords[track].push((word, patterns.len()));
            }
            let hold = Hold::of(&spec, &acts);
            patterns.push(Pattern {
                subject: measure
                    .map_or_else(|| Subject::Fact(spec.fact.as_str().into()), Subject::Measure),
                matcher,
                validator: spec.validator,
                max_len: spec.max_len,
                hold,
                directions: spec.directions,
                spec_roles: spec.roles,
            });
        }
        let [folded, exact] = keywords;
        let tracks = [Track::build(folded, &patterns)?, Track::build(exact, &patterns)?];
        Ok(Self { tracks, patterns, digest })
    }
}

/// The first half of a SHA-256 over everything a spec says.
fn digest(specs: &[(PatternSpec, Option<MeasureId>)]) -> u128 {
    if specs.is_empty() {
        return 0;
    }
    let whole = sha256_hex(format!("{specs:?}").as_bytes());
    u128::from_str_radix(&whole[..32], 16).unwrap_or(1)
}

fn check(spec: &PatternSpec) -> Result<(), PatternError> {
    let refuse = |message: &str, help: &str| {
        Err(PatternError { pattern: spec.id.clone(), message: message.into(), help: help.into() })
    };
    if spec.keywords.is_empty() || spec.keywords.iter().any(String::is_empty) {
        return refuse("it has no keywords", "state at least one word that every match contains");
    }
    if spec.max_len == 0 || spec.max_len > MAX_LEN {
        return refuse("max_len is out of range", "use 1 to 4096 bytes");
    }
    let longest = spec.keywords.iter().map(String::len).max().unwrap_or(0);
    if longest > MAX_LEN {
        return refuse("a keyword is too long", "use at most 4096 bytes");
    }
    if spec.regex.as_ref().is_some_and(|source| source.len() > SOURCE_LIMIT) {
        return refuse("the regex is too long", "use at most 4096 bytes");
    }
    Ok(())
}

pub(super) fn syntax_config(exact: bool) -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).case_insensitive(!exact).nest_limit(64)
}

/// Parses a regex the way patterns are matched, with errors that say what to write instead.
pub(crate) fn parse_regex(id: &str, source: &str, exact: bool) -> Result<Hir, PatternError> {
    let refuse = |message: String, help: &str| PatternError {
        pattern: id.to_owned(),
        message,
        help: help.to_owned(),
    };
    let hir = syntax::parse_with(source, &syntax_config(exact)).map_err(|error| {
        let error = error.to_string();
        let (message, help) = explain(&error);
        refuse(message, help)
    })?;
    if hir.properties().minimum_len().is_none_or(|length| length == 0) {
        return Err(refuse(
            "the regex matches empty text".into(),
            "make at least one part of it required",
        ));
    }
    Ok(hir)
}

fn explain(error: &str) -> (String, &'static str) {
    if error.contains("look-around") {
        let help = "patterns run in linear time: write the context into the pattern, or use \\b";
        return ("look-around is not supported".into(), help);
    }
    if error.contains("backreference") {
        let help = "patterns run in linear time: spell the alternatives out";
        return ("backreferences are not supported".into(), help);
    }
    if error.contains("Unicode-aware") || error.contains("Unicode not allowed") {
        let help = "classes are ASCII; write other letters as alternatives, e.g. (?:ä|ö)";
        return ("a class holds letters outside ASCII".into(), help);
    }
    let last = error.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(error);
    let message = last.trim().trim_start_matches("error: ").to_owned();
    (format!("invalid regex: {message}"), "correct the regex")
}

fn measure_spec(id: &str, pattern: &TextPattern) -> Result<PatternSpec, PatternError> {
    let mut spec = PatternSpec::literal(id, &format!("measure.{id}"), &pattern.text);
    spec.directions.clone_from(&pattern.directions);
    if !pattern.regex {
        if fold(&pattern.text).trim().is_empty() {
            return Err(PatternError {
                pattern: id.to_owned(),
                message: "the text is empty".into(),
                help: "state what to block".into(),
            });
        }
        return Ok(spec);
    }
    let hir = parse_regex(id, &fold_regex_source(&pattern.text), true)?;
    let Some(found) = keywords_of(&hir, false) else {
        return Err(PatternError {
            pattern: id.to_owned(),
            message: "the regex has no fixed part to look for".into(),
            help: "add a word of three letters or more that every match contains".into(),
        });
    };
    spec.regex = Some(pattern.text.clone());
    spec.max_len = MEASURE_LEN;
    (spec.keywords, spec.hold) = match found {
        Found::Prefix(words) => (words, true),
        Found::Inside(words) => (words, false),
    };
    Ok(spec)
}
