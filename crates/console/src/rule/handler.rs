//! `/rules/{id}`: what a rule sees and how it fares.

use axum::extract::Path;
use axum::response::Html;
use jiff::Timestamp;
use quell_control::feedback::{HITS_BUCKET_SECONDS, RuleFares};
use quell_domain::Severity;
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_store::{
    BacktestSummary, RuleChange, RuleChangeKind, RuleFigures, SignalCount, SignalRecord,
};

use crate::http::{Failure, Signed, link, segment};
use crate::interaction::context::Pair;
use crate::interactions::handler::who;
use crate::moment::Moment;
use crate::plot::{Bin, Histogram};
use crate::render::words;
use crate::rule::backtest::days;
use crate::rule::context::{Hit, RulePage, Told};
use crate::shell::Section;
use crate::signal::context::Reason;
use crate::views::{ActorView, Choice, Link};

/// Changes shown.
const HISTORY: usize = 10;
/// Buckets of the plot: 7 days.
const BINS: i64 = 7 * 24 * 3_600 / HITS_BUCKET_SECONDS as i64;

/// `GET /rules/{id}`
pub(crate) async fn show(by: Signed, Path(id): Path<String>) -> Result<Html<String>, Failure> {
    let content = content(&by, &id).await?;
    by.page(Section::Detections, &content).await
}

/// The page of the rule `id`.
pub(crate) async fn content(by: &Signed, id: &str) -> Result<RulePage, Failure> {
    let control = &by.console.control;
    let fares = control.rule_fares(&by.access, id).await?;
    let applications = control.applications(&by.access).await?;
    let mut content = page(fares, by.viewer.can_admin, control.now());
    content.can_test = by.viewer.can_respond;
    content.applications = applications
        .into_iter()
        .map(|row| Choice::new(row.value.name.clone(), row.value.name))
        .collect();
    Ok(content)
}

/// The page of a rule.
pub(crate) fn href(id: &str) -> String {
    format!("/rules/{}", segment(id))
}

fn page(fares: RuleFares, can_admin: bool, now: Timestamp) -> RulePage {
    let RuleFares { detail, positive, negative, figures, from, hits, signals } = fares;
    let info = detail.view.info;
    let (to, label) = match info.mode {
        RuleMode::Enforce => ("shadow", "Put in shadow…"),
        RuleMode::Shadow => ("enforce", "Enforce…"),
    };
    let change = link("/detections/mode", &[("rule", &info.id), ("mode", to)]);
    let mut provenance = vec![
        Pair::new("Direction", words(info.direction.as_str())),
        Pair::new("Effect", words(info.effect.as_str())),
        Pair::code("File", info.pack),
        Pair::new("Ships as", words(detail.view.shipped_mode.as_str())),
    ];
    if let Some(id) = info.sigma_id {
        provenance.push(Pair::code("Sigma id", id));
    }
    let facts = detail.facts.into_iter();
    let filters = detail.filters.iter().map(|filter| filter.title.clone()).collect();
    let last = detail.history.iter().find_map(|change| change.backtest.as_ref());
    RulePage {
        does: does(info.direction, info.effect, info.mode, info.correlation),
        reasons: facts
            .map(|(fact, meaning)| Reason { fact, meaning, places: String::new() })
            .collect(),
        figures: counted(&figures),
        hits: plot(from, &hits),
        signals: signals.into_iter().map(|signal| hit(&signal, now)).collect(),
        positive,
        negative,
        tested: last.map(|last| tested(last, now)),
        filters,
        history: detail.history.iter().take(HISTORY).map(|change| told(change, now)).collect(),
        change: can_admin.then(|| Link::new(change, label)),
        backtest: format!("quell rules backtest --rule {} --since 7d", info.id),
        can_test: false,
        applications: Vec::new(),
        days: days(),
        test: None,
        error: None,
        facts: provenance,
        about: info.description,
        false_positives: info.false_positives,
        kind_title: info.kind.title().into(),
        severity: info.severity,
        mode: info.mode.to_string(),
        taxonomy: info.taxonomy,
        title: info.title,
        id: info.id,
    }
}

