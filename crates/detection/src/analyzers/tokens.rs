//! Identifiers that begin with a letter: national numbers, vehicles, crypto addresses, MAC and IPv6
//! addresses, documents that a word names.
//!
//! Sees: single tokens of letters and digits, by the checks in `validate::lettered`; passport and
//! licence numbers after such a word.
//! Cannot see: numbers written with spaces or in lower case.
//! Known false positives: stock numbers that look like a PAN or a National Insurance number.
//! Source: the issuers' descriptions, named at each check.

use std::net::Ipv6Addr;

use super::Raised;
use crate::validate::lettered;

/// Longest token judged, bytes.
const MAX_TOKEN: usize = 74;
const MIN_TOKEN: usize = 6;
/// Bytes up to the end of a token in which a word may name it.
const CONTEXT: usize = 64;
#[rustfmt::skip]
const DOCUMENTS: [&str; 12] = [
    "passport", "reisepass", "pasaporte", "passeport", "passaporto", "driver's license",
    "driver license", "drivers license", "driving licence", "driver's licence", "license number",
    "führerschein",
];

/// The analyzer's state in one field.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    token: String,
    long: bool,
    start: usize,
    before: String,
}

impl Tokens {
    /// Looks at text that stands at `at`.
    pub(crate) fn push(&mut self, text: &str, at: usize, out: &mut Vec<Raised>) {
        let mut rest = 0;
        for (offset, byte) in text.bytes().enumerate() {
            let part = byte.is_ascii_alphanumeric() || byte == b':';
            if part {
                if self.token.is_empty() && !self.long {
                    self.start = at + offset;
                }
                if self.token.len() < MAX_TOKEN {
                    self.token.push(char::from(byte));
                } else {
                    self.long = true;
                }
            } else if !self.token.is_empty() {
                self.settle(&text[rest..offset], at + offset, out);
                rest = offset;
            }
        }
        self.remember(&text[rest..]);
    }

    /// The field is over at `end`.
    pub(crate) fn finish(&mut self, end: usize, out: &mut Vec<Raised>) {
        self.settle("", end, out);
    }

    /// Judges the token that ends at `end`; `passed` is the text since the last one.
    fn settle(&mut self, passed: &str, end: usize, out: &mut Vec<Raised>) {
        let token = std::mem::take(&mut self.token);
        let whole = !std::mem::take(&mut self.long);
        if whole && token.len() >= MIN_TOKEN && token.bytes().any(|byte| byte.is_ascii_digit()) {
            self.remember(passed);
            let trimmed = token.trim_matches(':');
            if let Some(fact) = self.fact(trimmed) {
                let start = self.start + token.find(trimmed).unwrap_or(0);
                out.push(Raised { fact, start, end: start + trimmed.len(), trigger: end });
            }
        } else {
            self.remember(passed);
        }
    }

    fn fact(&self, token: &str) -> Option<&'static str> {
        if token.bytes().filter(|byte| *byte == b':').count() >= 2 {
            return address(token);
        }
        let token = token.rsplit(':').next().unwrap_or(token);
        let letters = token.bytes().take_while(u8::is_ascii_uppercase).count();
        if letters == 0 && !token.starts_with(['0', '1', '2', '3', '4', '5', 'b']) {
            return None;
        }
        lettered::fact(token).or_else(|| {
            let digits = token.len() - letters;
            let number = token[letters..].bytes().all(|byte| byte.is_ascii_digit());
            let shaped = (1..=2).contains(&letters) && (5..=14).contains(&digits) && number;
            (shaped && self.names_document()).then_some("identifier.document")
        })
    }

    fn names_document(&self) -> bool {
        let from = self.before.len().saturating_sub(CONTEXT);
        let before = self.before[self.before.ceil_char_boundary(from)..].to_lowercase();
        DOCUMENTS.iter().any(|word| before.contains(word))
    }

    /// Keeps the last bytes before the next token.
    fn remember(&mut self, text: &str) {
        let from = text.ceil_char_boundary(text.len().saturating_sub(CONTEXT));
        self.before.push_str(&text[from..]);
        if self.before.len() > 4 * CONTEXT {
            let cut = self.before.ceil_char_boundary(self.before.len() - CONTEXT);
            self.before.drain(..cut);
        }
    }
}

/// A MAC address, or a public IPv6 address.
fn address(token: &str) -> Option<&'static str> {
    let groups: Vec<&str> = token.split(':').collect();
    let hex = |group: &&str| group.len() == 2 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let letter = token.bytes().any(|byte| byte.is_ascii_alphabetic());
    if groups.len() == 6 && letter && groups.iter().all(hex) {
        return Some("identifier.mac");
    }
    let address: Ipv6Addr = token.parse().ok()?;
    let global = (0x2000..0x4000).contains(&address.segments()[0]);
    let documentation = address.segments()[..2] == [0x2001, 0xdb8];
    (global && !documentation).then_some("identifier.ip")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Vec<(&'static str, usize, usize)> {
        let (mut tokens, mut out) = (Tokens::default(), Vec::new());
        for (at, c) in text.char_indices() {
            tokens.push(&text[at..at + c.len_utf8()], at, &mut out);
        }
        tokens.finish(text.len(), &mut out);
        let mut whole = Vec::new();
        let mut tokens = Tokens::default();
        tokens.push(text, 0, &mut whole);
        tokens.finish(text.len(), &mut whole);
        assert_eq!(out, whole, "{text}");
        out.into_iter().map(|raised| (raised.fact, raised.start, raised.end)).collect()
    }

    #[test]
    fn tokens_are_judged_one_by_one() {
        assert_eq!(judged("NINO: AB123456C."), [("identifier.uk_nino", 6, 15)]);
        assert_eq!(
            judged("My driver's license number is F162823540116"),
            [("identifier.document", 30, 43)]
        );
        assert_eq!(judged("F162823540116 is in stock"), []);
        assert_eq!(judged("at 00:1B:44:11:3A:B7 now"), [("identifier.mac", 3, 20)]);
        assert_eq!(judged("from 2a00:1450:4001:81b::200e"), [("identifier.ip", 5, 29)]);
        assert_eq!(judged("at 12:30:45 on 2026-11-21, id 851749b1 fe80::1"), []);
    }
}
