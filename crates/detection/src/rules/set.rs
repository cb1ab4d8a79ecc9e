//! The compiled rule set.

use std::collections::{BTreeMap, HashMap};

use quell_domain::Severity;
use quell_domain::canonical::sha256_hex;
use quell_domain::kind::IncidentKind;
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::snapshot::ContentFile;
use quell_domain::taxonomy::TaxonomyRef;
use rsigma_eval::{Engine, JsonEvent};
use rsigma_parser::SigmaRule;
use serde_json::Value;

use super::check::Level;
use super::correlation::Correlation;
use super::load::{Body, ContentErrors, LoadedRule, load};
use super::section::{Examples, Section};
use crate::patterns::{PatternError, PatternSet, PatternSpec};
use crate::validate::Validator;

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
    /// Framework references.
    pub taxonomy: Vec<TaxonomyRef>,
    /// The file it comes from, e.g. `rules/injection.yaml`.
    pub pack: String,
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
    pub(crate) fn rests_on(&self, fact: &str) -> bool {
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

/// Compiled detection content.
pub struct RuleSet {
    digest: String,
    pub(crate) infos: Vec<RuleInfo>,
    by_name: HashMap<String, usize>,
    pub(crate) input: PatternSet,
    pub(crate) output: PatternSet,
    inline: [Rules; 2],
    late: Rules,
    pub(crate) correlations: Vec<Correlation>,
    facts: BTreeMap<String, String>,
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSet")
            .field("digest", &self.digest)
            .field("rules", &self.infos.len())
            .finish_non_exhaustive()
    }
}

/// Sigma rules that are evaluated together.
#[derive(Default)]
struct Rules {
    engine: Engine,
    /// Some rule can match without any fact.
    without_facts: bool,
}

const fn slot(direction: Direction) -> usize {
    match direction {
        Direction::Input => 0,
        Direction::Output => 1,
    }
}

impl RuleSet {
    /// The content shipped with the product.
    pub fn embedded() -> Result<Self, ContentErrors> {
        Self::compile(&crate::content::embedded())
    }

    /// The shipped content with `overrides` laid over it by path.
    pub fn with_overrides(overrides: &[ContentFile]) -> Result<Self, ContentErrors> {
        let mut files = crate::content::embedded();
        files.extend(overrides.iter().cloned());
        Self::compile(&files)
    }

    /// Compiles a whole content tree. Of two files with one path the later counts.
    pub fn compile(files: &[ContentFile]) -> Result<Self, ContentErrors> {
        let loaded = load(files);
        let mut errors: Vec<_> = loaded
            .diagnostics
            .into_iter()
            .filter(|diagnostic| diagnostic.level == Level::Error)
            .collect();
        if !errors.is_empty() {
            errors.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
            return Err(ContentErrors(errors));
        }
        let mut set = Self {
            digest: digest(files),
            infos: Vec::new(),
            by_name: HashMap::new(),
            input: PatternSet::empty(),
            output: PatternSet::empty(),
            inline: Default::default(),
            late: Rules::default(),
            correlations: Vec::new(),
            facts: crate::analyzers::ANALYZER_FACTS
                .iter()
                .map(|(fact, meaning)| ((*fact).to_owned(), (*meaning).to_owned()))
                .collect(),
        };
        for spec in &loaded.patterns {
            set.facts.entry(spec.fact.clone()).or_insert_with(|| format!("pattern {}", spec.id));
            for (fact, meaning) in spec.validator.map(Validator::facts).unwrap_or_default() {
                set.facts.insert((*fact).to_owned(), (*meaning).to_owned());
            }
        }
        for rule in loaded.rules {
            set.add(rule)?;
        }
        set.add_patterns(&loaded.patterns).map_err(|error| refused("patterns/", &error))?;
        Ok(set)
    }

    /// SHA-256 of the content, for the record.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Every rule, in file order.
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// A rule by its id.
    pub fn rule(&self, id: &str) -> Option<&RuleInfo> {
        self.by_name.get(id).map(|index| &self.infos[*index])
    }

