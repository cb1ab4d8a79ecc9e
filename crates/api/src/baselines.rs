//! What is normal for each application, and what left it.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_baselines::{Dimension, Metric, ScopeKey};
use quell_control::Control;
use quell_control::baselines::{AlarmView, DetailRequest, ScopeDetail, ScopeSummary};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::problem::{Problem, Result};

/// A scope: an application, or one of its models, endpoints, principal classes or tools.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Baseline {
    /// The application.
    application: String,
    /// `application`, `model`, `endpoint`, `principal` or `tool`.
    dimension: &'static str,
    /// Which one; empty for the whole application.
    part: String,
    /// `learning`, `settling` or `settled`.
    #[schema(value_type = String)]
    phase: quell_baselines::Phase,
    /// Seconds of a cell.
    cell_seconds: i64,
    /// When something was last seen.
    last_seen: Timestamp,
    /// What alarms now.
    alarming: Vec<BaselineAlarm>,
    /// Alarms that began in the last seven days.
    alarms_7d: usize,
    /// Requests of each of the last 24 hours, oldest first; null where nothing is known.
    requests_24h: Vec<Option<f32>>,
}

impl From<ScopeSummary> for Baseline {
    fn from(view: ScopeSummary) -> Self {
        Self {
            application: view.key.application,
            dimension: view.key.dimension.as_str(),
            part: view.key.value,
            phase: view.phase,
            cell_seconds: view.cell_seconds,
            last_seen: view.last_seen,
            alarming: view.alarming.into_iter().map(BaselineAlarm::from).collect(),
            alarms_7d: view.alarms_7d,
            requests_24h: view.requests_24h,
        }
    }
}

/// A metric left its baseline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BaselineAlarm {
    /// The metric.
    metric: &'static str,
    /// `up` or `down`.
    change: &'static str,
    /// When it began.
    since: Timestamp,
    /// When it ended; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// Value of its first cell.
    value: f32,
    /// What was expected of it.
    expected: f32,
    /// Whether the weekly season was known; before that an alarm is shown, but opens no incident.
    settled: bool,
    /// Whether it lasted a day and was then taken for the new normal.
    accepted: bool,
}

impl From<AlarmView> for BaselineAlarm {
    fn from(view: AlarmView) -> Self {
        let AlarmView { metric, change, since, until, value, expected, settled, accepted } = view;
        let metric = metric.as_str();
        Self { metric, change, since, until, value, expected, settled, accepted }
    }
}

/// One scope, one metric.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BaselineDetail {
    /// What the list says about it.
    baseline: Baseline,
    /// The metric shown.
    metric: &'static str,
    /// `ms`, `share`, or empty for a number.
    unit: &'static str,
    /// Metrics that have values in the range.
    metrics: Vec<&'static str>,
    /// Bearable false alarms a week for this scope.
    false_alarms_per_week: f64,
    /// Factor on every published threshold of the metric, which follows from that.
    factor: f64,
    /// Cells, oldest first.
    points: Vec<BaselinePoint>,
    /// Alarms of every metric, newest first.
    alarms: Vec<BaselineAlarm>,
}

/// One cell of one metric.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BaselinePoint {
    /// Its start, seconds since 1970.
    start: i64,
    /// Its value; null where nothing is known.
    value: Option<f32>,
    /// What was expected.
    expected: Option<f32>,
    /// Below it two cells running alarm.
    low: Option<f32>,
    /// Above it two cells running alarm; of a rate, the rate it is tested against.
    high: Option<f32>,
}

impl From<ScopeDetail> for BaselineDetail {
    fn from(view: ScopeDetail) -> Self {
        let points = view.points.into_iter().map(|point| BaselinePoint {
            start: point.start,
            value: point.value,
            expected: point.expected,
            low: point.band.map(|(low, _)| low),
            high: point.band.map(|(_, high)| high),
        });
        Self {
            baseline: view.summary.into(),
            metric: view.metric.as_str(),
            unit: view.metric.unit(),
            metrics: view.metrics.into_iter().map(Metric::as_str).collect(),
            false_alarms_per_week: view.false_alarms_per_week,
            factor: view.factor,
            points: points.collect(),
            alarms: view.alarms.into_iter().map(BaselineAlarm::from).collect(),
        }
    }
}

/// Lists every scope, an application before its parts.
#[utoipa::path(
    get, path = "/api/v1/baselines", tag = "baselines",
    responses((status = 200, body = [Baseline]))
)]
pub(crate) async fn list_baselines(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<Baseline>>> {
    Ok(Reply(control.baselines(&access).await?.into_iter().map(Baseline::from).collect()))
}

/// Which part, which metric.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichBaseline {
    /// `application` (default), `model`, `endpoint`, `principal` or `tool`.
    dimension: Option<String>,
    /// Which one; empty for the whole application.
    part: Option<String>,
    /// The metric; `requests` by default.
    metric: Option<String>,
    /// Hours shown, 1 to 336; 24 by default.
    hours: Option<u32>,
}

/// Shows one metric of one scope: values, what was expected, and alarms.
#[utoipa::path(
    get, path = "/api/v1/baselines/{application}", tag = "baselines",
    params(("application", description = "The application's name"), WhichBaseline),
    responses((status = 200, body = BaselineDetail))
)]
pub(crate) async fn show_baseline(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(application): Path<String>,
    Query(which): Query<WhichBaseline>,
) -> Result<Reply<BaselineDetail>> {
    let named = which.dimension.as_deref().unwrap_or("application");
    let dimension =
        Dimension::ALL.into_iter().find(|known| known.as_str() == named).ok_or_else(|| {
            let all = Dimension::ALL.map(Dimension::as_str).join(", ");
            Problem::invalid("invalid_dimension", format!("a dimension is one of {all}"))
        })?;
    let metric = which.metric.as_deref().unwrap_or("requests").parse().map_err(|_| {
        let all = Metric::ALL.map(Metric::as_str).join(", ");
        Problem::invalid("invalid_metric", format!("a metric is one of {all}"))
    })?;
    let key = ScopeKey { application, dimension, value: which.part.unwrap_or_default() };
    let request = DetailRequest { key, metric, hours: which.hours.unwrap_or(24) };
    Ok(Reply(control.baseline(&access, &request).await?.into()))
}

/// How many false alarms are bearable.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaselineBudget {
    /// A week, for each scope of the application: 0.1 to 50.
    false_alarms_per_week: f64,
}

/// Sets how many false alarms a week are bearable, for each scope of an application. Thresholds
/// follow at the next midnight, UTC.
#[utoipa::path(
    put, path = "/api/v1/baselines/{application}/budget", tag = "baselines",
    request_body = BaselineBudget,
    params(("application", description = "The application's name")),
    responses((status = 204))
)]
pub(crate) async fn set_baseline_budget(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(application): Path<String>,
    Json(budget): Json<BaselineBudget>,
) -> Result<StatusCode> {
    control.set_baseline_budget(&access, &application, budget.false_alarms_per_week).await?;
    Ok(StatusCode::NO_CONTENT)
}
