//! The tables. Ratios and differences are taken inside a round, then the middle of the rounds.

use std::fmt::Write as _;

use crate::row::{Row, median};
use crate::run::{ALONE, DIGITS, FRESH, FRESH_SMALL, LARGE, Report, SMALL, WORDS, WORDS_MANY};
use crate::targets::{DIRECT, FLOOR, GUARDS_OFF, GUARDS_ON, MANY, METADATA, NGINX};

const TARGETS: [&str; 6] = [DIRECT, FLOOR, NGINX, GUARDS_OFF, GUARDS_ON, METADATA];

/// Everything, for a terminal.
pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    environment(&mut out, report);
    for scenario in [SMALL, FRESH_SMALL, FRESH, LARGE] {
        load(&mut out, &report.rows, scenario);
    }
    alone(&mut out, &report.rows);
    for scenario in [WORDS, WORDS_MANY, DIGITS] {
        stream(&mut out, &report.rows, scenario);
    }
    costs(&mut out, &report.rows);
    memory(&mut out, report);
    containment(&mut out, report);
    refused(&mut out, &report.rows);
    out
}

fn environment(out: &mut String, report: &Report) {
    let it = &report.environment;
    line(out, &format!("\n{}; {}, {} cores; {}", it.started_at, it.processor, it.cores, it.nginx));
    line(out, it.pinned);
    line(
        out,
        &format!(
            "{} rounds of {} s; load average {:.1} before, {:.1} after",
            it.rounds, it.seconds, it.load_average_before, it.load_average_after
        ),
    );
    if !it.optimised {
        line(out, "NOT A RELEASE BUILD: these figures mean nothing");
    }
}

fn load(out: &mut String, rows: &[Row], scenario: &str) {
    head(out, scenario, &["CPU us/req", "x floor", "x nginx", "req/s", "p50 us", "p99 us"]);
    for target in TARGETS {
        let of = |value: fn(&Row) -> f64| value_of(rows, scenario, target, value);
        let cpu = |row: &Row| row.cpu_us;
        let ratio = |to| median(pairs(rows, scenario, target, to, |a, b| cpu(a) / cpu(b)));
        let per_second = of(|row| row.count as f64 / row.seconds);
        let cells = [
            number(of(cpu), 1),
            number(ratio(FLOOR), 2),
            number(ratio(NGINX), 2),
            number(per_second, 0),
            number(of(|row| row.p50_us), 0),
            number(of(|row| row.p99_us), 0),
        ];
        entry(out, target, &cells);
    }
}

fn alone(out: &mut String, rows: &[Row]) {
    head(out, ALONE, &["p50 us", "p99 us", "p50 added", "p99 added", "p50 - nginx", "p99 - nginx"]);
    for target in TARGETS {
        let of = |value: fn(&Row) -> f64| value_of(rows, ALONE, target, value);
        let p50 = |to| median(pairs(rows, ALONE, target, to, |a, b| a.p50_us - b.p50_us));
        let p99 = |to| median(pairs(rows, ALONE, target, to, |a, b| a.p99_us - b.p99_us));
        let cells = [
            number(of(|row| row.p50_us), 0),
            number(of(|row| row.p99_us), 0),
            number(p50(DIRECT), 0),
            number(p99(DIRECT), 0),
            number(p50(NGINX), 0),
            number(p99(NGINX), 0),
        ];
        entry(out, target, &cells);
    }
}

fn stream(out: &mut String, rows: &[Row], scenario: &str) {
    head(
        out,
        scenario,
        &["1st token us", "added us", "lag p50 us", "lag p99 us", "p50 - direct", "CPU us/str."],
    );
    for target in TARGETS {
        let of = |value: fn(&Row) -> f64| value_of(rows, scenario, target, value);
        let first = |row: &Row| row.first_token_us.unwrap_or(f64::NAN);
        let added = pairs(rows, scenario, target, DIRECT, |a, b| first(a) - first(b));
        let lag = pairs(rows, scenario, target, DIRECT, |a, b| a.p50_us - b.p50_us);
        let cells = [
            number(of(first), 0),
            number(median(added), 0),
            number(of(|row| row.p50_us), 0),
            number(of(|row| row.p99_us), 0),
            number(median(lag), 0),
            number(of(|row| row.cpu_us), 0),
        ];
        entry(out, target, &cells);
    }
}

