//! One scope: an application, or one of its models, endpoints, principal classes or tools.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Row, denominator, silent_row, unknown_row};
use crate::metric::{Change, METRICS, Metric};
use crate::rate::Rate;
use crate::seasonal::{Level, Terms, Verdict};
use crate::series::{Basis, Expected, Series, logarithm};

/// Alarms remembered for the plot.
const ALARMS_KEPT: usize = 256;
/// Seconds without a flag that end an alarm.
const QUIET: i64 = 3_600;
/// Seconds after which what alarms is taken for the new normal.
const ACCEPTED: i64 = 86_400;
/// Sensitivity factor while the weekly season is not known.
const UNSETTLED: f64 = 1.5;

/// What a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The whole application.
    Application,
    /// A model version, as the provider names it.
    Model,
    /// A wire surface.
    Endpoint,
    /// How whoever asks is known.
    Principal,
    /// A tool the model calls.
    Tool,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Self; 5] =
        [Self::Application, Self::Model, Self::Endpoint, Self::Principal, Self::Tool];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Model => "model",
            Self::Endpoint => "endpoint",
            Self::Principal => "principal",
            Self::Tool => "tool",
        }
    }
}

/// Which scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScopeKey {
    /// The application.
    pub application: String,
    /// What of it.
    pub dimension: Dimension,
    /// Which one; empty for the whole application, `other` for all beyond the limit.
    pub value: String,
}

impl ScopeKey {
    /// An application as a whole.
    pub fn application(name: &str) -> Self {
        let (application, value) = (name.to_owned(), String::new());
        Self { application, dimension: Dimension::Application, value }
    }
}

/// An alarm: a metric left its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The metric.
    pub metric: Metric,
    /// Which way.
    pub change: Change,
    /// Start of the first cell that was flagged, seconds since 1970.
    pub start: i64,
    /// End of the last cell that was flagged; none while it lasts.
    pub end: Option<i64>,
    /// Value of the first cell; of a rate the share.
    pub value: f32,
    /// What was expected of it.
    pub expected: f32,
    /// Whether at least two weeks were known, so that the weekly season is.
    pub settled: bool,
    /// Whether it lasted a day and was then taken for the new normal.
    #[serde(default)]
    pub accepted: bool,
}

/// One judged cell of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Its start, seconds since 1970.
    pub start: i64,
    /// Its value; none where nothing is known.
    pub value: Option<f32>,
    /// What was expected.
    pub expected: Option<f32>,
    /// From where to where two cells running would be no alarm; of a rate up to the rate it is
    /// tested against.
    pub band: Option<(f32, f32)>,
}

/// What happens to a metric now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Watch {
    /// Since when it alarms: index into the alarms by start.
    since: Option<i64>,
    /// Which way it last alarmed.
    #[serde(default)]
    change: Option<Change>,
    /// End of the last flagged cell.
    flagged_until: i64,
}

/// How much a scope knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Less than a day of cells: nothing alarms.
    Learning,
    /// Less than two weeks: alarms are wider and open no incident.
    Settling,
    /// Daily and weekly season are known.
    Settled,
}

/// One scope.
#[derive(Debug, Clone)]
pub struct Scope {
    pub(crate) series: Series,
    pub(crate) head: Head,
}

/// What of a scope is saved beside its closed cells.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Open cells by number.
    pub(crate) open: BTreeMap<i64, Cell>,
    levels: Vec<Level>,
    rates: Vec<Rate>,
    watches: Vec<Watch>,
    pub(crate) alarms: Vec<Alarm>,
    /// Factor of every threshold by metric; from the false-alarm budget.
    pub(crate) sensitivity: Vec<f64>,
    /// Texts by script since the beginning.
    scripts: [u64; crate::observe::SCRIPTS],
    /// When something was last seen, seconds.
    pub(crate) last_seen: i64,
}

impl Scope {
    /// A scope whose first cell is number `first`.
    pub(crate) fn new(seconds: i64, first: i64) -> Self {
        Self { series: Series::new(seconds, first), head: Head::new() }
    }

