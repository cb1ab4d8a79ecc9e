//! What is normal for each application, as people see it, and what they set about it.

use jiff::{SignedDuration, Timestamp};
use quell_baselines::{
    Alarm, Book, Budget, Dimension, Metric, Phase, Point, SavedScope, Scope, ScopeKey, Settings,
};
use quell_domain::AccessRole;
use quell_store::{BaselineScope, Read};
use serde::Serialize;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// The row of `settings` that holds [`Settings`].
const SETTINGS: &str = "baselines";
/// Values of the small plot in the list: the last day in hours.
const SPARK: usize = 24;

/// A scope in the list.
#[derive(Debug, Clone, Serialize)]
pub struct ScopeSummary {
    /// Which.
    pub key: ScopeKey,
    /// How much is known.
    pub phase: Phase,
    /// Seconds of a cell.
    pub cell_seconds: i64,
    /// When something was last seen.
    pub last_seen: Timestamp,
    /// What alarms now.
    pub alarming: Vec<AlarmView>,
    /// Alarms of the last seven days.
    pub alarms_7d: usize,
    /// Requests of each of the last 24 hours, oldest first; none where nothing is known.
    pub requests_24h: Vec<Option<f32>>,
}

/// An alarm.
#[derive(Debug, Clone, Serialize)]
pub struct AlarmView {
    /// The metric.
    pub metric: Metric,
    /// `up` or `down`.
    pub change: &'static str,
    /// When it began.
    pub since: Timestamp,
    /// When it ended; none while it lasts.
    pub until: Option<Timestamp>,
    /// Value of its first cell.
    pub value: f32,
    /// What was expected of it.
    pub expected: f32,
    /// Whether the weekly season was known, so that it counts as a signal of its rule.
    pub settled: bool,
    /// Whether it lasted a day and was then taken for the new normal.
    pub accepted: bool,
}

/// One scope in detail.
#[derive(Debug, Clone, Serialize)]
pub struct ScopeDetail {
    /// What the list says about it.
    pub summary: ScopeSummary,
    /// The metric shown.
    pub metric: Metric,
    /// Metrics that have values.
    pub metrics: Vec<Metric>,
    /// Its cells, oldest first.
    pub points: Vec<Point>,
    /// Alarms, newest first: of every metric.
    pub alarms: Vec<AlarmView>,
    /// Factor on every published threshold of the metric, from the budget.
    pub factor: f64,
    /// Bearable false alarms a week for this scope.
    pub false_alarms_per_week: f64,
}

/// Which scope, which metric, how far back.
#[derive(Debug, Clone)]
pub struct DetailRequest {
    /// Which.
    pub key: ScopeKey,
    /// The metric.
    pub metric: Metric,
    /// Hours shown, at most fourteen days.
    pub hours: u32,
}

impl Control {
    /// Every scope, an application before its parts.
    pub async fn baselines(&self, access: &Access) -> Result<Vec<ScopeSummary>, Refused> {
        access.require(AccessRole::Viewer)?;
        let now = self.now();
        self.with_book(|book| book.scopes().map(|(key, scope)| summary(key, scope, now)).collect())
            .await
    }

    /// One scope in detail.
    pub async fn baseline(
        &self,
        access: &Access,
        request: &DetailRequest,
    ) -> Result<ScopeDetail, Refused> {
        access.require(AccessRole::Viewer)?;
        let settings = settings(&mut self.read().await?).await?;
        let now = self.now();
        let found = self
            .with_book(|book| {
                let scope = book.scope(&request.key)?;
                Some(detail(request, scope, &settings, now))
            })
            .await?;
        found.ok_or_else(|| {
            let ScopeKey { application, dimension, value } = &request.key;
            let name = format!("{application} {} {value}", dimension.as_str());
            Refused::not_found("baseline", name.trim())
        })
    }

