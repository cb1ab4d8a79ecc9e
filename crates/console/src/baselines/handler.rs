//! `/baselines`: the scopes, one of them, and how many false alarms are bearable.

use axum::extract::{Path, Query};
use axum::response::{Html, Redirect};
use jiff::Timestamp;
use quell_baselines::{Dimension, Metric, Phase, ScopeKey};
use quell_control::baselines::{AlarmView as Alarm, DetailRequest, ScopeDetail, ScopeSummary};
use serde::Deserialize;

use crate::baselines::context::{AlarmView, Baseline, Baselines, ScopeView, ranges};
use crate::baselines::plot::{Cell, Line, Mark, amount, spark};
use crate::http::{Failure, Posted, Signed, link};
use crate::moment::{Moment, span};
use crate::render::words;
use crate::shell::Section;
use crate::views::{Choice, Pager};

/// Scopes of a page.
const ROWS: usize = 20;

/// What the list is narrowed by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    q: String,
    page: usize,
}

/// `GET /baselines`
pub(crate) async fn list(
    by: Signed,
    Query(filter): Query<Filter>,
) -> Result<Html<String>, Failure> {
    let now = by.console.control.now();
    let mut scopes = by.console.control.baselines(&by.access).await?;
    let alarming = scopes.iter().filter(|scope| !scope.alarming.is_empty()).count();
    let learning = scopes.iter().filter(|scope| scope.phase != Phase::Settled).count();
    let summary = match scopes.len() {
        0 => "No traffic yet".to_owned(),
        all => format!("{all} scopes: {alarming} alarming, {learning} still learning"),
    };
    let wanted = filter.q.trim().to_lowercase();
    scopes.retain(|scope| {
        [&scope.key.application, &scope.key.value]
            .iter()
            .any(|t| t.to_lowercase().contains(&wanted))
    });
    let found = scopes.len();
    let first = filter.page.saturating_mul(ROWS).min(found);
    let last = first.saturating_add(ROWS).min(found);
    let at = |page: usize| {
        let page = if page == 0 { String::new() } else { page.to_string() };
        link("/baselines", &[("q", filter.q.trim()), ("page", &page)])
    };
    let content = Baselines {
        summary,
        pager: Pager {
            summary: format!("{} to {last} of {found} scopes", (first + 1).min(last)),
            previous: (first > 0).then(|| at(0)),
            next: (last < found).then(|| at(filter.page + 1)),
        },
        scopes: scopes[first..last].iter().map(|scope| view(scope, now)).collect(),
        q: filter.q.trim().to_owned(),
    };
    by.page(Section::Baselines, &content).await
}

/// Which part, which metric, how far back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Which {
    dimension: String,
    part: String,
    metric: String,
    hours: String,
}

/// `GET /baselines/{application}`
pub(crate) async fn show(
    by: Signed,
    Path(application): Path<String>,
    Query(which): Query<Which>,
) -> Result<Html<String>, Failure> {
    let dimension = match which.dimension.as_str() {
        "" => Dimension::Application,
        name => Dimension::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| Failure::not_found("There is no such part of an application."))?,
    };
    let metric = match which.metric.as_str() {
        "" => Metric::Requests,
        name => name.parse().map_err(|_| Failure::not_found("There is no such metric."))?,
    };
    let hours = which.hours.parse().unwrap_or(24);
    let key = ScopeKey { application, dimension, value: which.part };
    let request = DetailRequest { key, metric, hours };
    let detail = by.console.control.baseline(&by.access, &request).await?;
    let now = by.console.control.now();
    by.page(Section::Baselines, &page(detail, hours, now, by.viewer.can_admin)).await
}

/// `POST /baselines/{application}/budget`
pub(crate) async fn budget(
    Path(application): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let per_week: f64 = fields.parse("false_alarms_per_week")?;
    by.console.control.set_baseline_budget(&by.access, &application, per_week).await?;
    let path = link(&format!("/baselines/{application}"), &[("done", "saved")]);
    Ok(Redirect::to(&path))
}

