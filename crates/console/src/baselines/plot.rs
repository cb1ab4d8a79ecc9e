//! Geometry of a metric over time: its line, the band around what was expected, its alarms.

use jiff::Timestamp;
use serde::Serialize;

use crate::plot::{number, stamp};

/// Points drawn at most; more are drawn together.
const POINTS_MAX: usize = 288;
/// Rows of the table behind the plot.
const ROWS_MAX: usize = 24;
const HEIGHT: f32 = 100.0;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// When it starts.
    pub from: Timestamp,
    /// Its value, if known.
    pub value: Option<f32>,
    /// What was expected.
    pub expected: Option<f32>,
    /// From where to where is normal.
    pub band: Option<(f32, f32)>,
}

/// A marked stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// What it is.
    pub title: String,
}

/// A stretch as drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    x: String,
    w: String,
    title: String,
}

/// One row of the table behind the plot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    from: String,
    value: String,
    expected: String,
    normal: String,
}

/// A metric over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    title: String,
    alternative: String,
    width: usize,
    top: String,
    middle: String,
    drawn: String,
    expected: String,
    band: String,
    alarms: Vec<Alarm>,
    ticks: Vec<String>,
    rows: Vec<Row>,
}

impl Line {
    /// Plots `cells`, oldest first; `unit` is `ms`, `share` or empty.
    pub fn new(title: &str, unit: &str, cells: &[Cell], marks: &[Mark]) -> Self {
        let drawn = thinned(cells, POINTS_MAX);
        let highest = |cell: &Cell| {
            let value = cell.value.unwrap_or(0.0).max(cell.expected.unwrap_or(0.0));
            // A wide band must not flatten the line.
            let high = cell.band.map_or(0.0, |(_, high)| high.min(value * 3.0));
            value.max(high)
        };
        let top = round_up(drawn.iter().map(highest).fold(0.0, f32::max));
        let y = |value: f32| number(f64::from(HEIGHT - (value / top).clamp(0.0, 1.0) * HEIGHT));
        let path = |of: &dyn Fn(&Cell) -> Option<f32>| {
            let mut text = String::new();
            let mut pen = 'M';
            for (x, cell) in drawn.iter().enumerate() {
                match of(cell) {
                    Some(value) => {
                        text.extend([String::from(pen), x.to_string(), " ".into(), y(value)]);
                        pen = 'L';
                    }
                    None => pen = 'M',
                }
            }
            text
        };
        let known = cells.iter().filter_map(|cell| cell.value);
        let last = known.clone().next_back().map_or("unknown".into(), |v| amount(v, unit));
        let most = amount(known.fold(0.0, f32::max), unit);
        Self {
            title: title.into(),
            alternative: format!(
                "{title}: {last} last, {most} at most, {} {} in {} cells.",
                marks.len(),
                if marks.len() == 1 { "alarm" } else { "alarms" },
                cells.len()
            ),
            width: drawn.len().max(2) - 1,
            top: amount(top, unit),
            middle: amount(top / 2.0, unit),
            drawn: path(&|cell| cell.value),
            expected: path(&|cell| cell.expected),
            band: band(&drawn, &y),
            alarms: alarms(&drawn, marks),
            ticks: ticks(&drawn),
            rows: thinned(cells, ROWS_MAX).iter().map(|cell| row(cell, unit)).collect(),
        }
    }
}

