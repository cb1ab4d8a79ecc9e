//! `POST /rules/{id}/backtest`: what a rule would have done to recorded traffic.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use quell_control::rules::{BacktestOutcome, BacktestRequest};
use quell_domain::Severity;
use serde::Serialize;

use crate::http::failure::{sentence, status};
use crate::http::fields::Fields;
use crate::http::{Failure, Posted, segment};
use crate::interaction::context::Pair;
use crate::moment::{Moment, grouped, span};
use crate::plot::{Bin, Histogram};
use crate::rule::handler::content;
use crate::shell::Section;
use crate::views::Choice;

/// Days back that can be chosen.
const DAYS: [(i64, &str); 4] = [(1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days")];
/// Stretches of time in the plot, about.
const BINS: i64 = 48;
/// Examples shown.
const EXAMPLES: usize = 8;

/// What a backtest found.
#[derive(Debug, Clone, Serialize)]
pub struct BacktestView {
    /// The finding in a sentence.
    pub headline: String,
    /// Counts.
    pub figures: Vec<Pair>,
    /// What is missing from it.
    pub notes: Vec<String>,
    /// Matches over time.
    pub plot: Histogram,
    /// Some of the matched exchanges.
    pub examples: Vec<Example>,
}

/// A matched exchange.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Its page.
    pub href: String,
    /// When it began.
    pub at: Moment,
    /// Its application.
    pub application: String,
    /// What had become of it.
    pub outcome: String,
}

/// How far back can be chosen.
pub(crate) fn days() -> Vec<Choice> {
    DAYS.map(|(days, label)| Choice::new(days.to_string(), label)).to_vec()
}

/// How far back the form says, days.
pub(crate) fn days_of(fields: &Fields) -> Result<i64, Failure> {
    let days: i64 = fields.parse("days")?;
    let known = DAYS.iter().any(|(known, _)| *known == days);
    known.then_some(days).ok_or_else(|| Failure::invalid("Choose how many days to look back."))
}

/// `POST /rules/{id}/backtest`
pub(crate) async fn run(
    Path(id): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Response, Failure> {
    let now = by.console.control.now();
    let days = days_of(&fields)?;
    let request = BacktestRequest {
        rule: Some(id.clone()),
        application: fields.some("application").map(Into::into),
        from: now.checked_sub(SignedDuration::from_hours(24 * days)).ok(),
        to: Some(now),
        ..BacktestRequest::default()
    };
    let outcome = by.console.control.backtest(&by.access, request).await;
    let mut page = content(&by, &id).await?;
    match outcome {
        Ok(outcome) => page.test = Some(view(&outcome, page.severity, now)),
        Err(refused) if status(&refused) == 422 => page.error = Some(sentence(&refused)),
        Err(refused) => return Err(refused.into()),
    }
    let html: Html<String> = by.page(Section::Detections, &page).await?;
    Ok(html.into_response())
}

/// What came of a run, plotted in the colour of `severity`.
pub(crate) fn view(outcome: &BacktestOutcome, severity: Severity, now: Timestamp) -> BacktestView {
    let report = &outcome.report;
    let new = report.matched.saturating_sub(report.already_stopped);
    let headline = match (report.judged, report.matched) {
        (0, _) => "There is no recorded text to judge in this time.".into(),
        (judged, 0) => format!("It matched none of {} exchanges.", grouped(judged)),
        (judged, matched) => format!(
            "It matched {} of {} exchanges ({:.2} %).",
            grouped(matched),
            grouped(judged),
            matched as f64 * 100.0 / judged as f64
        ),
    };
    let least = if report.principals_capped { "at least " } else { "" };
    let figures = vec![
        Pair::new("Would block", grouped(report.would_block)),
        Pair::new("Would redact", grouped(report.would_redact)),
        Pair::new("Nothing else stopped", grouped(new)),
        Pair::new("Suppressed by filters", grouped(report.suppressed)),
        Pair::new(
            "Principals affected",
            format!("{least}{} of {}", grouped(report.affected), grouped(report.principals)),
        ),
    ];
    let mut notes = Vec::new();
    let mut note = |count: u64, what: &str| {
        if count > 0 {
            notes.push(format!("{} {what}", grouped(count)));
        }
    };
    note(report.without_text, "exchanges were recorded without text and say nothing.");
    note(report.not_evaluated, "exchanges were judged in part.");
    if outcome.truncated {
        notes.push("There were more exchanges; the newest were looked at.".into());
    }
    let shown = report.examples.iter().rev().take(EXAMPLES);
    BacktestView {
        headline,
        figures,
        notes,
        plot: plot(outcome, severity),
        examples: shown
            .map(|example| Example {
                href: format!("/interactions/{}", segment(&example.interaction.to_string())),
                at: Moment::new(example.at, now),
                application: example.application.clone(),
                outcome: example.outcome.to_string(),
            })
            .collect(),
    }
}

/// Matches over time, in the colour of the rule's severity.
fn plot(outcome: &BacktestOutcome, severity: Severity) -> Histogram {
    let traffic = &outcome.traffic;
    let seconds = traffic.to.duration_since(traffic.from).as_secs().max(1);
    let width = (seconds / BINS).max(60);
    let place = Severity::ALL.iter().position(|known| *known == severity).unwrap_or_default();
    let mut bins: BTreeMap<i64, [u64; 4]> = BTreeMap::new();
    let first = traffic.from.as_second().div_euclid(width);
    for index in 0..=(seconds / width).min(2 * BINS) {
        bins.insert(first + index, [0; 4]);
    }
    for bucket in &outcome.report.series {
        if let Some(counts) = bins.get_mut(&bucket.from.as_second().div_euclid(width)) {
            counts[place] += bucket.matched;
        }
    }
    let bins: Vec<Bin> = bins
        .into_iter()
        .filter_map(|(index, counts)| {
            Some(Bin { from: Timestamp::from_second(index * width).ok()?, counts })
        })
        .collect();
    let width = width.unsigned_abs();
    Histogram::new("Matches in recorded traffic", &bins, width, &[])
        .with_axes(format!("Matches per {}, UTC", span(width)))
}

impl BacktestView {
    /// What the sample rule would have done to a week.
    pub(crate) fn sample() -> Self {
        use quell_control::rules::Traffic;
        use quell_domain::backtest::{BacktestBucket, BacktestExample, BacktestReport};
        use quell_domain::interaction::Outcome;

        let (from, to) = (crate::sample::ago(7 * 86_400), crate::sample::now());
        let series = (0..40_i64).map(|n| BacktestBucket {
            from: crate::sample::ago((41 - n) * 12_600),
            judged: 1_400,
            matched: (n.unsigned_abs() * 7 % 4) * u64::from(n > 20),
        });
        let examples = (0..3_i64).rev().filter_map(|n| {
            Some(BacktestExample {
                interaction: format!("int_0199000000007000800000000000000{n}").parse().ok()?,
                at: crate::sample::ago(4_000 + n * 60_000),
                application: crate::sample::APPLICATION.into(),
                rules: Vec::new(),
                outcome: if n == 1 { Outcome::Blocked } else { Outcome::Allowed },
            })
        });
        let report = BacktestReport {
            judged: 61_204,
            without_text: 310,
            matched: 41,
            would_block: 41,
            already_stopped: 29,
            principals: 4_410,
            affected: 9,
            series: series.collect(),
            examples: examples.collect(),
            ..BacktestReport::default()
        };
        let traffic = Traffic { application: None, from, to, limit: 20_000 };
        let outcome = BacktestOutcome { report, traffic, truncated: true };
        view(&outcome, Severity::High, crate::sample::now())
    }
}
