//! What a campaign came to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{Scenario, Step, StepResult, Treatment};

/// Missed attacks listed one by one; past it they are only counted.
const MAX_LISTED: usize = 500;

/// Counts of what became of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Refused before the first byte.
    pub refused: u64,
    /// Streams cut with an error event.
    pub cut_streams: u64,
    /// Answered by no model.
    pub fallback: u64,
    /// Answered with spans replaced.
    pub redacted: u64,
    /// Answered shorter than asked for.
    pub degraded: u64,
    /// Answered in full.
    pub delivered: u64,
    /// Without a usable answer, for a reason that is nobody's decision.
    pub failed: u64,
    /// Answers in which the mark of an obeyed attack arrived.
    pub unsafe_arrived: u64,
    /// Answers in which a secret arrived.
    pub secret_arrived: u64,
}

impl Tally {
    fn add(&mut self, result: &StepResult) {
        self.sent += 1;
        self.unsafe_arrived += u64::from(result.unsafe_arrived);
        self.secret_arrived += u64::from(result.secret_arrived);
        *match result.treatment {
            Treatment::Refused => &mut self.refused,
            Treatment::Cut => &mut self.cut_streams,
            Treatment::Fallback => &mut self.fallback,
            Treatment::Redacted => &mut self.redacted,
            Treatment::Degraded => &mut self.degraded,
            Treatment::Delivered => &mut self.delivered,
            Treatment::Failed => &mut self.failed,
        } += 1;
    }
}

/// An attack request whose answer arrived in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// What it was part of.
    pub scenario: Scenario,
    /// Who sent it.
    pub user: String,
    /// When it was planned, milliseconds after the start.
    pub at_ms: u64,
    /// The corpus source of its text, if drawn from one.
    pub source: Option<String>,
    /// The gateway's reference of the exchange.
    pub interaction: Option<String>,
}

/// The summary of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CampaignReport {
    /// All requests.
    pub total: Tally,
    /// Requests by scenario.
    pub scenarios: BTreeMap<Scenario, Tally>,
    /// Attacks drawn from the corpora, by source.
    pub corpus_attacks: BTreeMap<String, Tally>,
    /// Benign texts drawn from the corpora, by source.
    pub corpus_benign: BTreeMap<String, Tally>,
    /// Attack requests whose answers arrived in full: the first ones, in order of the plan.
    pub missed: Vec<Missed>,
    /// All attack requests whose answers arrived in full.
    pub missed_count: u64,
    /// Honest users who had an innocent request refused, cut, redacted, degraded or answered by
    /// no model.
    pub honest_touched: BTreeSet<String>,
    /// Honest users in all.
    pub honest_users: u64,
    /// When the campaign began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the first attack request was sent.
    pub first_malicious_at: Option<Timestamp>,
    /// When an attack request was first met with anything but a full answer.
    pub first_stopped_at: Option<Timestamp>,
}

/// One sent step.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    pub(super) step: &'a Step,
    pub(super) result: StepResult,
    pub(super) began_at: Timestamp,
    pub(super) ended_at: Timestamp,
}

impl CampaignReport {
    /// Sums up `sent`, which is in the order of the plan.
    pub(super) fn sum_up(sent: &[Sent<'_>]) -> Self {
        let mut report = Self::default();
        let mut honest = BTreeSet::new();
        for Sent { step, result, began_at, ended_at } in sent {
            report.total.add(result);
            report.scenarios.entry(step.scenario).or_default().add(result);
            if let Some(source) = &step.source {
                let by_source = if step.is_attack {
                    &mut report.corpus_attacks
                } else {
                    &mut report.corpus_benign
                };
                by_source.entry(source.clone()).or_default().add(result);
            }
            let stopped = !matches!(result.treatment, Treatment::Delivered | Treatment::Failed);
            if step.actor.honest {
                honest.insert(&step.actor.user);
                if stopped && !step.is_attack {
                    report.honest_touched.insert(step.actor.user.clone());
                }
            }
            if step.is_attack {
                earliest(&mut report.first_malicious_at, *began_at);
                if stopped {
                    earliest(&mut report.first_stopped_at, *ended_at);
                }
                if result.treatment == Treatment::Delivered {
                    report.miss(step, result);
                }
            }
        }
        report.honest_users = honest.len() as u64;
        report
    }

    fn miss(&mut self, step: &Step, result: &StepResult) {
        self.missed_count += 1;
        if self.missed.len() < MAX_LISTED {
            self.missed.push(Missed {
                scenario: step.scenario,
                user: step.actor.user.clone(),
                at_ms: step.at_ms,
                source: step.source.clone(),
                interaction: result.interaction.clone(),
            });
        }
    }
}

fn earliest(known: &mut Option<Timestamp>, at: Timestamp) {
    *known = Some(known.map_or(at, |known| known.min(at)));
}
