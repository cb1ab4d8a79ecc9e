//! The contract of streams: nothing that must not leave leaves, nothing else waits, and it does
//! not matter how the text was split.

use std::sync::Arc;

use proptest::prelude::*;
use quell_detection::{PatternSet, Redaction};
use quell_domain::measure::TextPattern;

use crate::support::{Setting, stream};

/// What a client ends up with, however the text was split.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    released: usize,
    redactions: Vec<Redaction>,
    cut: Option<(String, usize)>,
    signals: Vec<String>,
}

fn run(setting: &Setting, extra: &Arc<PatternSet>, parts: &[&str]) -> Outcome {
    let mut inspection = stream(setting, Arc::clone(extra));
    let mut outcome = Outcome::default();
    let mut steps: Vec<_> = Vec::new();
    for part in parts {
        steps.push(inspection.push("/0", "content", part));
    }
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
}

fn measures(patterns: &[(&str, bool)]) -> Arc<PatternSet> {
    let id = |index: usize| {
        format!("mea_018f00000000700080000000000000{index:02}").parse().expect("a fixed id")
    };
    let patterns: Vec<_> = patterns
        .iter()
        .enumerate()
        .map(|(index, (text, regex))| {
            let (text, regex) = ((*text).to_owned(), *regex);
            (id(index), TextPattern { text, regex, directions: Vec::new(), sample: None })
        })
        .collect();
    Arc::new(PatternSet::from_measures(&patterns).expect("patterns compile"))
}

fn none() -> Arc<PatternSet> {
    Arc::new(PatternSet::empty())
}

#[test]
fn a_card_number_never_leaves_whole() {
    for (text, leaves) in [
        ("It is 4929 1234 5678 9015, valid until May.", "It is 4929 1234 5678 "),
        ("It is 4929123456789015.", "It is 492912345678"),
        ("It is 3782 822463 10005.", "It is 3782 822463 "),
        ("It is 378282246310005 12/27", "It is 3782822463"),
        ("Your card is 4929 1234 5678 9015.", "Your card is 4929 1234 "),
        ("Her number is 536-22-8145.", "Her number is "),
        ("Social security: 536228145", "Social security: "),
    ] {
        let parts: Vec<String> = text.chars().map(String::from).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let outcome = run(&Setting::default(), &none(), &parts);
        assert!(outcome.cut.is_some(), "{text}");
        assert_eq!(&text[..outcome.released], leaves, "{text}");
        assert_eq!(outcome.cut.map(|cut| cut.1), Some(leaves.len()), "{text}");
    }
}

#[test]
fn what_is_redacted_of_a_number_has_not_left() {
    for (text, redacted) in [
        ("Nummer 811218-9876 steht da", "811218-9876"),
        ("NHS 943 476 5919 is hers", "943 476 5919"),
        ("it says 2341 2341 2346 there", "2346"),
        ("Aadhaar: 2341 2341 2346 there", "2341 2341 2346"),
        ("it is 12345678Z there", "12345678Z"),
    ] {
        let parts: Vec<String> = text.chars().map(String::from).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let outcome = run(&Setting::default(), &none(), &parts);
        let found: Vec<&str> =
            outcome.redactions.iter().map(|found| &text[found.range.clone()]).collect();
        assert_eq!((found, outcome.released), (vec![redacted], text.len()), "{text}");
    }
}

#[test]
fn numbers_that_are_no_cards_do_not_wait() {
    let mut inspection = stream(&Setting::default(), none());
    let mut end = 0;
    for token in ["4929 ", "1234 ", "5678 ", "9010,\n", "5518 ", "0077 ", "3321 ", "4433,\n"] {
        end += token.len();
        let step = inspection.push("/0", "content", token);
        assert_eq!(step.released, [("/0".into(), end)], "{token}");
    }
}

#[test]
fn plain_digits_do_not_stall() {
    let mut inspection = stream(&Setting::default(), none());
    let mut behind = 0;
    for index in 1..=2_000 {
        let step = inspection.push("/0", "content", "7");
        if let Some((_, released)) = step.released.last() {
            behind = index - released;
        }
        assert!(index < 64 || behind < 64, "{behind} digits are held");
    }
    assert_eq!(behind, 0);
}

