//! Alarms of baselines, judged by the rules that name `quell.baseline.*` fields.

use jiff::Timestamp;
use quell_domain::signal::Signal;
use serde_json::json;

use crate::correlate::signal;
use crate::rules::{Matched, RuleSet};

/// A metric of one scope left its baseline.
#[derive(Debug, Clone, Copy)]
pub struct BaselineAlarm<'a> {
    /// The application.
    pub application: &'a str,
    /// The metric's name.
    pub metric: &'a str,
    /// `up` or `down`.
    pub change: &'a str,
    /// What the scope is about: `application`, `model`, `endpoint`, `principal` or `tool`.
    pub scope: &'a str,
    /// Which one; empty for the whole application.
    pub part: &'a str,
    /// When it began.
    pub at: Timestamp,
}

impl RuleSet {
    /// The signals that `alarm` gives, each with `facts` beside what names the alarm. The same
    /// alarm always gives the same ids.
    pub fn judge_alarm(&self, alarm: &BaselineAlarm<'_>, facts: &[String]) -> Vec<Signal> {
        let event = json!({
            "quell.application": alarm.application,
            "quell.baseline.metric": alarm.metric,
            "quell.baseline.change": alarm.change,
            "quell.baseline.scope": alarm.scope,
        });
        let found = self.evaluate_alarm(&event, alarm.at);
        let signals = found.into_iter().filter_map(|Matched { rule, suppressed_by }| {
            let info = &self.infos[rule];
            if info.counted_only {
                return None;
            }
            let key = json!([
                info.id,
                alarm.application,
                alarm.scope,
                alarm.part,
                alarm.metric,
                alarm.at.as_second()
            ]);
            let mut all = vec![
                format!("baseline:{}={}", alarm.metric, alarm.change),
                match alarm.part {
                    "" => format!("scope:{}", alarm.scope),
                    part => format!("scope:{}={part}", alarm.scope),
                },
            ];
            all.extend(facts.iter().cloned());
            let mut signal = signal(info, &key.to_string(), all, info.direction);
            signal.suppress(suppressed_by);
            Some(signal)
        });
        signals.collect()
    }
}
