//! Proposed rules over recorded exchanges: what they would have found and stopped.
//!
//! A record whose text was not kept cannot be judged and is counted as such. Everything is bounded:
//! past 10,000 the count of principals is a lower bound, and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use quell_domain::backtest::{BacktestBucket, BacktestExample, BacktestReport, RuleHits};
use quell_domain::interaction::{Interaction, Outcome, Role, TextField};
use quell_domain::rule::RuleEffect;
use quell_domain::signal::Signal;

use crate::budget::Budget;
use crate::correlate::{Correlator, principal_name};
use crate::event::Context;
use crate::patterns::PatternSet;
use crate::review::Review;
use crate::rules::RuleSet;

/// Principals told apart, per rule and in total.
const MAX_PRINCIPALS: usize = 10_000;
/// Exchanges named as examples.
const MAX_EXAMPLES: usize = 20;
/// Stretches of time.
const MAX_BUCKETS: usize = 400;
/// Applications whose correlations are followed.
const MAX_APPLICATIONS: usize = 256;
/// Bytes × passes for one exchange.
const WORK: u64 = 64 << 20;

/// Judges recorded exchanges with some rules, oldest first.
#[derive(Debug)]
pub struct Backtest {
    rules: Arc<RuleSet>,
    correlators: BTreeMap<String, Correlator>,
    bucket_seconds: i64,
    hits: BTreeMap<String, (RuleHits, BTreeSet<String>)>,
    principals: BTreeSet<String>,
    affected: BTreeSet<String>,
    buckets: BTreeMap<i64, (u64, u64)>,
    report: BacktestReport,
}

impl Backtest {
    /// A test of the rules named `tested`, counted by stretches of `bucket_seconds`.
    pub fn new(rules: Arc<RuleSet>, tested: &BTreeSet<String>, bucket_seconds: u32) -> Self {
        let hits = rules.rules().iter().filter(|info| tested.contains(&info.id)).map(|info| {
            let (rule, digest) = (info.id.clone(), info.digest.clone());
            let hits = RuleHits { rule, digest, effect: Some(info.effect), ..RuleHits::default() };
            (info.id.clone(), (hits, BTreeSet::new()))
        });
        Self {
            hits: hits.collect(),
            rules,
            correlators: BTreeMap::new(),
            bucket_seconds: i64::from(bucket_seconds.max(1)),
            principals: BTreeSet::new(),
            affected: BTreeSet::new(),
            buckets: BTreeMap::new(),
            report: BacktestReport::default(),
        }
    }

    /// Judges one recorded exchange; `canaries` are its application's.
    pub fn push(&mut self, record: &Interaction, canaries: &[String]) {
        if record.request.is_empty() && record.response.is_empty() {
            self.report.without_text += 1;
            return;
        }
        let (signals, complete) = self.judge(record, canaries);
        self.report.judged += 1;
        self.report.not_evaluated += u64::from(!complete);
        let principal = principal_name(&record.principal).unwrap_or_default();
        self.report.principals_capped |= !note(&mut self.principals, &principal);
        let matched = self.count(&signals, record, &principal);
        let bucket = record.started_at.as_second().div_euclid(self.bucket_seconds);
        if self.buckets.len() < MAX_BUCKETS || self.buckets.contains_key(&bucket) {
            let counted = self.buckets.entry(bucket).or_default();
            counted.0 += 1;
            counted.1 += u64::from(!matched.is_empty());
        }
        if matched.is_empty() {
            return;
        }
        self.report.matched += 1;
        self.report.principals_capped |= !note(&mut self.affected, &principal);
        let effects = matched.iter().filter_map(|rule| self.hits.get(rule)?.0.effect);
        match effects.max() {
            Some(RuleEffect::Block) => self.report.would_block += 1,
            Some(RuleEffect::Redact) => self.report.would_redact += 1,
            _ => {}
        }
        self.report.already_stopped += u64::from(stopped(record));
        if self.report.examples.len() < MAX_EXAMPLES {
            self.report.examples.push(BacktestExample {
                interaction: record.id,
                at: record.started_at,
                application: record.application.clone(),
                rules: matched,
                outcome: record.outcome,
            });
        }
    }

