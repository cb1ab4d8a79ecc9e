//! Simulated traffic: ordinary users and attackers for some hours, played through detection,
//! correlation and grouping, without a network and without waiting.
//!
//! Not simulated: poisoned feedback, a silent change of the model, daily and weekly cycles.

mod make;
mod run;
mod texts;

use std::collections::BTreeMap;
use std::sync::Arc;

use quell_detection::RuleSet;

pub use make::{Plan, Scenario, Session, Step, Traffic, make};
pub use run::{Fate, Opened, Played, play};
pub use texts::Texts;

/// What became of the sessions of one scenario.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Row {
    /// Sessions.
    pub sessions: usize,
    /// Malicious requests in them.
    pub malicious: usize,
    /// Sessions a live rule raised a signal in.
    pub alarmed: usize,
    /// Sessions with nothing live, in which a rule in shadow mode would have acted.
    pub shadow_only: usize,
    /// Sessions a request of which was refused or redacted.
    pub stopped: usize,
    /// Malicious requests before the first alarm, mean over alarmed sessions.
    pub before_alarm: f64,
    /// Seconds from the first malicious request to the alarm, mean over alarmed sessions.
    pub seconds_to_alarm: f64,
}

/// What one run says.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Hours of traffic.
    pub hours: i64,
    /// The share of malicious requests that was asked for.
    pub base_rate: f64,
    /// Requests.
    pub requests: usize,
    /// Of those, malicious.
    pub malicious: usize,
    /// By scenario.
    pub scenarios: BTreeMap<Scenario, Row>,
    /// Live signals in ordinary sessions, an hour.
    pub false_signals_an_hour: f64,
    /// Share of ordinary people of whom a request was refused or redacted.
    pub people_stopped: f64,
    /// The same share of ordinary programs.
    pub services_stopped: f64,
    /// Incidents opened.
    pub incidents: usize,
    /// Incidents most of whose exchanges belong to attacks.
    pub true_incidents: usize,
    /// Other incidents for 10,000 sessions.
    pub false_incidents_per_10k: f64,
    /// Rules of the other incidents, and in how many each is.
    pub false_rules: BTreeMap<String, usize>,
    /// By live rule: ordinary sessions it raised a signal in, and sessions of attackers.
    pub rules: BTreeMap<String, [usize; 2]>,
}

/// Makes and plays one run.
pub fn report(rules: &Arc<RuleSet>, texts: &Texts, plan: &Plan<'_>, seed: u64) -> Report {
    let traffic = make(plan, texts, seed);
    let played = play(rules, &traffic);
    let mut report =
        Report { seed, hours: plan.hours, base_rate: plan.base_rate, ..Report::default() };
    report.requests = traffic.steps.len();
    let mut malicious = vec![0; traffic.sessions.len()];
    for step in traffic.steps.iter().filter(|step| step.malicious) {
        report.malicious += 1;
        if let Some(count) = malicious.get_mut(step.session) {
            *count += 1;
        }
    }
    let (mut people, mut services, mut signals) = ([0_usize; 2], [0_usize; 2], 0);
    for ((session, fate), malicious) in traffic.sessions.iter().zip(&played.fates).zip(malicious) {
        let row = report.scenarios.entry(session.scenario).or_default();
        row.sessions += 1;
        row.malicious += malicious;
        row.alarmed += usize::from(fate.alarmed);
        row.shadow_only += usize::from(fate.shadowed && !fate.alarmed);
        row.stopped += usize::from(fate.stopped);
        row.before_alarm += if fate.alarmed { fate.before as f64 } else { 0.0 };
        row.seconds_to_alarm += fate.waited.unwrap_or(0) as f64 / 1e6;
        if session.scenario == Scenario::Ordinary {
            signals += fate.signals;
            let count = if session.service { &mut services } else { &mut people };
            count[0] += 1;
            count[1] += usize::from(fate.stopped);
        }
    }
    for row in report.scenarios.values_mut() {
        row.before_alarm /= row.alarmed.max(1) as f64;
        row.seconds_to_alarm /= row.alarmed.max(1) as f64;
    }
    report.false_signals_an_hour = signals as f64 / plan.hours.max(1) as f64;
    report.people_stopped = people[1] as f64 / people[0].max(1) as f64;
    report.services_stopped = services[1] as f64 / services[0].max(1) as f64;
    report.incidents = played.incidents.len();
    report.true_incidents = played.incidents.iter().filter(|incident| incident.is_true()).count();
    let wrong = report.incidents - report.true_incidents;
    report.false_incidents_per_10k = wrong as f64 * 10_000.0 / traffic.sessions.len().max(1) as f64;
    for (rule, sessions) in &played.rules {
        let of = report.rules.entry(rule.clone()).or_default();
        for session in sessions.iter().filter_map(|number| traffic.sessions.get(*number)) {
            of[usize::from(session.scenario != Scenario::Ordinary)] += 1;
        }
    }
    for incident in played.incidents.iter().filter(|incident| !incident.is_true()) {
        for rule in incident.rules() {
            *report.false_rules.entry(rule.to_owned()).or_default() += 1;
        }
    }
    report
}
