//! Geometry of plots. Templates draw it; text is real text beside the drawing, so it stays
//! readable at every width and to every reader.

use jiff::Timestamp;
use quell_domain::Severity;
use serde::Serialize;

use crate::moment::{Moment, span};

/// Signals of one time bin, by severity from critical to low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bin {
    /// Where the bin starts.
    pub from: Timestamp,
    /// Critical, high, medium, low.
    pub counts: [u64; 4],
}

/// Something worth a line across the plot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// When.
    pub at: Timestamp,
    /// What.
    pub title: String,
}

/// One rectangle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bar {
    x: String,
    y: String,
    w: String,
    h: String,
    class: &'static str,
    title: String,
}

/// One line across.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagLine {
    x: String,
    title: String,
}

/// One colour of the legend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Series {
    class: &'static str,
    total: u64,
}

/// One row of the table behind the plot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    from: String,
    counts: [u64; 4],
}

/// Stacked counts over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Histogram {
    title: String,
    axes: String,
    alternative: String,
    width: u64,
    top: u64,
    middle: String,
    bars: Vec<Bar>,
    flags: Vec<FlagLine>,
    ticks: Vec<String>,
    series: Vec<Series>,
    rows: Vec<Row>,
}

/// Units of one bin's width, of which bars use all but the gap.
const BIN: u64 = 10;
const GAP: f64 = 1.5;
const HEIGHT: f64 = 100.0;

impl Histogram {
    /// Plots `bins` of equal length `seconds`; `flags` outside them are left out.
    pub fn new(title: &str, bins: &[Bin], seconds: u64, flags: &[Flag]) -> Self {
        let peak = bins.iter().map(|bin| bin.counts.iter().sum()).max().unwrap_or(0);
        let top = round_up(peak);
        let width = bins.len().max(1) as u64 * BIN;
        let totals = totals(bins);
        let total: u64 = totals.iter().sum();
        let length = span(seconds * bins.len() as u64);
        Self {
            title: title.into(),
            axes: format!("Signals per {}, last {length}, UTC", span(seconds)),
            alternative: format!(
                "{title}: {total} in the last {length}, at most {peak} per {}; {} critical, {} \
                 high, {} medium, {} low.",
                span(seconds),
                totals[0],
                totals[1],
                totals[2],
                totals[3]
            ),
            width,
            top,
            middle: if top.is_multiple_of(2) { (top / 2).to_string() } else { String::new() },
            bars: bars(bins, top),
            flags: flag_lines(bins, seconds, flags),
            ticks: ticks(bins, seconds),
            series: Severity::ALL
                .iter()
                .zip(totals)
                .map(|(severity, total)| Series { class: severity.as_str(), total })
                .collect(),
            rows: bins
                .iter()
                .filter(|bin| bin.counts != [0; 4])
                .map(|bin| Row { from: stamp(bin.from), counts: bin.counts })
                .collect(),
        }
    }
}

impl Histogram {
    /// The same with other words at its axes.
    pub(crate) fn with_axes(self, axes: String) -> Self {
        Self { axes, ..self }
    }
}

fn totals(bins: &[Bin]) -> [u64; 4] {
    let mut totals = [0; 4];
    for bin in bins {
        for (total, count) in totals.iter_mut().zip(bin.counts) {
            *total += count;
        }
    }
    totals
}

fn bars(bins: &[Bin], top: u64) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (index, bin) in bins.iter().enumerate() {
        let mut base = HEIGHT;
        for (severity, count) in Severity::ALL.iter().zip(bin.counts) {
            if count == 0 {
                continue;
            }
            let h = count as f64 / top as f64 * HEIGHT;
            base -= h;
            bars.push(Bar {
                x: number(index as f64 * BIN as f64 + GAP / 2.0),
                y: number(base),
                w: number(BIN as f64 - GAP),
                h: number(h),
                class: severity.as_str(),
                title: format!("{}: {count} {severity}", stamp(bin.from)),
            });
        }
    }
    bars
}

fn flag_lines(bins: &[Bin], seconds: u64, flags: &[Flag]) -> Vec<FlagLine> {
    let Some(first) = bins.first() else { return Vec::new() };
    let end = bins.len() as f64 * BIN as f64;
    flags
        .iter()
        .filter_map(|flag| {
            let offset = flag.at.duration_since(first.from).as_secs_f64();
            let x = offset / seconds.max(1) as f64 * BIN as f64;
            (0.0..=end).contains(&x).then(|| FlagLine { x: number(x), title: flag.title.clone() })
        })
        .collect()
}

/// Six labels at even distances, each at the left edge of its part.
fn ticks(bins: &[Bin], seconds: u64) -> Vec<String> {
    let every = (bins.len() / 6).max(1);
    // Over days the hour says nothing.
    let form = if seconds * bins.len() as u64 > 2 * 86_400 { "%b %-d" } else { "%H:%M" };
    bins.iter()
        .step_by(every)
        .map(|bin| bin.from.to_zoned(jiff::tz::TimeZone::UTC).strftime(form).to_string())
        .collect()
}

/// The next of 1, 2, 4, 6, 8, 10 times a power of ten, so that the axis reads easily.
fn round_up(peak: u64) -> u64 {
    let mut scale = 1;
    loop {
        for step in [2, 4, 6, 8, 10] {
            if peak <= step * scale {
                return step * scale;
            }
        }
        scale *= 10;
    }
}

pub(crate) fn stamp(at: Timestamp) -> String {
    let moment = Moment::new(at, at);
    format!("{} {}", moment.day, &moment.clock[..5])
}

pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(counts: &[[u64; 4]]) -> Vec<Bin> {
        counts
            .iter()
            .enumerate()
            .map(|(index, counts)| Bin {
                from: Timestamp::from_second(index as i64 * 1_800).unwrap_or_default(),
                counts: *counts,
            })
            .collect()
    }

    #[test]
    fn axis_ends_on_a_number_people_can_halve() {
        for (peak, top) in [(0, 2), (1, 2), (3, 4), (7, 8), (11, 20), (55, 60), (999, 1_000)] {
            assert_eq!(round_up(peak), top, "peak {peak}");
        }
    }

    #[test]
    fn bars_stack_to_the_count_and_stay_inside() {
        let plot = Histogram::new("Signals", &bins(&[[1, 2, 0, 1], [0; 4]]), 1_800, &[]);
        assert_eq!(plot.bars.len(), 3);
        assert_eq!(plot.bars[2].y, "0");
        assert_eq!(plot.rows.len(), 1);
        assert!(plot.alternative.contains("1 critical, 2 high, 0 medium, 1 low"));
    }

    #[test]
    fn flags_outside_the_range_are_left_out() {
        let flag = |second| Flag {
            at: Timestamp::from_second(second).unwrap_or_default(),
            title: "opened".into(),
        };
        let plot = Histogram::new(
            "Signals",
            &bins(&[[0; 4]; 4]),
            1_800,
            &[flag(-1), flag(900), flag(9_000)],
        );
        assert_eq!(plot.flags.len(), 1);
        assert_eq!(plot.flags[0].x, "5");
    }
}