/// What the last backtest said.
fn tested(last: &BacktestSummary, now: Timestamp) -> String {
    let new = last.matched.saturating_sub(last.already_stopped);
    format!(
        "{}: it matched {} of {} exchanges ({:.2} %), {new} of which nothing else stopped, by {} \
         principals.",
        Moment::new(last.at, now).full,
        last.matched,
        last.judged,
        last.matched as f64 * 100.0 / last.judged.max(1) as f64,
        last.affected
    )
}

/// One change of the rule.
fn told(change: &RuleChange, now: Timestamp) -> Told {
    let what = match change.kind {
        RuleChangeKind::Promoted if change.forced => "Enforced, past the checks",
        RuleChangeKind::Promoted => "Enforced",
        RuleChangeKind::Demoted => "Put in shadow",
        RuleChangeKind::Reset => "Back to the mode of its file",
        RuleChangeKind::Backtested => "Run over recorded traffic",
    };
    Told {
        what: what.into(),
        actor: ActorView::from(&change.actor),
        at: Moment::new(change.at, now),
        reason: change.reason.clone(),
    }
}

/// What a match does to the traffic.
fn does(direction: Direction, effect: RuleEffect, mode: RuleMode, counts: bool) -> String {
    let what = match direction {
        Direction::Input => "request",
        Direction::Output => "answer",
    };
    match (effect, mode) {
        _ if counts => "It counts recorded signals over time and raises one of its own.".into(),
        (RuleEffect::Signal, _) => "A match only raises a signal.".into(),
        (RuleEffect::Redact, RuleMode::Enforce) => {
            format!("A match replaces what was found in the {what}.")
        }
        (RuleEffect::Block, RuleMode::Enforce) => format!("A match blocks the {what}."),
        (RuleEffect::Redact, RuleMode::Shadow) => {
            format!("In shadow: a match reports that the {what} would have been redacted.")
        }
        (RuleEffect::Block, RuleMode::Shadow) => {
            format!("In shadow: a match reports that the {what} would have been blocked.")
        }
    }
}

fn counted(figures: &RuleFigures) -> Vec<Pair> {
    let signals = |n: i64| match n {
        0 => "no signals".to_owned(),
        1 => "1 signal".to_owned(),
        n => format!("{n} signals"),
    };
    let mut counted = vec![
        Pair::new("Last 24 hours", signals(figures.day)),
        Pair::new("Last 7 days", signals(figures.week)),
    ];
    if figures.would_act > 0 {
        counted.push(Pair::new("Would have acted", format!("{} in 7 days", figures.would_act)));
    }
    counted.push(Pair::new("Precision", precision(figures)));
    counted
}

/// Confirmed among labelled signals, in words.
pub(crate) fn precision(figures: &RuleFigures) -> String {
    let labelled = figures.confirmed + figures.false_positive;
    match figures.precision() {
        Some(percent) => format!("{percent} % of {labelled} labelled"),
        None => "no labels yet".into(),
    }
}

fn plot(from: Timestamp, hits: &[SignalCount]) -> Histogram {
    let width = i64::from(HITS_BUCKET_SECONDS);
    let start = from.as_second();
    let mut bins: Vec<Bin> = (0..BINS)
        .map(|n| Bin {
            from: Timestamp::from_second(start + n * width).unwrap_or(from),
            counts: [0; 4],
        })
        .collect();
    for hit in hits {
        let index = (hit.from.as_second() - start + width / 2).div_euclid(width);
        let place = Severity::ALL.iter().position(|severity| *severity == hit.severity);
        if let (Ok(index), Some(place)) = (usize::try_from(index), place)
            && let Some(bin) = bins.get_mut(index)
        {
            bin.counts[place] += hit.count.unsigned_abs();
        }
    }
    Histogram::new("Signals of this rule", &bins, u64::from(HITS_BUCKET_SECONDS), &[])
}

fn hit(record: &SignalRecord, now: Timestamp) -> Hit {
    Hit {
        href: crate::signal::handler::href(&record.signal.id),
        at: Moment::new(record.at, now),
        user: who(&record.principal).0,
        application: record.application.clone(),
        mode: record.signal.mode.to_string(),
    }
}