    /// A saved scope: its head, then its days, oldest first.
    pub(crate) fn restore<'d>(
        seconds: i64,
        next: i64,
        head: Head,
        days: impl Iterator<Item = &'d [u8]>,
    ) -> Self {
        let mut scope = Self { series: Series::new(seconds, next), head };
        scope.head.fill();
        days.for_each(|bytes| scope.series.take_day(bytes));
        if scope.series.next() != next {
            // The days are damaged: begin with none of them.
            scope.series = Series::new(seconds, next);
        }
        scope
    }

    /// The closed cells.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Alarms of the last weeks, oldest first.
    pub fn alarms(&self) -> &[Alarm] {
        &self.head.alarms
    }

    /// Factor of every threshold of a metric, set by the false-alarm budget; 1 as published.
    pub fn sensitivity(&self, metric: Metric) -> f64 {
        self.head.sensitivity[metric.index()]
    }

    /// When something was last seen, seconds since 1970.
    pub fn last_seen(&self) -> i64 {
        self.head.last_seen
    }

    /// How much is known.
    pub fn phase(&self) -> Phase {
        match self.series.basis() {
            Basis::Nothing => Phase::Learning,
            Basis::Day => Phase::Settling,
            Basis::Week => Phase::Settled,
        }
    }

    /// The usual rate of a metric, as a prior for parts of this scope.
    pub(crate) fn usual_rate(&self, metric: Metric) -> Option<f64> {
        let rate = self.head.rates.get(metric.index().checked_sub(crate::metric::FIRST_RATE)?)?;
        rate.is_known().then(|| rate.usual(None))
    }

    /// The band around an expected value: `(low, high)`.
    fn band(&self, metric: Metric, expected: f32, requests: f32) -> (f32, f32) {
        if metric.is_rate() {
            return (0.0, (2.0 * expected).min(0.9));
        }
        let Some(level) = self.head.levels.get(metric.index()) else { return (0.0, 0.0) };
        let wide = 4.0 * self.sensitivity(metric) * level.spread(f64::from(requests));
        let factor = (wide.min(20.0)).exp() as f32;
        (expected / factor, expected * factor)
    }

    /// The judged cells of one metric that start at or after `from`, oldest first.
    pub fn points(&self, metric: Metric, from: i64) -> Vec<Point> {
        let number = |value: f32| value.is_finite().then_some(value);
        let cells = self.series.judged().filter(|(start, ..)| *start >= from);
        let point = |(start, row, expected): (i64, &Row, &Expected)| {
            let usual = number(expected[metric.index()]);
            let requests = expected[Metric::Requests.index()];
            let band = usual.map(|usual| self.band(metric, usual, requests));
            Point { start, value: number(shown(metric, row)), expected: usual, band }
        };
        cells.map(point).collect()
    }

    /// The scale of a positive metric's residuals where `count` exchanges are expected.
    pub(crate) fn spread(&self, metric: Metric, count: f64) -> f64 {
        self.head.levels.get(metric.index()).map_or(1.0, |level| level.spread(count))
    }

    /// Closes the next cell, and gives the alarms that begin with it. `known`: whether silence
    /// means that nothing came, not that nobody was listening.
    pub(crate) fn close(
        &mut self,
        known: bool,
        prior: impl Fn(Metric) -> Option<f64>,
    ) -> Vec<Alarm> {
        let number = self.series.next();
        let seconds = self.series.seconds();
        let cell = self.head.open.remove(&number);
        let row = match &cell {
            Some(cell) => {
                for (all, seen) in self.head.scripts.iter_mut().zip(cell.scripts()) {
                    *all += seen;
                }
                cell.row(seconds, self.head.usual_script())
            }
            None if known => silent_row(),
            None => unknown_row(),
        };
        let mut begun = Vec::new();
        let mut expected = [f32::NAN; METRICS];
        let terms = self.terms();
        let mut requests = None;
        for metric in Metric::ALL {
            let verdict = if metric.is_rate() {
                self.judge_rate(metric, &row, seconds, &prior)
            } else {
                self.judge_level(metric, &row, requests, terms)
            };
            let Some(verdict) = verdict else { continue };
            expected[metric.index()] = verdict.expected as f32;
            if metric == Metric::Requests {
                requests = Some(verdict.expected);
            }
            begun.extend(self.watch(metric, &verdict, &row, number * seconds));
        }
        self.series.push(row, expected);
        for (metric, level) in Metric::ALL.into_iter().zip(&mut self.head.levels) {
            if level.wants_scale() {
                level.rescale(self.series.residuals(metric).collect());
            }
        }
        begun
    }

    fn terms(&self) -> Terms {
        let day = self.series.day();
        Terms { width: self.series.seconds() as f64 / 300.0, training: day, sensitivity: None }
    }

    fn factor(&self, metric: Metric) -> Option<f64> {
        let set = self.head.sensitivity[metric.index()];
        match self.series.basis() {
            Basis::Nothing => None,
            Basis::Day => Some(set * UNSETTLED),
            Basis::Week => Some(set),
        }
    }

    fn judge_level(
        &mut self,
        metric: Metric,
        row: &Row,
        requests: Option<f64>,
        terms: Terms,
    ) -> Option<Verdict> {
        let l = logarithm(metric, row)?;
        let season = self.series.season(metric, self.series.basis())?;
        let change = self.series.basis_change(metric);
        let sensitivity = self.factor(metric);
        let level = self.head.levels.get_mut(metric.index())?;
        if let Some((old, new)) = change {
            level.rebase(old, new);
        }
        Some(level.step(l, season, requests, &Terms { sensitivity, ..terms }))
    }

    fn judge_rate(
        &mut self,
        metric: Metric,
        row: &Row,
        seconds: i64,
        prior: &impl Fn(Metric) -> Option<f64>,
    ) -> Option<Verdict> {
        let (hits, count) = (row[metric.index()], denominator(metric, row));
        if !(hits.is_finite() && count > 0.0) {
            return None;
        }
        let sensitivity = self.factor(metric);
        let rate = self.head.rates.get_mut(metric.index() - crate::metric::FIRST_RATE)?;
        Some(rate.step(f64::from(hits), f64::from(count), seconds, prior(metric), sensitivity))
    }

    /// Follows the alarms of one metric; gives one that begins.
    fn watch(&mut self, metric: Metric, verdict: &Verdict, row: &Row, start: i64) -> Option<Alarm> {
        let end = start + self.series.seconds();
        let settled = self.series.basis() == Basis::Week;
        let watch = &mut self.head.watches[metric.index()];
        if verdict.flagged.is_some() {
            watch.flagged_until = end;
        }
        let turned = verdict.flagged.filter(|change| watch.change.is_some_and(|c| c != *change));
        if let (Some(since), Some(_)) = (watch.since, turned) {
            // The other way now: one alarm ends and another begins.
            watch.since = None;
            if let Some(alarm) = alarm_of(&mut self.head.alarms, metric, since) {
                alarm.end = Some(start);
            }
        }
        let Some(since) = watch.since else {
            let change = verdict.flagged?;
            watch.change = Some(change);
            watch.since = Some(start);
            let alarm = Alarm {
                metric,
                change,
                start,
                end: None,
                value: shown(metric, row),
                expected: verdict.expected as f32,
                settled,
                accepted: false,
            };
            self.head.alarms.push(alarm.clone());
            let many = self.head.alarms.len().saturating_sub(ALARMS_KEPT);
            self.head.alarms.drain(..many);
            return Some(alarm);
        };
        let accepted = verdict.flagged.is_some() && end - since >= ACCEPTED;
        if accepted || end - watch.flagged_until >= QUIET {
            watch.since = None;
            let until = watch.flagged_until;
            if let Some(alarm) = alarm_of(&mut self.head.alarms, metric, since) {
                (alarm.end, alarm.accepted) = (Some(until), accepted);
            }
            if accepted {
                self.accept(metric, row);
            }
        }
        None
    }

    fn accept(&mut self, metric: Metric, row: &Row) {
        let hour = usize::try_from(QUIET / self.series.seconds()).unwrap_or(1);
        if let Some(level) = self.head.levels.get_mut(metric.index()) {
            let last = self.series.residuals(metric).rev().take(hour.max(1));
            level.accept(last.collect());
            return;
        }
        let day = self.series.day();
        let last = self.series.judged().rev().take(day).map(|(_, row, _)| row);
        let mut sums = (0.0, 0.0);
        for row in last.chain(std::iter::once(row)) {
            let (hits, count) = (row[metric.index()], denominator(metric, row));
            if hits.is_finite() && count.is_finite() {
                sums = (sums.0 + f64::from(hits), sums.1 + f64::from(count));
            }
        }
        if let Some(rate) = self.head.rates.get_mut(metric.index() - crate::metric::FIRST_RATE) {
            rate.accept(sums.0, sums.1);
        }
    }
}

fn alarm_of(alarms: &mut [Alarm], metric: Metric, since: i64) -> Option<&mut Alarm> {
    alarms.iter_mut().find(|alarm| alarm.metric == metric && alarm.start == since)
}

/// The value people see: of a rate the share.
pub(crate) fn shown(metric: Metric, row: &Row) -> f32 {
    let value = row[metric.index()];
    if metric.is_rate() { value / denominator(metric, row) } else { value }
}

impl Head {
    fn new() -> Self {
        let mut head = Self::default();
        head.fill();
        head
    }

    /// Makes room for metrics that an older version did not have.
    fn fill(&mut self) {
        self.levels.resize_with(crate::metric::FIRST_RATE, Level::default);
        self.rates.resize_with(crate::metric::RATES, Rate::default);
        self.watches.resize_with(METRICS, Watch::default);
        self.sensitivity.resize(METRICS, 1.0);
    }

    /// The script most texts are in; none before the first text.
    fn usual_script(&self) -> Option<usize> {
        let most = self.scripts.iter().max().filter(|most| **most > 0)?;
        self.scripts.iter().position(|texts| texts == most)
    }
}

/// Expected values keep their place in a saved day.
const _: () = assert!(size_of::<Expected>() == METRICS * 4);
