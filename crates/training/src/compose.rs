//! Samples made here: texts of the grammars, and documents with something put into them.

use std::ops::Range;

use quell_domain::interaction::Role;

use crate::grammar::Grammar;
use crate::random::Random;
use crate::rows::Row;
use crate::sample::{Kind, Sample};

/// A name of the grammar, how often it is expanded, what comes out and who says it.
const OWN: &[(&str, usize, Kind, Role)] = &[
    ("override", 1500, Kind::Override, Role::User),
    ("override_languages", 1100, Kind::Override, Role::User),
    ("jailbreak", 1600, Kind::Jailbreak, Role::User),
    ("jailbreak_languages", 500, Kind::Jailbreak, Role::User),
    ("extraction", 1100, Kind::Extraction, Role::User),
    ("extraction_languages", 500, Kind::Extraction, Role::User),
    ("notice", 500, Kind::Indirect, Role::Tool),
    ("request", 1500, Kind::Request, Role::User),
    ("request_languages", 500, Kind::Request, Role::User),
    ("roleplay", 900, Kind::Request, Role::User),
    ("lookalike", 1500, Kind::Request, Role::User),
    ("article", 900, Kind::Mention, Role::User),
    ("article", 400, Kind::Mention, Role::Tool),
    ("operator", 500, Kind::Mention, Role::User),
    ("harmful", 900, Kind::Harmful, Role::User),
    ("harmless_harm", 900, Kind::Request, Role::User),
];

/// Documents of the grammar that are carriers and stand by themselves.
const CARRIERS: [&str; 8] = [
    "doc_email",
    "doc_table",
    "doc_code",
    "doc_news",
    "doc_review",
    "doc_page",
    "doc_data",
    "doc_log",
];

/// Documents of each kind, and how often each kind carries an injection.
const CARRIED: usize = 320;

/// Everything that is made here; `rows` lend harmless prose and the texts that were injected into
/// documents of theirs, if their licence allows.
pub fn own(rows: &[Row], seed: u64) -> Vec<Sample> {
    let grammar = Grammar::embedded();
    let mut samples = Vec::new();
    for (name, count, kind, role) in OWN {
        let mut random = Random::named(seed, name);
        for _ in 0..*count {
            let text = grammar.text(name, &mut random);
            samples.push(sample(text, *role, *kind, format!("own-{name}")));
        }
    }
    encoded(&grammar, seed, &mut samples);
    documents(&grammar, rows, seed, &mut samples);
    samples.retain(|sample| sample.text.len() > 1);
    samples
}

fn sample(text: String, role: Role, kind: Kind, source: String) -> Sample {
    Sample { text, role, kind, source, injected: None, facts: Vec::new(), trains: true }
}

