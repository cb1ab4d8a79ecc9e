//! Detection, false alarms, restarts and limits, on simulated traffic.

use quell_baselines::{
    Answer, Book, BookAlarm, Dimension, Limits, Metric, Observation, Phase, SavedScope, ScopeKey,
};

use crate::traffic::{CELL, Dice, START, exchange, injections, of_application, play, score};

const JUDGED: [Metric; 4] =
    [Metric::Requests, Metric::OutputTokens, Metric::LatencyP95, Metric::Refusals];

#[test]
fn what_is_injected_is_found_and_what_is_not_is_rarely_called() {
    let quiet = play(&mut Book::default(), 1, &[]);
    let injected = injections(&mut Dice(1));
    let loud = play(&mut Book::default(), 1_001, &injected);
    for metric in JUDGED {
        let calm = score(&of_application(&quiet, metric), &[], metric);
        let found = score(&of_application(&loud, metric), &injected, metric);
        assert!(calm.false_per_week <= 2.0, "{metric}: {calm:?}");
        assert!(found.false_per_week <= 2.0 && found.detected >= 0.86, "{metric}: {found:?}");
    }
}

/// What is in the store.
#[derive(Default, Clone)]
struct Saved {
    meta: String,
    scopes: Vec<SavedScope>,
}

impl Saved {
    fn save(&mut self, book: &mut Book) {
        self.meta = book.meta();
        let (changed, removed) = book.changes();
        self.scopes.retain(|scope| !removed.contains(&scope.key));
        for fresh in changed {
            let Some(known) = self.scopes.iter_mut().find(|known| known.key == fresh.key) else {
                self.scopes.push(fresh);
                continue;
            };
            for (day, bytes) in fresh.days {
                known.days.retain(|(other, _)| *other != day);
                known.days.push((day, bytes));
            }
            (known.next, known.head) = (fresh.next, fresh.head);
        }
    }

    fn load(&self) -> Book {
        Book::restore(&self.meta, self.scopes.clone()).unwrap()
    }
}

/// Plays cells `from..to` and gives the alarms.
fn cells(book: &mut Book, from: i64, to: i64) -> Vec<BookAlarm> {
    let mut alarms = Vec::new();
    for cell in from..to {
        let start = START + cell * CELL;
        let mut dice = Dice(cell.unsigned_abs());
        let many = if cell % 400 > 390 { 60 } else { 20 };
        for _ in 0..dice.poisson(f64::from(many)) {
            book.observe(one(start, &mut dice), start);
        }
        alarms.extend(book.close(start + CELL, Some(START)));
    }
    alarms
}

fn one(at: i64, dice: &mut Dice) -> Observation {
    let latency_us = Some(500_000 + dice.next() % 300_000);
    let tokens = Some(50 + dice.next() % 100);
    let refused = dice.share() < 0.02;
    let answer = Answer {
        latency_us,
        input_tokens: tokens,
        output_tokens: tokens,
        refused,
        ..Answer::default()
    };
    Observation { answer: Some(answer), tools: vec!["search".into()], ..exchange(at, dice) }
}

fn rows(book: &Book) -> Vec<String> {
    let scope = |(key, scope): (&ScopeKey, &quell_baselines::Scope)| {
        let points: Vec<_> = Metric::ALL.iter().map(|metric| scope.points(*metric, 0)).collect();
        format!("{key:?} {points:?} {:?} {:?}", scope.alarms(), scope.phase())
    };
    book.scopes().map(scope).collect()
}

#[test]
fn a_crash_neither_loses_nor_counts_twice() {
    let (end, mut saved) = (3 * 288, Saved::default());
    let mut through = Book::default();
    let without = cells(&mut through, 0, end);
    let mut book = Book::default();
    let mut with = Vec::new();
    for from in (0..end).step_by(50) {
        with.extend(cells(&mut book, from, (from + 50).min(end)));
        saved.save(&mut book);
        // Half of what comes next is read, then the process dies and reads it again.
        cells(&mut book, from + 50, from + 75);
        book = saved.load();
    }
    assert!(rows(&book) == rows(&through), "every value is the same");
    assert_eq!(with, without);
    assert!(without.iter().any(|alarm| alarm.alarm.metric == Metric::Requests), "{without:?}");
}

