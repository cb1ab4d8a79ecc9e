//! Thirty-five days of simulated traffic with a daily and a weekly season, and what is injected
//! into it. Seeded: one seed gives one series.

use quell_baselines::{Answer, Book, BookAlarm, Dimension, Metric, Observation};

/// A Monday, midnight UTC.
pub(crate) const START: i64 = 1_767_571_200;
/// Days simulated.
pub(crate) const DAYS: i64 = 35;
/// Days at the end in which alarms are counted.
pub(crate) const JUDGED: i64 = 14;
/// Seconds of a cell.
pub(crate) const CELL: i64 = 300;

/// SplitMix64 and what is drawn from it.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share()).cos()
    }

    /// Poisson; by its normal approximation above fifty.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.share(), 0);
        while product > limit {
            product *= self.share();
            count += 1;
        }
        count
    }
}

/// What is done to the traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Injection {
    /// The metric that should show it.
    pub(crate) metric: Metric,
    /// First second.
    pub(crate) start: i64,
    /// One past the last second.
    pub(crate) end: i64,
}

/// 28 of each: requests ×3 for 30 minutes, tokens a request ×2, latency ×1.6 and refusals +6
/// percentage points for an hour, one every three hours of the last two weeks.
pub(crate) fn injections(dice: &mut Dice) -> Vec<Injection> {
    let kinds = [
        (Metric::Requests, 1_800),
        (Metric::OutputTokens, 3_600),
        (Metric::LatencyP95, 3_600),
        (Metric::Refusals, 3_600),
    ];
    let first = START + (DAYS - JUDGED) * 86_400;
    (0..112)
        .map(|number| {
            let (metric, length) = kinds[number % 4];
            let jitter = (dice.share() * 12.0) as i64 * CELL;
            let start = first + number as i64 * 10_800 + jitter;
            Injection { metric, start, end: start + length }
        })
        .collect()
}

/// Share of the mean rate at `second`: peak four times the trough, at 14:00; week-ends at 0.4.
pub(crate) fn season(second: i64) -> f64 {
    let hour = (second.rem_euclid(86_400)) as f64 / 3_600.0;
    let daily = 1.0 + 0.6 * (std::f64::consts::TAU * (hour - 8.0) / 24.0).sin();
    let weekend = (second - START).div_euclid(86_400).rem_euclid(7) >= 5;
    if weekend { 0.4 * daily } else { daily }
}

/// A first-order autoregressive noise.
struct Noise {
    value: f64,
    keeps: f64,
    sd: f64,
}

impl Noise {
    fn new(keeps: f64, sd: f64) -> Self {
        Self { value: 0.0, keeps, sd }
    }

    fn step(&mut self, dice: &mut Dice) -> f64 {
        let fresh = self.sd * (1.0 - self.keeps * self.keeps).sqrt();
        self.value = self.keeps * self.value + fresh * dice.normal();
        self.value.exp()
    }
}

/// Plays the traffic through `book`, closing each cell as it ends, and gives every alarm.
pub(crate) fn play(book: &mut Book, seed: u64, injected: &[Injection]) -> Vec<BookAlarm> {
    let mut dice = Dice(seed);
    let mut noise = [0.08, 0.05, 0.08, 0.10].map(|sd| Noise::new(0.8, sd));
    let mut alarms = Vec::new();
    for cell in 0..DAYS * 86_400 / CELL {
        let start = START + cell * CELL;
        let on = |metric| {
            injected.iter().any(|i| i.metric == metric && i.start <= start && start < i.end)
        };
        let [requests, tokens, latency, refusals] =
            [0, 1, 2, 3].map(|kind| noise[kind].step(&mut dice));
        let mean = 150.0 * season(start) * requests * if on(Metric::Requests) { 3.0 } else { 1.0 };
        let tokens = 220.0 * tokens * if on(Metric::OutputTokens) { 2.0 } else { 1.0 };
        let latency = 900.0 * latency * if on(Metric::LatencyP95) { 1.6 } else { 1.0 };
        let refusal = 0.03 * refusals + if on(Metric::Refusals) { 0.06 } else { 0.0 };
        for _ in 0..dice.poisson(mean) {
            let at = start + (dice.share() * CELL as f64) as i64;
            let mut one = exchange(at, &mut dice);
            one.answer = Some(Answer {
                input_tokens: Some((800.0 * (0.6 * dice.normal()).exp()) as u64),
                output_tokens: Some((tokens * (0.8 * dice.normal()).exp()) as u64),
                latency_us: Some((1e3 * latency * (0.5 * dice.normal()).exp()) as u64),
                refused: dice.share() < refusal,
                ..Answer::default()
            });
            book.observe(one, at);
        }
        alarms.extend(book.close(start + CELL, Some(START)));
    }
    alarms
}

/// An exchange of one of a thousand users.
pub(crate) fn exchange(at: i64, dice: &mut Dice) -> Observation {
    Observation {
        at,
        application: "simulated".into(),
        model: "model-1".into(),
        endpoint: "chat_completions",
        class: "key",
        principal: dice.next() % 1_000,
        prompt: Some(dice.next()),
        ..Observation::default()
    }
}

/// Alarms of one metric over the whole application, by start.
pub(crate) fn of_application(alarms: &[BookAlarm], metric: Metric) -> Vec<i64> {
    let whole = |alarm: &&BookAlarm| {
        alarm.key.dimension == Dimension::Application && alarm.alarm.metric == metric
    };
    alarms.iter().filter(whole).map(|alarm| alarm.alarm.start).collect()
}

/// What became of the injections of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score {
    /// Share of injections with an alarm before they end.
    pub(crate) detected: f64,
    /// Median cells from the injection's start to the alarm.
    pub(crate) delay: i64,
    /// Alarms of the judged days outside injections and the hour after, a week.
    pub(crate) false_per_week: f64,
}

/// Judges the alarms of one metric. An injection's alarm begins within it.
pub(crate) fn score(alarms: &[i64], injected: &[Injection], metric: Metric) -> Score {
    let mine: Vec<&Injection> = injected.iter().filter(|i| i.metric == metric).collect();
    let mut delays: Vec<i64> = mine
        .iter()
        .filter_map(|i| {
            alarms.iter().find(|at| i.start <= **at && **at < i.end).map(|at| at - i.start)
        })
        .map(|seconds| seconds / CELL)
        .collect();
    delays.sort_unstable();
    let from = START + (DAYS - JUDGED) * 86_400;
    let false_ones = alarms
        .iter()
        .filter(|at| **at >= from && !mine.iter().any(|i| i.start <= **at && **at < i.end + 3_600));
    Score {
        detected: delays.len() as f64 / mine.len().max(1) as f64,
        delay: delays.get(delays.len() / 2).copied().unwrap_or(-1),
        false_per_week: false_ones.count() as f64 * 7.0 / JUDGED as f64,
    }
}
