//! The compiled rule set.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use quell_domain::canonical::sha256_hex;
use quell_domain::rule::{Direction, FailMode, RuleEffect};
use quell_domain::snapshot::ContentFile;
use rsigma_eval::{CompiledRule, JsonEvent, compile_rule, evaluate_rule};
use rsigma_parser::SigmaRule;
use serde_json::Value;

use super::correlation::Correlation;
use super::diagnostic::Level;
use super::filter::{Filter, FilterInfo};
use super::info::{RuleInfo, Runs};
use super::load::{Body, ContentErrors, LoadedRule, load};
use super::section::Section;
use super::trigger::{Index, triggers};
use crate::classifier::{CLASSIFIER_FACTS, Classifier};
use crate::patterns::{Matchers, PatternError, PatternSet, PatternSpec};
use crate::second::{Band, Second};
use crate::validate::Validator;

/// Compiled detection content.
pub struct RuleSet {
    digest: String,
    pub(crate) infos: Vec<RuleInfo>,
    by_name: HashMap<String, usize>,
    pub(crate) input: PatternSet,
    pub(crate) output: PatternSet,
    inline: [Rules; 2],
    late: Rules,
    /// Rules over alarms of baselines.
    alarms: Rules,
    /// Each after those it counts.
    pub(crate) correlations: Vec<Correlation>,
    filters: Vec<Filter>,
    facts: BTreeMap<String, String>,
    classifier: Option<Arc<Classifier>>,
    second: Option<Second>,
}