fn costs(out: &mut String, rows: &[Row]) {
    head(out, "what it costs, CPU us/req", &["190 B", "100 KB"]);
    for (name, with, without) in [
        ("rules", GUARDS_ON, GUARDS_OFF),
        ("recording the text", GUARDS_ON, METADATA),
        ("all of Quell, over the floor", GUARDS_ON, FLOOR),
    ] {
        let cost =
            |scenario| median(pairs(rows, scenario, with, without, |a, b| a.cpu_us - b.cpu_us));
        entry(out, name, &[number(cost(SMALL), 1), number(cost(LARGE), 1)]);
    }
}

fn memory(out: &mut String, report: &Report) {
    head(out, "memory", &["idle MiB", "loaded MiB", "answered"]);
    let mib = |kib: u64| number(kib as f64 / 1024.0, 1);
    for target in TARGETS.into_iter().chain([MANY]) {
        if let Some(memory) = report.memory.iter().find(|memory| memory.target == target) {
            let cells = [mib(memory.idle_kib), mib(memory.loaded_kib), memory.answered.to_string()];
            entry(out, target, &cells);
        }
    }
}

fn containment(out: &mut String, report: &Report) {
    head(
        out,
        "snapshot published, gateway part",
        &["refused p50", "refused p99", "proven p50", "proven p99", "trials"],
    );
    for it in &report.containment {
        let ms = |us: f64| format!("{} ms", number(us / 1e3, 2));
        let cells = [
            ms(it.refused_p50_us),
            ms(it.refused_p99_us),
            ms(it.verified_p50_us),
            ms(it.verified_p99_us),
            it.trials.to_string(),
        ];
        entry(out, it.situation, &cells);
    }
}

fn refused(out: &mut String, rows: &[Row]) {
    for row in rows.iter().filter(|row| !is_usable(row)) {
        let Row { round, scenario, target, failures, .. } = row;
        line(
            out,
            &format!("REFUSED: round {round}, {scenario}, {target}: {failures} requests failed"),
        );
    }
}

/// A row with a failure says nothing about speed.
fn is_usable(row: &Row) -> bool {
    row.failures == 0 && row.count > 0
}

fn usable<'a>(
    rows: &'a [Row],
    scenario: &'a str,
    target: &'a str,
) -> impl Iterator<Item = &'a Row> {
    rows.iter()
        .filter(move |row| row.scenario == scenario && row.target == target && is_usable(row))
}

fn value_of(rows: &[Row], scenario: &str, target: &str, value: fn(&Row) -> f64) -> f64 {
    median(usable(rows, scenario, target).map(value))
}

/// `compare` over the rounds in which both targets have a usable row.
fn pairs(
    rows: &[Row],
    scenario: &str,
    target: &str,
    to: &str,
    compare: impl Fn(&Row, &Row) -> f64,
) -> Vec<f64> {
    let same_round = |row: &Row| {
        usable(rows, scenario, to).find(|other| other.round == row.round).map(|b| compare(row, b))
    };
    usable(rows, scenario, target).filter_map(same_round).collect()
}

fn head(out: &mut String, title: &str, columns: &[&str]) {
    line(out, "");
    entry(out, title, columns);
}

fn entry(out: &mut String, name: &str, cells: &[impl AsRef<str>]) {
    let mut text = format!("{name:<33}");
    for cell in cells {
        let _infallible = write!(text, "{:>13}", cell.as_ref());
    }
    line(out, text.trim_end());
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn number(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "-".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(round: u32, target: &'static str, cpu_us: f64, failures: u64) -> Row {
        Row {
            round,
            scenario: SMALL,
            target,
            count: 10,
            failures,
            seconds: 1.0,
            cpu_us,
            p50_us: 1.0,
            p99_us: 2.0,
            first_token_us: None,
            load_average: 0.0,
        }
    }

    #[test]
    fn ratios_stay_inside_a_round_and_rows_with_failures_do_not_count() {
        let rows = [
            row(1, FLOOR, 10.0, 0),
            row(1, GUARDS_ON, 30.0, 0),
            row(2, FLOOR, 20.0, 0),
            row(2, GUARDS_ON, 40.0, 0),
            row(3, FLOOR, 1.0, 1),
            row(3, GUARDS_ON, 99.0, 0),
        ];
        let ratios = pairs(&rows, SMALL, GUARDS_ON, FLOOR, |a, b| a.cpu_us / b.cpu_us);
        assert_eq!(ratios, [3.0, 2.0]);
        let mut out = String::new();
        refused(&mut out, &rows);
        assert!(out.contains("round 3") && out.contains("hyper floor"), "{out}");
    }
}
