//! Normalising and judging a request: no panic, spans and redactions that exist in the text, work
//! within a fixed number of passes, and the same verdict with and without the cache.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use quell_detection::{FieldCache, PatternSet};
use quell_domain::interaction::{Role, TextField};

/// Passes over a text that inspection may cost, however it is written, and what any text may cost.
const PASSES: u64 = 4_000;
const ANY: u64 = 8 << 20;

fuzz_target!(|input: (u8, &str)| {
    let (role, text) = input;
    let role = Role::ALL[usize::from(role) % Role::ALL.len()];
    let field = TextField {
        field: "/messages/0/content".into(),
        role,
        part: "content".into(),
        text: text.into(),
    };
    let fields = [field];
    let none = PatternSet::empty();
    let cache = FieldCache::new([7; 16], 1 << 20);
    let judge = |cache| {
        support::with_context(|context| {
            let mut budget = support::budget();
            let found = support::rules().inspect_request(
                context,
                &none,
                &fields,
                &mut budget,
                support::interaction(),
                cache,
            );
            (found, budget.spent())
        })
    };
    let (found, spent) = judge(None);
    assert!(spent <= ANY + PASSES * text.len() as u64, "{spent} for {}", text.len());
    for signal in &found.signals {
        for span in &signal.spans {
            assert!(text.get(span.start..span.end).is_some(), "{span:?}");
        }
    }
    for redaction in &found.redactions {
        assert!(text.get(redaction.range.clone()).is_some(), "{redaction:?}");
    }
    for _ in 0..2 {
        let (again, _) = judge(Some(&cache));
        assert_eq!(found.facts, again.facts);
        assert_eq!(found.signals, again.signals);
    }
});
