//! Every secret format finds a key made from its own regex with seeded random characters, in every
//! role, and no placeholder of the same shape. No key stands in the repository.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quell_detection::{PatternPack, Scores, Validator, content};
use quell_domain::interaction::Role;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::support::{Setting, input, output};

/// Tries with different characters: a check for randomness refuses some.
const TRIES: u64 = 24;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A text that `hir` matches; `filler` stands for every free letter or digit, if given.
fn sample(hir: &Hir, dice: &mut Dice, filler: Option<u8>, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => out.push(pick(class, dice, filler)),
        HirKind::Capture(capture) => sample(&capture.sub, dice, filler, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| sample(part, dice, filler, out)),
        HirKind::Alternation(parts) => {
            let part = &parts[dice.below(parts.len() as u64) as usize];
            sample(part, dice, filler, out);
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min + 2);
            let count =
                u64::from(repetition.min) + dice.below(u64::from(most - repetition.min) + 1);
            (0..count).for_each(|_| sample(&repetition.sub, dice, filler, out));
        }
    }
}

fn pick(class: &Class, dice: &mut Dice, filler: Option<u8>) -> u8 {
    let allowed: Vec<u8> = match class {
        Class::Bytes(class) => {
            class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect()
        }
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .filter_map(|c| u8::try_from(c).ok())
            .collect(),
    };
    let usable: Vec<u8> = allowed
        .into_iter()
        .filter(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n'))
        .collect();
    match filler.filter(|byte| usable.contains(byte)) {
        Some(filler) if usable.len() > 4 => filler,
        _ => usable[dice.below(usable.len() as u64) as usize],
    }
}

fn formats() -> Vec<(String, String, bool, Option<Validator>)> {
    content::embedded()
        .iter()
        .filter(|file| file.path.starts_with("patterns/secrets-"))
        .flat_map(|file| {
            let pack: PatternPack = serde_saphyr::from_str(&file.text).expect("a pattern pack");
            pack.patterns
        })
        .map(|spec| (spec.fact, spec.regex.expect("a regex"), spec.exact, spec.validator))
        .collect()
}

fn parse(regex: &str, exact: bool) -> Hir {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(!exact)
        .build()
        .parse(regex)
        .expect("a regex")
}

fn made(hir: &Hir, seed: u64, filler: Option<u8>) -> String {
    let mut text = Vec::new();
    sample(hir, &mut Dice(seed), filler, &mut text);
    String::from_utf8(text).expect("ASCII")
}

#[test]
fn there_are_more_than_two_hundred_vendor_formats() {
    let facts: std::collections::BTreeSet<String> =
        formats().into_iter().map(|(fact, ..)| fact).collect();
    assert!(facts.len() > 300, "{}", facts.len());
}

#[test]
fn every_format_finds_a_key_of_its_own_shape_in_every_role() {
    let mut missed = Vec::new();
    // A token that must hold JSON is not made of random characters; it has a test of its own.
    let formats = formats().into_iter().filter(|(.., check)| *check != Some(Validator::Jwt));
    for (index, (fact, regex, exact, _)) in formats.enumerate() {
        let hir = parse(&regex, exact);
        let text = (0..TRIES)
            .map(|seed| format!("use {} now", made(&hir, seed * 1_000 + index as u64, None)))
            .find(|text| input(Role::User, text).facts.contains(&fact));
        let Some(text) = text else {
            missed.push(fact);
            continue;
        };
        for role in [Role::Tool, Role::System] {
            let found = input(role, &text);
            assert!(found.scores.secrets >= Scores::THRESHOLD, "{fact} {role:?}");
        }
        let found = output(&Setting::default(), &text);
        assert!(found.facts.contains(&fact), "{fact} in output");
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn placeholders_are_no_keys() {
    let checked = |validator: &Option<Validator>| {
        matches!(validator, Some(Validator::Key | Validator::MixedKey | Validator::NamedKey))
    };
    let mut found = Vec::new();
    for (index, (fact, regex, exact, validator)) in formats().into_iter().enumerate() {
        if !checked(&validator) {
            continue;
        }
        let text = made(&parse(&regex, exact), index as u64, Some(b'x'));
        let text = if text.contains("xxxxxx") { text } else { continue };
        if input(Role::User, &text).facts.contains(&fact) {
            found.push(fact);
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn web_tokens_hold_json() {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let token = |header: &str| {
        let signature = part("not a signature but as long as one");
        format!("Bearer {}.{}.{signature}", part(header), part(r#"{"sub":"ada"}"#))
    };
    assert!(input(Role::User, &token(r#"{"alg":"HS256"}"#)).facts.contains(&"secret.jwt".into()));
    assert!(!input(Role::User, &token(r#"{"alg":"HS256""#)).facts.contains(&"secret.jwt".into()));
}

#[test]
fn hashes_ids_and_words_are_no_secrets() {
    for text in [
        "commit b0596212ede48640af9d46f9cd15cc50ffad3ff2",
        "trace_id=c426b58525a2247b45b6e512c9175fe0 span_id=dfe18dba321319a5",
        "id: 851749b1-5a2b-4c6b-876b-e38c64764bb1",
        "image@sha256:7e1a97a7a30bef37e8775c48ec9676e598a1143b2cd73fb1b27bca67ce7c70b2",
        "The password must be at least 12 characters long.",
        "token = tokenizer.next_token(text)",
        "Set api_key to the key you were given.",
    ] {
        let found = input(Role::User, text);
        assert!(found.scores.secrets < Scores::THRESHOLD, "{text} {:?}", found.facts);
    }
}
