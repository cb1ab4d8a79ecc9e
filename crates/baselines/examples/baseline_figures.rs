//! What baselines find, and what they cry wolf about.
//!
//! `cargo run --profile fast -p quell-baselines --example baseline_figures -- synthetic [seeds]`
//! `… -- traces` and `… -- drift` read the folders of `QUELL_CORPORA`.

mod traffic;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use quell_baselines::stream::Adwin;
use quell_baselines::{Answer, Book, BookAlarm, Metric};
use quell_testkit::corpora::{Shelf, corpus_path};
use traffic::{CELL, DAYS, Dice, START, exchange, injections, of_application, play, score, season};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command for people")]
fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1);
    let shown = match arguments.next().as_deref() {
        Some("synthetic") => synthetic(arguments.next().and_then(|n| n.parse().ok()).unwrap_or(3)),
        Some("traces") => traces(),
        Some("drift") => drift(),
        _ => {
            eprintln!("usage: baseline_figures synthetic [seeds] | traces | drift");
            return std::process::ExitCode::from(2);
        }
    };
    println!("{shown}");
    std::process::ExitCode::SUCCESS
}

/// The table of detection and false alarms on simulated traffic, by seed.
fn synthetic(seeds: u64) -> String {
    let mut lines = vec![
        "| seed | metric | false/week, no injection | false/week beside injections | detected | \
         delay, cells |"
            .to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    for seed in 1..=seeds {
        let quiet = play(&mut Book::default(), seed, &[]);
        let injected = injections(&mut Dice(seed));
        let mut book = Book::default();
        let loud = play(&mut book, seed + 1_000, &injected);
        for metric in [Metric::Requests, Metric::OutputTokens, Metric::LatencyP95, Metric::Refusals]
        {
            let calm = score(&of_application(&quiet, metric), &[], metric);
            let found = score(&of_application(&loud, metric), &injected, metric);
            lines.push(format!(
                "| {seed} | {metric} | {:.1} | {:.1} | {:.2} | {} |",
                calm.false_per_week, found.false_per_week, found.detected, found.delay
            ));
        }
        let others = per_week(&quiet, START + (DAYS - 14) * 86_400, 14);
        lines.push(format!(
            "| {seed} | all metrics and scopes, seen by people | {others:.1} | | | |"
        ));
    }
    lines.join("\n")
}

/// Alarms a week, those within two hours of the one before counted once.
fn per_week(alarms: &[BookAlarm], from: i64, days: i64) -> f64 {
    let mut starts: Vec<i64> =
        alarms.iter().map(|alarm| alarm.alarm.start).filter(|at| *at >= from).collect();
    starts.sort_unstable();
    let mut seen = 0;
    let mut last = i64::MIN;
    for at in starts {
        if at.saturating_sub(last) > 7_200 {
            seen += 1;
            last = at;
        }
    }
    f64::from(seen) * 7.0 / days as f64
}

/// False alarms on the hour-long traces of `traces/`, stretched to five weeks: minutes are drawn
/// with replacement, thinned to the season, and played at the default setting.
fn traces() -> String {
    let mut lines = vec![
        "| trace | requests | requests | input_tokens | output_tokens | tokens_per_minute | \
         seen by people |"
            .to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for name in ["azure_llm_2023_conv", "azure_llm_2023_code", "mooncake_conversation"] {
        let Some(path) = corpus_path(Shelf::Corpora, &format!("traces/{name}.csv.gz")) else {
            continue;
        };
        let minutes = minutes(&path);
        let (mut book, mut dice, mut alarms, mut played) =
            (Book::default(), Dice(7), Vec::new(), 0u64);
        for minute in 0..DAYS * 1_440 {
            let start = START + minute * 60;
            let block = &minutes[usize::try_from(dice.next()).unwrap_or(0) % minutes.len()];
            for (offset, input, output) in block {
                // The traces are the peak.
                if dice.share() >= season(start) / 1.6 {
                    continue;
                }
                played += 1;
                let mut seen = exchange(start + offset, &mut dice);
                let (input_tokens, output_tokens) = (Some(*input), Some(*output));
                seen.answer = Some(Answer { input_tokens, output_tokens, ..Answer::default() });
                book.observe(seen, start);
            }
            if (start + 60) % CELL == 0 {
                alarms.extend(book.close(start + 60, Some(START)));
            }
        }
        let from = START + 14 * 86_400;
        let weekly = |metric| {
            let alarms = of_application(&alarms, metric);
            alarms.iter().filter(|at| **at >= from).count() as f64 / 3.0
        };
        lines.push(format!(
            "| {name} | {played} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            weekly(Metric::Requests),
            weekly(Metric::InputTokens),
            weekly(Metric::OutputTokens),
            weekly(Metric::TokensPerMinute),
            per_week(&alarms, from, 21),
        ));
    }
    lines.join("\n")
}

/// Requests by minute: second within it, tokens in, tokens out.
fn minutes(path: &PathBuf) -> Vec<Vec<(i64, u64, u64)>> {
    let mut minutes: Vec<Vec<(i64, u64, u64)>> = Vec::new();
    let mut first = None;
    for row in rows(path).into_iter().skip(1) {
        let [time, input, output] = [&row[0], &row[1], &row[2]];
        let second = match time.split_once(' ') {
            Some((_, clock)) => {
                let parts: Vec<f64> = clock.split(':').filter_map(|p| p.parse().ok()).collect();
                parts.iter().fold(0.0, |sum, part| sum * 60.0 + part) as i64
            }
            None => time.parse::<i64>().unwrap_or(0) / 1_000,
        };
        let since = second - *first.get_or_insert(second);
        let minute = usize::try_from(since / 60).unwrap_or(0);
        minutes.resize_with(minutes.len().max(minute + 1), Vec::new);
        let tokens = |text: &String| text.parse().unwrap_or(0);
        minutes[minute].push((since % 60, tokens(input), tokens(output)));
    }
    // The last minute is not whole.
    minutes.pop();
    minutes
}

/// Where ADWIN cuts the streams of `drift/`, each column scaled to its range.
fn drift() -> String {
    let mut lines = vec!["| stream | column | values | cuts | first cuts |".to_owned()];
    lines.push("|---|---|---|---|---|".into());
    for name in ["elec", "sea_stream", "weather"] {
        let Some(path) = corpus_path(Shelf::Corpora, &format!("drift/{name}.csv.gz")) else {
            continue;
        };
        let rows = rows(&path);
        let Some((header, rows)) = rows.split_first() else { continue };
        for (column, title) in header.iter().enumerate() {
            let values: Vec<f64> =
                rows.iter().filter_map(|row| row.get(column)?.parse().ok()).collect();
            let low = values.iter().copied().fold(f64::MAX, f64::min);
            let high = values.iter().copied().fold(f64::MIN, f64::max);
            let mut adwin = Adwin::default();
            let scaled = values.iter().map(|x| (x - low) / (high - low).max(1e-12));
            let cuts: Vec<usize> =
                scaled.enumerate().filter_map(|(at, x)| adwin.update(x).then_some(at)).collect();
            let first = &cuts[..cuts.len().min(5)];
            let (values, cuts) = (values.len(), cuts.len());
            lines.push(format!("| {name} | {title} | {values} | {cuts} | {first:?} |"));
        }
    }
    lines.join("\n")
}

#[expect(clippy::expect_used, reason = "a corpus that is here has to be readable")]
fn rows(path: &PathBuf) -> Vec<Vec<String>> {
    let file = std::fs::File::open(path).expect("the corpus opens");
    BufReader::new(MultiGzDecoder::new(file))
        .lines()
        .map(|line| line.expect("the corpus is gzip").split(',').map(Into::into).collect())
        .collect()
}