    /// Everything found.
    pub fn finish(self) -> BacktestReport {
        let Self { mut report, bucket_seconds, .. } = self;
        report.principals = self.principals.len() as u64;
        report.affected = self.affected.len() as u64;
        report.rules = self
            .hits
            .into_values()
            .map(|(hits, affected)| RuleHits { affected: affected.len() as u64, ..hits })
            .collect();
        report.series = self
            .buckets
            .into_iter()
            .filter_map(|(bucket, (judged, matched))| {
                let from = Timestamp::from_second(bucket.saturating_mul(bucket_seconds)).ok()?;
                Some(BacktestBucket { from, judged, matched })
            })
            .collect();
        report
    }

    /// The tested rules among `signals`, each counted.
    fn count(&mut self, signals: &[Signal], record: &Interaction, principal: &str) -> Vec<String> {
        let mut matched: Vec<String> = Vec::new();
        for signal in signals {
            let Some((hits, affected)) = self.hits.get_mut(&signal.rule) else {
                continue;
            };
            if signal.suppressed_by.is_some() {
                hits.suppressed += 1;
                self.report.suppressed += 1;
                continue;
            }
            if matched.contains(&signal.rule) {
                continue;
            }
            hits.matched += 1;
            hits.already_stopped += u64::from(stopped(record));
            self.report.principals_capped |= !note(affected, principal);
            matched.push(signal.rule.clone());
        }
        matched
    }

    /// What the rules say about a record, and whether all of it was judged.
    fn judge(&mut self, record: &Interaction, canaries: &[String]) -> (Vec<Signal>, bool) {
        let system: Vec<&str> = record
            .request
            .iter()
            .filter(|field| field.role == Role::System)
            .map(|field| field.text.as_str())
            .collect();
        let context = Context {
            application: &record.application,
            endpoint: record.endpoint,
            model: record.model_asked.as_deref(),
            principal: &record.principal,
            system_text: &system.join("\n"),
            canaries,
            tools_offered: &record.tools_offered,
            review: Review::recorded(record),
            stream: record.stream,
            parameters: &record.parameters,
        };
        let (signals, complete) = judge_both(&self.rules, &context, record);
        let mut judged = record.clone();
        judged.signals = signals;
        if self
            .rules
            .rules()
            .iter()
            .any(|info| self.hits.contains_key(&info.id) && info.correlation)
        {
            let known = self.correlators.len() < MAX_APPLICATIONS
                || self.correlators.contains_key(&record.application);
            if known {
                let fresh = || Correlator::new(Arc::clone(&self.rules));
                let application = record.application.clone();
                let correlator = self.correlators.entry(application).or_insert_with(fresh);
                let over_time = correlator.push(&judged);
                judged.signals.extend(over_time);
            }
        }
        (judged.signals, complete)
    }
}

fn judge_both(rules: &RuleSet, context: &Context<'_>, record: &Interaction) -> (Vec<Signal>, bool) {
    let (none, mut budget) = (PatternSet::empty(), Budget::new(WORK));
    let (id, request): (_, &[TextField]) = (record.id, &record.request);
    let asked = rules.inspect_request(context, &none, request, &mut budget, id, None);
    let response = &record.response;
    let answered = rules.inspect_response(context, &none, response, &mut budget, id, &asked.facts);
    let complete = asked.not_evaluated.is_empty() && answered.not_evaluated.is_empty();
    let mut signals = asked.signals;
    signals.extend(answered.signals);
    (signals, complete)
}

/// Whether the exchange did not reach its end as asked for.
fn stopped(record: &Interaction) -> bool {
    matches!(record.outcome, Outcome::Blocked | Outcome::ShutDown | Outcome::Fallback)
}

/// Whether there was room to remember `principal`.
fn note(principals: &mut BTreeSet<String>, principal: &str) -> bool {
    if principals.len() < MAX_PRINCIPALS {
        principals.insert(principal.to_owned());
        return true;
    }
    principals.contains(principal)
}