#[test]
fn the_order_of_gateways_does_not_matter_within_a_cell() {
    let mut dice = Dice(9);
    let seen: Vec<Observation> = (0..500).map(|i| one(START + i % 300, &mut dice)).collect();
    let book = |order: &mut dyn Iterator<Item = &Observation>| {
        let mut book = Book::default();
        for seen in order {
            book.observe(seen.clone(), START + 300);
        }
        book.close(START + CELL, Some(START));
        rows(&book)
    };
    assert_eq!(book(&mut seen.iter()), book(&mut seen.iter().rev()));
}

#[test]
fn invented_names_end_in_other_and_memory_is_bounded() {
    let limits = Limits { fine: 4, fine_parts: 2, parts: 6, scopes: 60 };
    let mut book = Book::new(limits);
    let mut dice = Dice(3);
    for number in 0..2_000 {
        let mut seen = one(START + number % 300, &mut dice);
        seen.tools = vec![format!("tool-{number}")];
        seen.application = format!("app-{}", number % 5);
        book.observe(seen, START + 300);
    }
    assert!(book.scopes().count() <= 60);
    let fine = book.scopes().filter(|(_, scope)| scope.series().seconds() == CELL).count();
    assert!(fine <= 4, "{fine}");
    let other = |(key, _): (&ScopeKey, _)| key.dimension == Dimension::Tool && key.value == "other";
    assert!(book.scopes().any(other));
}

#[test]
fn nobody_listening_is_not_silence() {
    let app = ScopeKey::application("simulated");
    let mut book = Book::default();
    cells(&mut book, 0, 300);
    let from = START + 300 * CELL;
    // No gateway ran for a day: nothing is known, so nothing alarms.
    assert!(book.close(from + 86_400, None).is_empty());
    assert_eq!(book.scope(&app).unwrap().phase(), Phase::Settling);
    // A gateway listened and nothing came for three hours: that is an alarm.
    let mut heard = book.clone();
    cells(&mut heard, 588, 600);
    let alarms = heard.close(START + 640 * CELL, Some(START));
    assert!(alarms.iter().any(|alarm| alarm.alarm.metric == Metric::Requests), "{alarms:?}");
}

#[test]
fn records_from_the_future_or_the_past_do_no_harm() {
    let mut book = Book::default();
    cells(&mut book, 0, 3);
    let mut dice = Dice(1);
    let now = START + 3 * CELL + 10;
    book.observe(one(now + 900_000, &mut dice), now);
    book.observe(one(START - 900_000, &mut dice), now);
    book.observe(one(i64::MAX, &mut dice), now);
    book.observe(one(i64::MIN, &mut dice), now);
    assert_eq!(book.late(), 2);
    book.close(now + CELL, Some(START));
    let key = ScopeKey::application("simulated");
    let points = book.scope(&key).unwrap().points(Metric::Requests, 0);
    assert_eq!(points.last().unwrap().value, Some(2.0), "taken as now");
}

#[test]
fn a_flood_right_after_silence_is_an_alarm_of_its_own() {
    let mut book = Book::default();
    cells(&mut book, 0, 15 * 288);
    let silent = 15 * 288;
    let flood = START + (silent + 1) * CELL;
    let mut dice = Dice(5);
    for _ in 0..400 {
        book.observe(one(flood, &mut dice), flood);
    }
    let alarms = book.close(flood + CELL, Some(START));
    let whole = |alarm: &&BookAlarm| {
        alarm.key.dimension == Dimension::Application && alarm.alarm.metric == Metric::Requests
    };
    let found: Vec<_> = alarms.iter().filter(whole).map(|a| a.alarm.change.as_str()).collect();
    assert_eq!(found, ["down", "up"]);
}
