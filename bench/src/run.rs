//! The run: every round takes every target through every scenario, so that a busy moment of the
//! machine falls on all of them.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use quell_domain::SystemClock;
use quell_domain::clock::SharedClock;
use serde::Serialize;

use crate::client::Question;
use crate::containment::{self, Containment};
use crate::process::{Cores, load_average};
use crate::row::{Row, median, percentile};
use crate::targets::{self, GUARDS_ON, KEY, MANY, Target};
use crate::{Options, load, nginx, prompts, streaming, summary};

pub(crate) const SMALL: &str = "190 B, 16 connections";
pub(crate) const FRESH_SMALL: &str = "190 B, each once, 16 connections";
pub(crate) const FRESH: &str = "1 KB, each once, 16 connections";
pub(crate) const LARGE: &str = "100 KB, 16 connections";
pub(crate) const ALONE: &str = "190 B, 1 connection";
pub(crate) const WORDS: &str = "words, 1 stream at a time";
pub(crate) const WORDS_MANY: &str = "words, 16 streams at once";
pub(crate) const DIGITS: &str = "digits, 4 streams at once";

/// What is done to every target.
#[derive(Debug)]
struct Scenario {
    name: &'static str,
    question: Question,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Load { connections: u32 },
    Streams { at_once: u32, times: u32 },
}

/// Everything a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub environment: Environment,
    pub memory: Vec<Memory>,
    pub containment: Vec<Containment>,
    pub rows: Vec<Row>,
}

/// Where and how it ran.
#[derive(Debug, Serialize)]
pub(crate) struct Environment {
    pub started_at: jiff::Timestamp,
    pub processor: String,
    pub cores: usize,
    pub pinned: &'static str,
    pub nginx: String,
    pub optimised: bool,
    pub rounds: u32,
    pub seconds: u64,
    pub load_average_before: f64,
    pub load_average_after: f64,
}

/// What a target's process holds, KiB.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub target: &'static str,
    pub idle_kib: u64,
    pub loaded_kib: u64,
    pub answered: u64,
}

/// Measures, prints and writes.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(measure(options))?;
    say(&summary::text(&report))?;
    if let Some(path) = &options.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

async fn measure(options: &Options) -> anyhow::Result<Report> {
    let clock: SharedClock = Arc::new(SystemClock::new());
    let folder = tempfile::tempdir()?;
    let mut environment = environment(options, &clock);
    let cores = Cores::choose(options.no_pin);
    let mut targets = targets::start(folder.path(), cores, &clock).await?;
    let mut scenarios = scenarios();
    scenarios.retain(|scenario| scenario.name.contains(&options.only));
    let mut rows = Vec::new();
    for round in 1..=options.rounds {
        for scenario in &scenarios {
            // Nobody is always first.
            targets.rotate_left(1);
            for target in &mut targets {
                let time = Duration::from_secs(options.seconds);
                let row = cell(round, scenario, target, time, &clock).await?;
                say(&format!("{}\n", serde_json::to_string(&row)?))?;
                rows.push(row);
            }
        }
    }
    let mut memory = targets.iter().map(memory).collect::<anyhow::Result<Vec<_>>>()?;
    let guarded = targets.iter_mut().find(|target| target.name == GUARDS_ON);
    let guarded = guarded.context("the guarded gateway is always a target")?;
    if options.memory_after > guarded.answered {
        memory.push(after_many(guarded, options.memory_after, &clock).await?);
    }
    let containment = containment::measure(guarded, options.trials, &clock).await?;
    environment.load_average_after = load_average();
    Ok(Report { environment, memory, containment, rows })
}

fn scenarios() -> Vec<Scenario> {
    let question = |body, stream, fresh| Question { key: KEY, body, stream, fresh };
    let plain = |name, body, connections| Scenario {
        name,
        question: question(body, None, None),
        kind: Kind::Load { connections },
    };
    let fresh = |name, bytes| Scenario {
        name,
        question: question(prompts::small(false), None, Some(bytes)),
        kind: Kind::Load { connections: 16 },
    };
    let streams = |name, mode, at_once, times| Scenario {
        name,
        question: question(prompts::small(true), Some(mode), None),
        kind: Kind::Streams { at_once, times },
    };
    vec![
        plain(SMALL, prompts::small(false), 16),
        fresh(FRESH_SMALL, 190),
        fresh(FRESH, 1_000),
        plain(LARGE, prompts::large(), 16),
        plain(ALONE, prompts::small(false), 1),
        streams(WORDS, "words", 1, 2),
        streams(WORDS_MANY, "words", 16, 1),
        streams(DIGITS, "digits", 4, 1),
    ]
}