/// A small line without axes; empty where nothing is known.
pub fn spark(values: &[Option<f32>]) -> String {
    let top = values.iter().flatten().copied().fold(1.0, f32::max);
    let mut text = String::new();
    let mut pen = 'M';
    for (x, value) in values.iter().enumerate() {
        match value {
            Some(value) => {
                let y = number(f64::from(20.0 - value / top * 18.0));
                text.extend([String::from(pen), x.to_string(), " ".into(), y]);
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    text
}

/// A number with its unit, short.
pub fn amount(value: f32, unit: &str) -> String {
    match unit {
        "share" => format!("{} %", number(f64::from(value) * 100.0)),
        "ms" if value >= 10_000.0 => format!("{} s", number(f64::from(value) / 1e3)),
        "ms" => format!("{} ms", number(f64::from(value).round())),
        _ if value >= 1e6 => format!("{} M", number(f64::from(value) / 1e6)),
        _ if value >= 1e4 => format!("{} k", number(f64::from(value) / 1e3)),
        _ => number(f64::from(value)),
    }
}

/// At most `most` cells: neighbours drawn together, by their means.
fn thinned(cells: &[Cell], most: usize) -> Vec<Cell> {
    let together = cells.len().div_ceil(most).max(1);
    let mean = |values: Vec<f32>| {
        (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
    };
    let chunks = cells.chunks(together).filter_map(|chunk| {
        let of = |get: &dyn Fn(&Cell) -> Option<f32>| mean(chunk.iter().filter_map(get).collect());
        let band =
            of(&|cell| cell.band.map(|band| band.0)).zip(of(&|cell| cell.band.map(|band| band.1)));
        let (value, expected) = (of(&|cell| cell.value), of(&|cell| cell.expected));
        Some(Cell { from: chunk.first()?.from, value, expected, band })
    });
    chunks.collect()
}

/// The band as closed shapes, one per stretch where it is known.
fn band(cells: &[Cell], y: &dyn Fn(f32) -> String) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < cells.len() {
        let known = cells[at..].iter().take_while(|cell| cell.band.is_some()).count();
        let stretch = &cells[at..at + known];
        let edge = |(x, value): (usize, f32)| format!("{} {}", x + at, y(value));
        let high: Vec<String> = stretch
            .iter()
            .filter_map(|cell| cell.band.map(|band| band.1))
            .enumerate()
            .map(edge)
            .collect();
        let mut low: Vec<String> = stretch
            .iter()
            .filter_map(|cell| cell.band.map(|band| band.0))
            .enumerate()
            .map(edge)
            .collect();
        low.reverse();
        if known > 1 {
            text.extend(["M", &high.join("L"), "L", &low.join("L"), "Z"]);
        }
        at += known.max(1);
    }
    text
}

fn alarms(cells: &[Cell], marks: &[Mark]) -> Vec<Alarm> {
    let place = |at: Timestamp| cells.partition_point(|cell| cell.from < at) as f64;
    let Some(first) = cells.first() else { return Vec::new() };
    let seen = marks.iter().filter(|mark| mark.to >= first.from);
    let width = cells.len().max(2) as f64 - 1.0;
    let alarm = |mark: &Mark| {
        // A mark in the last cell still has to be seen.
        let x = place(mark.from).min(width - 0.6);
        let to = place(mark.to).clamp(x + 0.6, width.max(x + 0.6));
        Alarm { x: number(x), w: number(to - x), title: mark.title.clone() }
    };
    seen.map(alarm).collect()
}

fn row(cell: &Cell, unit: &str) -> Row {
    let shown = |value: Option<f32>| value.map_or("unknown".into(), |value| amount(value, unit));
    Row {
        from: stamp(cell.from),
        value: shown(cell.value),
        expected: shown(cell.expected),
        normal: cell.band.map_or("unknown".into(), |(low, high)| {
            format!("{} to {}", amount(low, unit), amount(high, unit))
        }),
    }
}

fn ticks(cells: &[Cell]) -> Vec<String> {
    let every = cells.len().div_ceil(6).max(1);
    let days = cells
        .first()
        .zip(cells.last())
        .is_some_and(|(first, last)| last.from.duration_since(first.from).as_hours() > 30);
    let format = if days { "%-d %b" } else { "%H:%M" };
    let label =
        |cell: &Cell| cell.from.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string();
    cells.iter().step_by(every).map(label).collect()
}

/// The next of 1, 2, 4, 6, 8, 10 times a power of ten.
fn round_up(peak: f32) -> f32 {
    if !(peak.is_finite() && peak > 0.0) {
        return 1.0;
    }
    let scale = 10f32.powf(peak.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * scale).find(|top| peak <= *top * 1.001).unwrap_or(peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(values: &[Option<f32>]) -> Vec<Cell> {
        let cell = |(at, value): (usize, &Option<f32>)| Cell {
            from: Timestamp::from_second(at as i64 * 300).unwrap_or_default(),
            value: *value,
            expected: value.map(|_| 10.0),
            band: value.map(|_| (5.0, 20.0)),
        };
        values.iter().enumerate().map(cell).collect()
    }

    #[test]
    fn what_is_unknown_breaks_the_line() {
        let plot = Line::new("R", "", &cells(&[Some(10.0), None, Some(20.0), Some(0.0)]), &[]);
        assert_eq!(plot.drawn, "M0 50M2 0L3 100");
        assert_eq!(plot.band, "M2 0L3 0L3 75L2 75Z");
        assert!(plot.alternative.contains("0 last, 20 at most, 0 alarms"), "{}", plot.alternative);
    }

    #[test]
    fn long_ranges_stay_small_and_marks_stay_inside() {
        let many = cells(&vec![Some(7.0); 4_032]);
        let mark = |from, to| Mark {
            from: Timestamp::from_second(from).unwrap_or_default(),
            to: Timestamp::from_second(to).unwrap_or_default(),
            title: "up".into(),
        };
        let marks = [mark(-900, -600), mark(600, 900), mark(4_031 * 300, i64::from(i32::MAX))];
        let plot = Line::new("R", "ms", &many, &marks);
        assert!(plot.drawn.len() < 4_000 && plot.rows.len() <= 24, "{}", plot.drawn.len());
        assert_eq!(plot.alarms.len(), 2);
        let empty = Line::new("R", "share", &[], &marks);
        assert_eq!((empty.drawn.as_str(), empty.alarms.len()), ("", 0));
    }

    #[test]
    fn amounts_are_short() {
        for (value, unit, text) in [
            (0.034, "share", "3.4 %"),
            (850.2, "ms", "850 ms"),
            (12_500.0, "ms", "12.5 s"),
            (2_500_000.0, "", "2.5 M"),
            (12.0, "", "12"),
        ] {
            assert_eq!(amount(value, unit), text);
        }
    }
}
