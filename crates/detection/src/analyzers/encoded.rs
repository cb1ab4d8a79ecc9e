//! Payloads behind base64 or hex.
//!
//! Sees: runs of base64 (either alphabet) or hex that decode to readable text, and what the
//! injection patterns say about that text.
//! Cannot see: other encodings, two layers of encoding, runs broken into pieces.
//! Known false positives: encoded configuration and mail are readable too; only `encoded.attack`
//! is meant to be judged alone.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use quell_domain::interaction::Role;
use quell_domain::rule::Direction;

use super::Raised;
use crate::budget::Budget;
use crate::patterns::{PatternSet, Scanner, Subject};

/// Shortest run looked at, characters.
const MIN_RUN: usize = 24;
/// Longest run decoded, characters.
const MAX_RUN: usize = 16 * 1024;
/// Shortest decoded text worth a fact, bytes.
const MIN_TEXT: usize = 16;
/// Facts of these groups make a decoded text an attack.
const GROUPS: [&str; 4] = ["injection.", "jailbreak.", "extraction.", "exfiltration."];

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The analyzer's state in one field.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    run: String,
    start: usize,
}

impl Encoded {
    /// Looks at text that stands at `at`.
    pub(crate) fn push(
        &mut self,
        text: &str,
        at: usize,
        patterns: &PatternSet,
        role: Role,
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        for (offset, c) in text.char_indices() {
            let part = c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=');
            if part && self.run.len() < MAX_RUN {
                if self.run.is_empty() {
                    self.start = at + offset;
                }
                self.run.push(c);
            } else if !part && !self.run.is_empty() {
                self.settle(at + offset, patterns, role, budget, out);
            }
        }
    }

    /// The field is over at `end`.
    pub(crate) fn finish(
        &mut self,
        end: usize,
        patterns: &PatternSet,
        role: Role,
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        self.settle(end, patterns, role, budget, out);
    }

    fn settle(
        &mut self,
        seen: usize,
        patterns: &PatternSet,
        role: Role,
        budget: &mut Budget,
        out: &mut Vec<Raised>,
    ) {
        let run = std::mem::take(&mut self.run);
        if run.len() < MIN_RUN || !budget.spend(run.len()) {
            return;
        }
        let Some(text) = decode(&run) else {
            return;
        };
        let (start, end) = (self.start, self.start + run.len());
        let mut raise = |fact| out.push(Raised { fact, start, end, trigger: seen });
        raise("encoded.text");
        let sets = [patterns];
        let mut scanner = Scanner::new(&sets, role, Direction::Input);
        let mut hits = scanner.push(&sets, &text, budget);
        hits.extend(scanner.finish(&sets, budget));
        let attack = hits.iter().any(|hit| match &hit.subject {
            Subject::Fact(fact) => GROUPS.iter().any(|group| fact.starts_with(group)),
            Subject::Measure(_) => false,
        });
        if attack {
            raise("encoded.attack");
        }
    }
}

fn decode(run: &str) -> Option<String> {
    let body = run.trim_end_matches('=');
    if body.len().is_multiple_of(2)
        && body.bytes().all(|byte| byte.is_ascii_hexdigit())
        && let Some(text) = hex::decode(body).ok().and_then(readable)
    {
        return Some(text);
    }
    // A run that is one long word or path decodes to noise; the readability test drops it.
    let whole = body.len() - body.len() % 4;
    let body = if body.len() % 4 == 1 { &body[..whole] } else { body };
    let bytes =
        if body.contains(['-', '_']) { URL_SAFE.decode(body) } else { STANDARD.decode(body) };
    bytes.ok().and_then(readable)
}

fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let control = text.chars().any(|c| c.is_control() && !c.is_whitespace());
    (text.len() >= MIN_TEXT && !control).then_some(text)
}