/// Strings that say nothing by themselves: what they decode to is judged apart.
fn encoded(grammar: &Grammar, seed: u64, samples: &mut Vec<Sample>) {
    let mut random = Random::named(seed, "encoded");
    for turn in 0..900 {
        let plain = grammar.text("request", &mut random);
        let code = match turn % 6 {
            0 => digits(plain.bytes().flat_map(|byte| [byte >> 4, byte & 15]), HEX),
            1 => digits(sixes(plain.as_bytes()), BASE64),
            2 => plain.chars().map(rotated).collect(),
            3 => digits((0..16 + random.below(48)).map(|_| random.below(16) as u8), HEX),
            4 => digits((0..12 + random.below(600)).map(|_| random.below(64) as u8), BASE64),
            _ => plain.chars().rev().collect(),
        };
        let text = match random.below(4) {
            0 => format!("{code} {}", grammar.text("sn2", &mut random)),
            1 => format!("What is this? {code}"),
            _ => code,
        };
        let (role, kind) = if random.chance(0.5) {
            (Role::User, Kind::Request)
        } else {
            (Role::Tool, Kind::Document)
        };
        samples.push(sample(text, role, kind, "own-encoded".to_owned()));
    }
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn digits(values: impl Iterator<Item = u8>, alphabet: &[u8]) -> String {
    values.filter_map(|value| alphabet.get(usize::from(value))).copied().map(char::from).collect()
}

/// The bytes in groups of six bits.
fn sixes(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.chunks(3).flat_map(|chunk| {
        let word = chunk.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        [18, 12, 6, 0].map(|shift| ((word >> shift) & 63) as u8)
    })
}

/// Letters moved on by 13.
fn rotated(c: char) -> char {
    match c {
        'a'..='m' | 'A'..='M' => char::from(c as u8 + 13),
        'n'..='z' | 'N'..='Z' => char::from(c as u8 - 13),
        _ => c,
    }
}

fn documents(grammar: &Grammar, rows: &[Row], seed: u64, samples: &mut Vec<Sample>) {
    let permissive = |row: &&Row| row.licence_class == "permissive" && !row.contested;
    let prose: Vec<&Row> = rows
        .iter()
        .filter(permissive)
        .filter(|row| {
            row.family == "benign_output" || matches!(row.source.as_str(), "humaneval" | "gsm8k")
        })
        .collect();
    let asked: Vec<&Row> = rows
        .iter()
        .filter(permissive)
        .filter(|row| row.family == "benign" && row.text.len() < 400)
        .filter(|row| row.source != "deepset-train" && row.source != "gsm8k")
        .collect();
    // What was injected is licensed apart from the documents it was put into.
    let mut injected: Vec<(&str, &str)> = rows
        .iter()
        .filter(|row| !row.contested)
        .filter_map(|row| Some((row.source.as_str(), row.injected.as_deref()?)))
        .collect();
    injected.sort_unstable();
    injected.dedup();
    let mut random = Random::named(seed, "documents");
    let carrier = |random: &mut Random, own: &str| {
        if random.chance(0.35) && !prose.is_empty() {
            random.pick(&prose).map(|row| row.text.clone()).unwrap_or_default()
        } else {
            grammar.text(own, random)
        }
    };
    for own in CARRIERS {
        for _ in 0..CARRIED {
            let text = grammar.text(own, &mut random);
            samples.push(sample(text, Role::Tool, Kind::Document, format!("own-{own}")));
            let (from, what) = match random.below(10) {
                0..4 => ("own-payload".to_owned(), grammar.text("payload", &mut random)),
                4..6 => match random.pick(&asked) {
                    Some(row) => (format!("own-asked-{}", row.source), row.text.clone()),
                    None => continue,
                },
                _ => match random.pick(&injected) {
                    Some((source, text)) => ((*source).to_owned(), (*text).to_owned()),
                    None => continue,
                },
            };
            let document = carrier(&mut random, own);
            let (text, range) = inserted(&document, &what, &mut random);
            let mut with = sample(text, Role::Tool, Kind::Indirect, from);
            with.injected = Some(range);
            samples.push(with);
        }
    }
    let mut about = Random::named(seed, "about");
    for own in CARRIERS.iter().cycle().take(900) {
        // A user who hands in a document, and a document with a question about it.
        let document = carrier(&mut about, own);
        let ask = grammar.text("about", &mut about);
        let order = about.chance(0.5);
        let text =
            if order { format!("{ask}\n\n{document}") } else { format!("{document}\n\n{ask}") };
        let user = about.chance(0.6);
        let (role, kind) =
            if user { (Role::User, Kind::Request) } else { (Role::Tool, Kind::Document) };
        samples.push(sample(text, role, kind, "own-about".to_owned()));
        if user && about.chance(0.5) {
            let what = grammar.text("payload_strong", &mut about);
            let (document, _) = inserted(&document, &what, &mut about);
            let text =
                if order { format!("{ask}\n\n{document}") } else { format!("{document}\n\n{ask}") };
            samples.push(sample(text, Role::User, Kind::Override, "own-handed-in".to_owned()));
        }
    }
}

/// `document` with `what` at its start, its end, or between two sentences or lines.
fn inserted(document: &str, what: &str, random: &mut Random) -> (String, Range<usize>) {
    let mut places: Vec<usize> = document
        .char_indices()
        .zip(document.chars().skip(1))
        .filter(|((_, c), next)| *c == '\n' || (matches!(c, '.' | '!' | '?') && *next == ' '))
        .map(|((at, c), _)| at + c.len_utf8())
        .collect();
    places.retain(|at| *at > 0);
    let at = match random.below(3) {
        0 => 0,
        1 => document.len(),
        _ => random.pick(&places).copied().unwrap_or(0),
    };
    let gap = *random.pick(&[" ", "\n", "\n\n", "\n"]).unwrap_or(&"\n");
    let (before, after) = document.split_at(at);
    let mut text = before.to_owned();
    if !before.is_empty() {
        text.push_str(gap);
    }
    let start = text.len();
    text.push_str(what);
    let end = text.len();
    if !after.is_empty() {
        text.push_str(gap);
    }
    text.push_str(after);
    (text, start..end)
}