/// A rule that matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matched<'s> {
    /// Index of its [`RuleInfo`].
    pub(crate) rule: usize,
    /// The filter that keeps the match from counting.
    pub(crate) suppressed_by: Option<&'s str>,
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
    /// With the index of their [`RuleInfo`].
    compiled: Vec<(usize, CompiledRule)>,
    index: Index,
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
            alarms: Rules::default(),
            correlations: Vec::new(),
            filters: Vec::new(),
            facts: crate::analyzers::ANALYZER_FACTS
                .iter()
                .chain(quell_behaviour::FACTS)
                .chain(CLASSIFIER_FACTS)
                .map(|(fact, meaning)| ((*fact).to_owned(), (*meaning).to_owned()))
                .collect(),
            classifier: Classifier::shipped(),
            second: None,
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
        for (info, parsed) in loaded.filters {
            let (pack, id) = (info.pack.clone(), info.id.clone());
            let filter = Filter::read(info, &parsed).map_err(|message| {
                refused(&pack, &PatternError { pattern: id, message, help: "correct it".into() })
            })?;
            set.filters.push(filter);
        }
        set.order_correlations();
        set.sign(&loaded.patterns);
        set.add_patterns(&loaded.patterns).map_err(|error| refused("patterns/", &error))?;
        Ok(set)
    }

    /// SHA-256 of the content, for the record.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same rules with another model, or with none: then no fact of the classifier is stated.
    #[must_use]
    pub fn with_classifier(mut self, classifier: Option<Arc<Classifier>>) -> Self {
        let model = classifier.as_ref().map_or("none", |classifier| classifier.sha256());
        self.digest = sha256_hex(format!("{} {model}", self.digest).as_bytes());
        self.classifier = classifier;
        self
    }

    /// The same rules, which ask for a second opinion where the classifier is unsure.
    #[must_use]
    pub fn with_second_opinion(mut self, second: Option<Second>) -> Self {
        if let Some(second) = &second {
            let Band { low, high } = second.band;
            let named = format!("{} {} {low} {high}", self.digest, second.opinion.sha256());
            self.digest = sha256_hex(named.as_bytes());
        }
        self.second = second;
        self
    }

    /// Who is asked where the classifier is unsure.
    pub const fn second(&self) -> Option<&Second> {
        self.second.as_ref()
    }

    /// The model that judges texts beside the rules.
    pub const fn classifier(&self) -> Option<&Arc<Classifier>> {
        self.classifier.as_ref()
    }

    /// Every rule, in file order.
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// A rule by its id.
    pub fn rule(&self, id: &str) -> Option<&RuleInfo> {
        self.by_name.get(id).map(|index| &self.infos[*index])
    }

    /// The words that patterns over requests are looked for by.
    pub fn keywords(&self) -> impl Iterator<Item = &str> {
        self.input.keywords()
    }

    /// Every fact that patterns and analyzers may state, with what it means.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts.iter().map(|(fact, meaning)| (fact.as_str(), meaning.as_str()))
    }

    /// The filters, applied or expired.
    pub fn filters(&self) -> impl Iterator<Item = &FilterInfo> {
        self.filters.iter().map(|filter| &filter.info)
    }

    /// Whether an exchange is refused when one direction could not be judged in full. `default` is
    /// the application's choice; a rule that would stop or change text may have its own.
    pub fn fails_closed(&self, direction: Direction, default: FailMode) -> bool {
        let acting = self
            .infos
            .iter()
            .filter(|rule| rule.direction == direction && (rule.blocks() || rule.redacts()));
        let mut choices = acting.map(|rule| rule.fail.unwrap_or(default)).peekable();
        match choices.peek() {
            None => default == FailMode::Closed,
            Some(_) => choices.any(|fail| fail == FailMode::Closed),
        }
    }

    /// The inline rules of one direction that `facts` may concern: only these are evaluated.
    pub fn rules_asked<'s, 'f>(
        &'s self,
        direction: Direction,
        facts: impl Iterator<Item = &'f str>,
    ) -> impl Iterator<Item = &'s RuleInfo> {
        let rules = &self.inline[slot(direction)];
        let asked = rules.index.asked(facts).into_iter();
        asked.filter_map(|rule| rules.compiled.get(rule)).map(|(index, _)| &self.infos[*index])
    }

    /// Which inline rules of one direction `facts` may concern, for [`RuleSet::evaluate`].
    pub(crate) fn asked<'f>(
        &self,
        direction: Direction,
        facts: impl Iterator<Item = &'f str>,
    ) -> Vec<usize> {
        self.inline[slot(direction)].index.asked(facts)
    }

    /// The rules among `asked` that match `event`, which stands at `now`.
    pub(crate) fn evaluate(
        &self,
        direction: Direction,
        asked: &[usize],
        event: &Value,
        now: Timestamp,
    ) -> Vec<Matched<'_>> {
        self.matching(&self.inline[slot(direction)], asked, event, now)
    }

    /// The rules over recorded exchanges that match `event`, which stands at `now`.
    pub(crate) fn evaluate_late<'f>(
        &self,
        facts: impl Iterator<Item = &'f str>,
        event: &Value,
        now: Timestamp,
    ) -> Vec<Matched<'_>> {
        self.matching(&self.late, &self.late.index.asked(facts), event, now)
    }

    /// The rules over alarms of baselines that match `event`, which stands at `now`.
    pub(crate) fn evaluate_alarm(&self, event: &Value, now: Timestamp) -> Vec<Matched<'_>> {
        let asked = self.alarms.index.asked(std::iter::empty());
        self.matching(&self.alarms, &asked, event, now)
    }

    fn matching(
        &self,
        rules: &Rules,
        asked: &[usize],
        event: &Value,
        now: Timestamp,
    ) -> Vec<Matched<'_>> {
        let seen = JsonEvent::borrow(event);
        let asked = asked.iter().filter_map(|rule| rules.compiled.get(*rule));
        let found = asked.filter(|(_, compiled)| evaluate_rule(compiled, &seen).is_some());
        found
            .map(|(index, _)| {
                let id = &self.infos[*index].id;
                let filter = self.filters.iter().find(|filter| filter.suppresses(id, event, now));
                Matched {
                    rule: *index,
                    suppressed_by: filter.map(|filter| filter.info.id.as_str()),
                }
            })
            .collect()
    }

    fn add(&mut self, loaded: LoadedRule) -> Result<(), ContentErrors> {
        let LoadedRule { header, section, body } = loaded;
        let Section { kind, mode, effect, direction, fail, counted_only, taxonomy, examples } =
            section;
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
            fail,
            taxonomy,
            pack: header.path,
            digest: header.text,
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
                let alarm = late.iter().any(|reason| reason.starts_with("`quell.baseline."));
                let late = !late.is_empty() || counted_only;
                let rules = match (alarm, late) {
                    (true, _) => &mut self.alarms,
                    (false, true) => &mut self.late,
                    (false, false) => &mut self.inline[slot(direction)],
                };
                rules.add(index, &rule).map_err(wrong)?;
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

    /// Turns the text of every rule into its digest.
    fn sign(&mut self, patterns: &[PatternSpec]) {
        for info in &mut self.infos {
            let mut said = std::mem::take(&mut info.digest);
            let used = patterns.iter().filter(|spec| info.rests_on(&spec.fact));
            said.extend(used.map(|spec| format!("{spec:?}")));
            info.digest = sha256_hex(said.as_bytes());
        }
    }

    /// Puts every correlation after those it counts; loading has refused circles.
    fn order_correlations(&mut self) {
        let mut waiting = std::mem::take(&mut self.correlations);
        while !waiting.is_empty() {
            let names: Vec<String> =
                waiting.iter().map(|correlation| self.infos[correlation.rule].id.clone()).collect();
            let (ready, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|correlation| {
                !correlation.rules.iter().any(|name| names.contains(name))
            });
            self.correlations.extend(ready);
            if later.len() == names.len() {
                self.correlations.extend(later);
                return;
            }
            waiting = later;
        }
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
        let mut shared = Matchers::default();
        let input =
            PatternSet::compile_sharing(of(Direction::Input).collect(), |_| false, &mut shared)?;
        let acts = |fact: &str| self.acts_on_output(fact);
        let output =
            PatternSet::compile_sharing(of(Direction::Output).collect(), acts, &mut shared)?;
        (self.input, self.output) = (input, output);
        Ok(())
    }
}

impl Rules {
    fn add(&mut self, info: usize, rule: &SigmaRule) -> Result<(), String> {
        let compiled = compile_rule(rule).map_err(|error| error.to_string())?;
        self.index.add(self.compiled.len(), triggers(&rule.detection));
        self.compiled.push((info, compiled));
        Ok(())
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
