//! Judging an answer as it streams: however it is split, the same text leaves, the same is
//! replaced, and it is cut for the same reason at the same place.

#![no_main]

mod support;

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use quell_detection::{PatternSet, Redaction};

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    released: usize,
    redactions: Vec<Redaction>,
    cut: Option<(String, usize)>,
    signals: Vec<String>,
}

fn run<'a>(parts: impl Iterator<Item = &'a str>) -> Outcome {
    support::with_context(|context| {
        let rules = support::rules();
        let none = Arc::new(PatternSet::empty());
        let mut inspection =
            rules.stream(context, none, support::budget(), support::interaction(), &[]);
        let mut outcome = Outcome::default();
        let mut steps: Vec<_> =
            parts.map(|part| inspection.push("/0", "content", part)).collect();
        steps.push(inspection.finish());
        for step in steps {
            for (_, released) in step.released {
                assert!(released >= outcome.released, "text was taken back");
                outcome.released = released;
            }
            outcome.redactions.extend(step.redactions);
            outcome.signals.extend(step.signals.into_iter().map(|signal| signal.rule));
            if let Some(cut) = step.cut {
                assert!(outcome.cut.is_none(), "cut twice");
                outcome.cut = Some((cut.by, cut.match_start));
            }
        }
        outcome
    })
}

fuzz_target!(|input: (Vec<u8>, &str)| {
    let (sizes, text) = input;
    let mut at = 0;
    let mut sizes = sizes.into_iter().cycle();
    let parts = std::iter::from_fn(|| {
        if at >= text.len() {
            return None;
        }
        let size = usize::from(sizes.next().unwrap_or(3)) % 24 + 1;
        let from = at;
        at = text.ceil_char_boundary((at + size).min(text.len()));
        Some(&text[from..at])
    });
    assert_eq!(run(parts), run(std::iter::once(text)));
});
