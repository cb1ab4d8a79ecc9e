//! Judges one row as the gateway would, and says it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quell_detection::{Budget, Context, Decision, Findings, PatternSet, Review, RuleSet, Scores};
use quell_domain::application::Limits;
use quell_domain::interaction::{Cause, Endpoint, NotEvaluated, Outcome, TextField};
use quell_domain::kind::IncidentKind;
use quell_domain::principal::Principal;
use quell_domain::rule::{RuleEffect, RuleMode};
use quell_domain::signal::{Signal, Span};
use quell_domain::{IdSource, InteractionId, Severity};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::{Map, Value};

use super::row::Task;

/// What is printed of a row.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    id: Value,
    score: f32,
    scores: Scores,
    pub(super) flagged: bool,
    pub(super) outcome: Outcome,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<Cause>,
    pub(super) signals: Vec<Matched>,
    pub(super) not_evaluated: Vec<NotEvaluated>,
    pub(super) micros: f64,
}

/// A rule that matched.
#[derive(Debug, Serialize)]
pub(super) struct Matched {
    pub(super) rule: String,
    kind: IncidentKind,
    severity: Severity,
    mode: RuleMode,
    effect: RuleEffect,
    facts: Vec<String>,
    spans: Vec<Span>,
}

/// What every row is judged with.
pub(super) struct Bench {
    rules: RuleSet,
    none: PatternSet,
    principal: Principal,
    parameters: Map<String, Value>,
    interaction: InteractionId,
}

impl Bench {
    /// An application with default settings, no measures in force and nobody in particular asking.
    pub(super) fn new(rules: RuleSet, ids: &dyn IdSource) -> Self {
        Self {
            rules,
            none: PatternSet::empty(),
            principal: Principal::default(),
            parameters: Map::new(),
            interaction: InteractionId::new(ids),
        }
    }

    /// Judges one row.
    pub(super) fn judge(&self, task: &Task) -> Verdict {
        let begun = cpu_micros();
        let findings = catch_unwind(AssertUnwindSafe(|| self.findings(task)));
        let micros = cpu_micros() - begun;
        let findings = findings.unwrap_or_else(|_| Findings {
            not_evaluated: vec![NotEvaluated {
                reason: "analyzer_failure".into(),
                field: String::new(),
            }],
            ..Findings::default()
        });
        verdict(task, findings, micros)
    }

    fn findings(&self, task: &Task) -> Findings {
        let mut budget = Budget::new(Limits::default().work_bytes);
        let Some(answer) = &task.response else {
            return self.request(task, &mut budget);
        };
        let facts = if task.request.is_empty() {
            Vec::new()
        } else {
            self.request(task, &mut budget).facts
        };
        let fields: &[TextField] = std::slice::from_ref(answer);
        let ctx = self.context(task);
        self.rules.inspect_response(&ctx, &self.none, fields, &mut budget, self.interaction, &facts)
    }

    fn request(&self, task: &Task, budget: &mut Budget) -> Findings {
        let ctx = self.context(task);
        self.rules.inspect_request(&ctx, &self.none, &task.request, budget, self.interaction, None)
    }

    fn context<'a>(&'a self, task: &'a Task) -> Context<'a> {
        Context {
            application: "detect",
            endpoint: Endpoint::ChatCompletions,
            model: None,
            principal: &self.principal,
            system_text: &task.system_text,
            canaries: &[],
            tools_offered: &[],
            review: Review { request: &task.request, ..Review::default() },
            stream: false,
            parameters: &self.parameters,
        }
    }
}

/// Judgements that an application with default settings refuses to go without.
const FAIL_CLOSED: [&str; 2] = ["budget", "analyzer_failure"];

fn verdict(task: &Task, findings: Findings, micros: f64) -> Verdict {
    let mut causes = findings.causes();
    let mut outcome = match findings.decision() {
        Decision::Continue => Outcome::Allowed,
        Decision::WouldBlock => Outcome::WouldBlock,
        Decision::Redact => Outcome::Redacted,
        Decision::Block(_) => Outcome::Blocked,
    };
    for missing in &findings.not_evaluated {
        if FAIL_CLOSED.contains(&missing.reason.as_str()) {
            outcome = Outcome::Blocked;
            let by = format!("fail_closed:{}", missing.reason);
            causes.insert(0, Cause { outcome, by });
        }
    }
    let place = |field: String| match task.place(&field) {
        place if place == field => field,
        place => place.to_owned(),
    };
    let matched = |signal: Signal| Matched {
        rule: signal.rule,
        kind: signal.kind,
        severity: signal.severity,
        mode: signal.mode,
        effect: signal.effect,
        facts: signal.facts,
        spans: signal
            .spans
            .into_iter()
            .map(|span| Span { field: place(span.field), ..span })
            .collect(),
    };
    let missing = |missing: NotEvaluated| NotEvaluated { field: place(missing.field), ..missing };
    Verdict {
        id: task.id.clone(),
        score: findings.scores.overall(),
        scores: findings.scores,
        flagged: findings.scores.overall() >= Scores::THRESHOLD || outcome != Outcome::Allowed,
        outcome,
        causes,
        signals: findings.signals.into_iter().map(matched).collect(),
        not_evaluated: findings.not_evaluated.into_iter().map(missing).collect(),
        micros: (micros * 10.0).round() / 10.0,
    }
}

/// CPU time of this thread: other rows and other processes do not count.
fn cpu_micros() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}
