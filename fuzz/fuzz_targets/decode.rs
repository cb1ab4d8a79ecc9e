//! The decoders, at any depth: no panic, within their bounds, spans that exist in the original.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quell_detection::{Budget, decode};

fuzz_target!(|text: &str| {
    let mut budget = Budget::new(64 << 20);
    let decoding = decode(text, &mut budget);
    assert!(decoding.views.len() <= 24);
    let bytes: usize = decoding.views.iter().map(|view| view.text.len()).sum();
    assert!(bytes <= text.len() + 16 * 1024, "{bytes} bytes of {}", text.len());
    for view in &decoding.views {
        assert!(text.get(view.span.clone()).is_some(), "{:?} of {}", view.span, text.len());
        assert!((1..=4).contains(&view.depth));
    }
    for (_, span) in &decoding.flags {
        assert!(text.get(span.clone()).is_some());
    }
});