fn page(detail: ScopeDetail, hours: u32, now: Timestamp, can_admin: bool) -> Baseline {
    let ScopeDetail { summary, metric, metrics, points, alarms, factor, .. } = detail;
    let unit = metric.unit();
    let cells: Vec<Cell> = points
        .iter()
        .map(|point| Cell {
            from: Timestamp::from_second(point.start).unwrap_or_default(),
            value: point.value,
            expected: point.expected,
            band: point.band,
        })
        .collect();
    let marks: Vec<Mark> = alarms
        .iter()
        .filter(|alarm| alarm.metric == metric)
        .map(|alarm| Mark {
            from: alarm.since,
            to: alarm.until.unwrap_or(now),
            title: format!("{}: {}", metric.title(), change(alarm).to_lowercase()),
        })
        .collect();
    let every = span(summary.cell_seconds.unsigned_abs());
    let mut metrics: Vec<Choice> =
        metrics.into_iter().map(|metric| Choice::new(metric.as_str(), metric.title())).collect();
    if !metrics.iter().any(|choice| choice.value == metric.as_str()) {
        metrics.insert(0, Choice::new(metric.as_str(), metric.title()));
    }
    Baseline {
        title: metric.title().into(),
        metric: metric.as_str().into(),
        metrics,
        ranges: ranges(),
        hours: hours.to_string(),
        fields: vec![
            Choice::new("dimension", summary.key.dimension.as_str()),
            Choice::new("part", summary.key.value.clone()),
        ],
        plot: Line::new(&format!("{} per {every}", metric.title()), unit, &cells, &marks),
        sensitivity: match factor {
            factor if factor > 1.0 => format!("Thresholds at {factor} times the published ones"),
            factor if factor < 1.0 => format!("Thresholds at {factor} of the published ones"),
            _ => "Thresholds as published".into(),
        },
        budget: detail.false_alarms_per_week.to_string(),
        alarms: alarms.iter().take(ROWS).map(|alarm| alarm_view(alarm, now)).collect(),
        scope: view(&summary, now),
        can_admin,
    }
}

fn alarm_view(alarm: &Alarm, now: Timestamp) -> AlarmView {
    let unit = alarm.metric.unit();
    AlarmView {
        title: alarm.metric.title().into(),
        change: change(alarm),
        value: format!("{}, expected {}", amount(alarm.value, unit), amount(alarm.expected, unit)),
        since: Moment::new(alarm.since, now),
        until: Moment::opt(alarm.until, now),
        note: match (alarm.accepted, alarm.settled) {
            (true, _) => "Lasted a day: taken for the new normal.",
            (false, false) => "Before the weekly season was known: opened no incident.",
            (false, true) => "",
        },
    }
}

fn change(alarm: &Alarm) -> &'static str {
    if alarm.change == "down" { "Less than normal" } else { "More than normal" }
}

fn view(scope: &ScopeSummary, now: Timestamp) -> ScopeView {
    let ScopeKey { application, dimension, value } = &scope.key;
    let (dimension, whole) = (dimension.as_str(), *dimension == Dimension::Application);
    let (state, about) = match (scope.alarming.first(), scope.phase) {
        (Some(alarm), _) => {
            let others = match scope.alarming.len() {
                1 => String::new(),
                more => format!(", and {} more", more - 1),
            };
            let change = change(alarm).to_lowercase();
            ("alarming", format!("{}: {change}{others}", alarm.metric.title()))
        }
        (None, Phase::Learning) => ("learning", "Nothing alarms in the first day".into()),
        (None, Phase::Settling) => {
            ("settling", "Weekly season not known yet: alarms open no incident".into())
        }
        (None, Phase::Settled) => ("normal", "Daily and weekly season known".into()),
    };
    let total: f32 = scope.requests_24h.iter().flatten().sum();
    let most = scope.requests_24h.iter().flatten().copied().fold(0.0, f32::max);
    let pairs = [("dimension", if whole { "" } else { dimension }), ("part", value.as_str())];
    ScopeView {
        href: link(&format!("/baselines/{application}"), &pairs),
        application: application.clone(),
        part: if whole { String::new() } else { format!("{} {value}", words(dimension)) },
        state,
        about,
        spark: spark(&scope.requests_24h),
        spark_words: format!("Requests in the last day: {total:.0}, at most {most:.0} in an hour"),
        alarms: scope.alarms_7d,
        seen: Moment::new(scope.last_seen, now),
    }
}