    /// Every fact that patterns and analyzers may state, with what it means.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts.iter().map(|(fact, meaning)| (fact.as_str(), meaning.as_str()))
    }

    /// Whether `evaluate` can match anything when no fact was stated.
    pub(crate) fn judges_without_facts(&self, direction: Direction) -> bool {
        self.inline[slot(direction)].without_facts
    }

    /// The inline rules of one direction that match `event`.
    pub(crate) fn evaluate(&self, direction: Direction, event: &Value) -> Vec<usize> {
        self.matching(&self.inline[slot(direction)], event)
    }

    /// The rules over recorded exchanges that match `event`.
    pub(crate) fn evaluate_late(&self, event: &Value) -> Vec<usize> {
        self.matching(&self.late, event)
    }

    fn matching(&self, rules: &Rules, event: &Value) -> Vec<usize> {
        let found = rules.engine.evaluate(&JsonEvent::borrow(event));
        let ids = found.iter().filter_map(|result| result.header.rule_id.as_deref());
        ids.filter_map(|id| self.by_name.get(id).copied()).collect()
    }

    fn add(&mut self, loaded: LoadedRule) -> Result<(), ContentErrors> {
        let LoadedRule { header, section, body } = loaded;
        let Section { kind, mode, effect, direction, counted_only, taxonomy, examples } = section;
        let index = self.infos.len();
        let mut info = RuleInfo {
            id: header.id,
            sigma_id: header.sigma_id,
            title: header.title,
            description: header.description,
            false_positives: header.false_positives,
            kind,
            severity: header.severity,
            mode,
            effect,
            direction,
            taxonomy,
            pack: header.path,
            runs: Runs::Inline,
            correlation: false,
            counted_only,
            facts: Vec::new(),
            examples,
        };
        let wrong = |message: String| {
            let error =
                PatternError { pattern: info.id.clone(), message, help: "correct it".into() };
            refused(&info.pack, &error)
        };
        match body {
            Body::Detection { rule, facts, late } => {
                let late = !late.is_empty() || counted_only;
                let rules = if late { &mut self.late } else { &mut self.inline[slot(direction)] };
                rules.add(&rule, facts.is_empty()).map_err(wrong)?;
                info.facts = facts;
                info.runs = if late { Runs::AfterExchange } else { Runs::Inline };
            }
            Body::Correlation(rule) => {
                self.correlations.push(Correlation::read(index, &rule).map_err(wrong)?);
                info.correlation = true;
                info.runs = Runs::AfterExchange;
            }
        }
        if info.runs == Runs::AfterExchange {
            info.effect = RuleEffect::Signal;
        }
        self.by_name.insert(info.id.clone(), index);
        self.infos.push(info);
        Ok(())
    }

    /// Whether a live rule redacts or blocks output because of this fact.
    pub(crate) fn acts_on_output(&self, fact: &str) -> bool {
        self.infos.iter().any(|rule| {
            rule.direction == Direction::Output
                && (rule.blocks() || rule.redacts())
                && rule.rests_on(fact)
        })
    }

    /// Text is held back only for patterns that some live rule redacts or blocks.
    fn add_patterns(&mut self, specs: &[PatternSpec]) -> Result<(), PatternError> {
        let of = |direction| specs.iter().filter(move |spec| spec.covers(direction)).cloned();
        let input = PatternSet::compile_holding(of(Direction::Input).collect(), |_| false)?;
        let output = PatternSet::compile_holding(of(Direction::Output).collect(), |spec| {
            spec.facts().any(|fact| self.acts_on_output(fact))
        })?;
        (self.input, self.output) = (input, output);
        Ok(())
    }
}

impl Rules {
    fn add(&mut self, rule: &SigmaRule, without_facts: bool) -> Result<(), String> {
        self.without_facts |= without_facts;
        self.engine.add_rule(rule).map_err(|error| error.to_string())
    }
}

fn refused(path: &str, error: &PatternError) -> ContentErrors {
    ContentErrors(vec![super::Diagnostic {
        path: path.to_owned(),
        line: 0,
        rule: Some(error.pattern.clone()),
        message: error.message.clone(),
        help: error.help.clone(),
        level: Level::Error,
    }])
}

fn digest(files: &[ContentFile]) -> String {
    let files: BTreeMap<&str, &str> =
        files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    sha256_hex(&serde_json::to_vec(&files).unwrap_or_default())
}