async fn cell(
    round: u32,
    scenario: &Scenario,
    target: &mut Target,
    time: Duration,
    clock: &SharedClock,
) -> anyhow::Result<Row> {
    let mut row = Row {
        round,
        scenario: scenario.name,
        target: target.name,
        count: 0,
        failures: 0,
        seconds: 0.0,
        cpu_us: f64::NAN,
        p50_us: f64::NAN,
        p99_us: f64::NAN,
        first_token_us: None,
        load_average: load_average(),
    };
    match scenario.kind {
        Kind::Load { connections } => {
            let (process, address) = (&target.process, target.address);
            let mut measured =
                load::measure(process, address, &scenario.question, connections, time, clock)
                    .await?;
            (row.p50_us, row.p99_us) = measured.percentiles();
            row.count = measured.answers.latencies_us.len() as u64;
            row.failures = measured.answers.failures;
            row.seconds = measured.seconds;
            row.cpu_us = measured.cpu_us;
            target.answered += row.count;
        }
        Kind::Streams { at_once, times } => {
            streams(&mut row, target, &scenario.question, at_once * times, at_once, clock).await?;
        }
    }
    target.drop_sealed_log()?;
    Ok(row)
}

async fn streams(
    row: &mut Row,
    target: &mut Target,
    question: &Question,
    streams: u32,
    at_once: u32,
    clock: &SharedClock,
) -> anyhow::Result<()> {
    let (cpu_before, began) = (target.process.cpu_us()?, clock.ticks());
    let (mut first, mut lags) = (Vec::new(), Vec::new());
    for _ in 0..streams / at_once {
        let (received, failures) =
            streaming::receive(target.address, question, at_once, clock).await;
        row.failures += failures;
        target.answered += received.len() as u64;
        for stream in received {
            first.push(stream.first_token_us);
            lags.extend(stream.lags_us);
        }
    }
    row.seconds = clock.ticks().saturating_sub(began).as_secs_f64();
    row.cpu_us = (target.process.cpu_us()? - cpu_before) / f64::from(streams);
    row.count = lags.len() as u64;
    (row.p50_us, row.p99_us) = (percentile(&mut lags, 0.5), percentile(&mut lags, 0.99));
    row.first_token_us = Some(median(first));
    Ok(())
}

/// Asks ever new questions until `target` has answered `many` requests in all.
async fn after_many(target: &mut Target, many: u64, clock: &SharedClock) -> anyhow::Result<Memory> {
    let body = prompts::small(false);
    let question = Question { key: KEY, body, stream: None, fresh: Some(1_000) };
    let slice = Duration::from_secs(5);
    while target.answered < many {
        let (process, address) = (&target.process, target.address);
        let measured = load::measure(process, address, &question, 16, slice, clock).await?;
        let answered = measured.answers.latencies_us.len() as u64;
        anyhow::ensure!(answered > measured.answers.failures, "{} has stopped", target.name);
        target.answered += answered;
        target.drop_sealed_log()?;
    }
    Ok(Memory { target: MANY, ..memory(target)? })
}

fn memory(target: &Target) -> anyhow::Result<Memory> {
    Ok(Memory {
        target: target.name,
        idle_kib: target.idle_kib,
        loaded_kib: target.process.rss_kib()?,
        answered: target.answered,
    })
}

fn environment(options: &Options, clock: &SharedClock) -> Environment {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
    Environment {
        started_at: clock.now(),
        processor: processor.unwrap_or_default().trim_matches([' ', '\t', ':']).to_owned(),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        pinned: Cores::choose(options.no_pin).describe(),
        nginx: nginx::find().map_or_else(|| "not installed".into(), |path| nginx::version(&path)),
        optimised: !cfg!(debug_assertions),
        rounds: options.rounds,
        seconds: options.seconds,
        load_average_before: load_average(),
        load_average_after: f64::NAN,
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