    /// Sets how many false alarms a week are bearable, for each scope of an application.
    /// Thresholds follow at the next midnight, UTC.
    pub async fn set_baseline_budget(
        &self,
        access: &Access,
        application: &str,
        per_week: f64,
    ) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        if Budget::new(per_week).is_none() {
            let (least, most) = Budget::RANGE;
            let message = format!("false alarms a week are from {least} to {most}");
            return Err(Refused::invalid("baseline.budget", message));
        }
        let mut unit = self.unit(&access.actor).await?;
        if unit.application(application).await?.is_none() {
            return Err(Refused::not_found("application", application));
        }
        let mut all = settings(&mut unit).await?;
        all.false_alarms_per_week.insert(application.to_owned(), per_week);
        put_settings(&mut unit, &all).await?;
        let data = json!({"application": application, "per_week": per_week.to_string()});
        unit.event(None, "baseline.budget_set", data);
        unit.commit().await?;
        Ok(())
    }

    /// Looks into the book that this process keeps, else into what another process saved.
    async fn with_book<T: Send>(&self, look: impl FnOnce(&Book) -> T + Send) -> Result<T, Refused> {
        let held = self.baselines_state().lock().await;
        if let Some(book) = held.book() {
            return Ok(look(book));
        }
        drop(held);
        let mut read = self.read().await?;
        let Some(stored) = read.baseline_state().await? else { return Ok(look(&Book::default())) };
        let scopes = saved_scopes(read.baseline_scopes().await?);
        let restored =
            tokio::task::spawn_blocking(move || Book::restore(&stored.state.meta, scopes));
        Ok(look(&restored.await.map_err(Refused::files)?.map_err(Refused::files)?))
    }
}

/// What operators set; the defaults where nothing is.
pub(crate) async fn settings(read: &mut Read) -> Result<Settings, Refused> {
    let text = read.setting(SETTINGS).await?;
    let set = text.map(|text| serde_json::from_str(&text)).transpose();
    Ok(set.map_err(Refused::files)?.unwrap_or_default())
}

async fn put_settings(unit: &mut quell_store::Tx, all: &Settings) -> Result<(), Refused> {
    let text = serde_json::to_string(all).map_err(Refused::files)?;
    unit.put_setting(SETTINGS, &text).await?;
    Ok(())
}

/// The stored name of a dimension.
pub(crate) const fn dimension(dimension: Dimension) -> &'static str {
    dimension.as_str()
}

/// Stored scopes as the book takes them; what has a dimension of a later version is left out.
pub(crate) fn saved_scopes(stored: Vec<BaselineScope>) -> Vec<SavedScope> {
    let known = stored.into_iter().filter_map(|scope| {
        let dimension =
            Dimension::ALL.into_iter().find(|known| known.as_str() == scope.dimension)?;
        let (application, value) = (scope.application, scope.part);
        let key = ScopeKey { application, dimension, value };
        let BaselineScope { seconds, next, head, days, .. } = scope;
        Some(SavedScope { key, seconds, next, head, days })
    });
    known.collect()
}

fn summary(key: &ScopeKey, scope: &Scope, now: Timestamp) -> ScopeSummary {
    let week = (now - SignedDuration::from_hours(7 * 24)).as_second();
    ScopeSummary {
        key: key.clone(),
        phase: scope.phase(),
        cell_seconds: scope.series().seconds(),
        last_seen: at(scope.last_seen()),
        alarming: scope.alarms().iter().filter(|a| a.end.is_none()).map(view).collect(),
        alarms_7d: scope.alarms().iter().filter(|a| a.start >= week).count(),
        requests_24h: spark(scope, now.as_second()),
    }
}

fn detail(
    request: &DetailRequest,
    scope: &Scope,
    settings: &Settings,
    now: Timestamp,
) -> ScopeDetail {
    let metric = request.metric;
    let from = now.as_second() - i64::from(request.hours.clamp(1, 14 * 24)) * 3_600;
    let has_values = |metric: &Metric| {
        scope.points(*metric, from).iter().any(|point| point.value.is_some_and(|value| value > 0.0))
    };
    ScopeDetail {
        summary: summary(&request.key, scope, now),
        metric,
        metrics: Metric::ALL.into_iter().filter(has_values).collect(),
        points: scope.points(metric, from),
        alarms: scope.alarms().iter().rev().map(view).collect(),
        factor: scope.sensitivity(metric),
        false_alarms_per_week: settings.budget(&request.key.application).per_week(),
    }
}

fn view(alarm: &Alarm) -> AlarmView {
    AlarmView {
        metric: alarm.metric,
        change: alarm.change.as_str(),
        since: at(alarm.start),
        until: alarm.end.map(at),
        value: alarm.value,
        expected: alarm.expected,
        settled: alarm.settled,
        accepted: alarm.accepted,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}

fn spark(scope: &Scope, now: i64) -> Vec<Option<f32>> {
    let first = now.div_euclid(3_600) - SPARK as i64 + 1;
    let mut hours = vec![None; SPARK];
    for point in scope.points(Metric::Requests, first * 3_600) {
        let hour = usize::try_from(point.start.div_euclid(3_600) - first).unwrap_or(SPARK);
        if let (Some(hour), Some(value)) = (hours.get_mut(hour), point.value) {
            *hour = Some(hour.unwrap_or(0.0) + value);
        }
    }
    hours
}
