//! What was found, counted.

use std::collections::BTreeMap;

use serde_json::json;

use super::judge::Verdict;
use crate::output;

/// Counts over all rows.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Rows judged.
    pub(super) rows: u64,
    /// Rows that could not be read.
    pub(super) bad: u64,
    /// The last line that was read.
    pub(super) lines: u64,
    flagged: u64,
    not_evaluated: u64,
    micros: f64,
    slowest: f64,
    outcomes: BTreeMap<&'static str, u64>,
    rules: BTreeMap<String, u64>,
}

impl Summary {
    /// Counts one row.
    pub(super) fn add(&mut self, verdict: &Verdict) {
        self.rows += 1;
        self.flagged += u64::from(verdict.flagged);
        self.not_evaluated += u64::from(!verdict.not_evaluated.is_empty());
        self.micros += verdict.micros;
        self.slowest = self.slowest.max(verdict.micros);
        *self.outcomes.entry(verdict.outcome.as_str()).or_default() += 1;
        for signal in &verdict.signals {
            *self.rules.entry(signal.rule.clone()).or_default() += 1;
        }
    }

    /// For beside a progress bar.
    pub(super) fn short(&self) -> String {
        format!("{} rows, {} flagged", self.rows, self.flagged)
    }

    /// Prints it to standard error.
    pub(super) fn show(&self, json: bool) {
        if json {
            let value = json!({
                "rows": self.rows, "bad_rows": self.bad, "flagged": self.flagged,
                "not_evaluated": self.not_evaluated, "outcomes": self.outcomes,
                "rules": self.rules, "micros_mean": self.mean(), "micros_max": self.slowest,
            });
            return output::note(&value.to_string());
        }
        let mut lines = vec![format!(
            "{} rows, {} flagged ({:.2} %), {} with something not evaluated, {} not readable",
            self.rows,
            self.flagged,
            self.flagged as f64 * 100.0 / self.rows.max(1) as f64,
            self.not_evaluated,
            self.bad
        )];
        let counted = |counts: Vec<(&str, u64)>| {
            counts.into_iter().map(|(name, n)| format!("  {n:>8}  {name}")).collect::<Vec<_>>()
        };
        lines.extend(counted(self.outcomes.iter().map(|(name, n)| (*name, *n)).collect()));
        let mut rules: Vec<(&str, u64)> =
            self.rules.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        rules.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        if !rules.is_empty() {
            lines.push("rules:".into());
            lines.extend(counted(rules));
        }
        lines.push(format!("{:.1} µs a row, at most {:.1} µs", self.mean(), self.slowest));
        output::note(&lines.join("\n"));
    }

    fn mean(&self) -> f64 {
        (self.micros * 10.0 / self.rows.max(1) as f64).round() / 10.0
    }
}