#[test]
fn a_literal_of_a_measure_is_held_while_it_may_still_come() {
    let mut inspection = stream(&Setting::default(), measures(&[("Project Falcon", false)]));
    let step = inspection.push("/0", "content", "about Proj");
    assert_eq!(step.released, [("/0".into(), 6)]);
    let step = inspection.push("/0", "content", "ection;");
    assert_eq!(step.released, [("/0".into(), 17)]);
    let step = inspection.push("/0", "content", " and PROJECT\u{200b} FALCON");
    let cut = step.cut.expect("the stream is cut");
    assert_eq!(cut.match_start, 22);
    assert_eq!(step.released, [("/0".into(), 22)]);
}

#[test]
fn canaries_and_measure_regexes_do_not_leak() {
    let setting = Setting { canaries: vec!["zx-canary-77".into()], ..Setting::default() };
    let extra = measures(&[(r"acct-\d{4,6}\b", true)]);
    for (text, start) in [("it is zx-canary-77!", 6), ("see acct-12345.", 4)] {
        for size in [1, 2, 3, 100] {
            let chunks: Vec<String> =
                text.as_bytes().chunks(size).map(|c| String::from_utf8_lossy(c).into()).collect();
            let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
            let outcome = run(&setting, &extra, &chunks);
            assert_eq!(
                (outcome.released, outcome.cut.map(|c| c.1)),
                (start, Some(start)),
                "{text}"
            );
        }
    }
}

const PIECES: &[&str] = &[
    "hello ",
    "4929 1234 5678 9015",
    "4929 1234 5678 9010",
    "42",
    " ",
    "DE89 3704 0044 0532 0130 00",
    "AKIAQ3EGRTYUIKJHGFDS",
    "536-22-8145",
    "4929123456789015",
    "3782 822463 10005",
    "378282246310005",
    "6011 0009 9013 9424",
    "2341 2341 2346",
    "811218-9876",
    "44051401359",
    "123.456.789-09",
    "11.222.333/0001-81",
    "943 476 5919",
    "2 55 08 14 168 025 38",
    "12345678Z",
    "131052-308T",
    "PESEL ",
    "card ",
    "SSN: ",
    "account no ",
    "12/27",
    "-",
    "acct-",
    "1234",
    "5 ",
    "falcon",
    "proj",
    "ect ",
    "ü",
    "ｐ",
    "\u{200b}",
    "zx-can",
    "ary-77",
    "\n",
    "me@example.org",
    "sk-ant-",
    "aB3dE5fG7hI9jK1lM2nO4p",
    "ghp_",
    "![x](https://e.test/?d=",
    "secret) ",
    "-----BEGIN PRIVATE KEY-----",
    "You are the helpful assistant of the harbour office and you answer in short words ",
    "about ships, berths, tides and fees only. Never give away the gate code. ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn it_does_not_matter_how_a_text_is_split(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 1..14),
        sizes in prop::collection::vec(1_usize..12, 1..40),
    ) {
        let text: String = pieces.concat();
        let setting = Setting {
            canaries: vec!["zx-canary-77".into()],
            system: "You are the helpful assistant of the harbour office and you answer in short \
                     words about ships, berths, tides and fees only. Never give away the gate \
                     code.".into(),
            ..Setting::default()
        };
        let extra = measures(&[(r"acct-\d{4,6}\b", true), ("project falcon", false)]);
        let mut parts: Vec<&str> = Vec::new();
        let (mut from, mut turn) = (0, 0);
        while from < text.len() {
            let to = text.ceil_char_boundary((from + sizes[turn % sizes.len()]).min(text.len()));
            parts.push(&text[from..to]);
            (from, turn) = (to, turn + 1);
        }
        prop_assert_eq!(run(&setting, &extra, &parts), run(&setting, &extra, &[&text]));
    }
}
