//! Identifiers that begin with a letter: national numbers, vehicles, crypto addresses, MAC and IPv6
//! addresses, documents that a word names.
//!
//! Sees: single tokens of letters and digits, by the checks in `validate::lettered`; passport and
//! licence numbers after such a word.
//! Cannot see: numbers written with spaces or in lower case.
//! Known false positives: stock numbers that look like a PAN or a National Insurance number.
//! Source: the issuers' descriptions, named at each check.

use std::net::Ipv6Addr;
use std::ops::Range;

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
    /// The beginning of a token that may go on in the next text.
    open: String,
    start: usize,
    digit: bool,
    /// The last bytes of the texts so far.
    before: String,
}

impl Tokens {
    /// Looks at text that stands at `at`.
    pub(crate) fn push(&mut self, text: &str, at: usize, out: &mut Vec<Raised>) {
        let mut token = (!self.open.is_empty()).then_some(0);
        for (offset, byte) in text.bytes().enumerate() {
            if byte.is_ascii_alphanumeric() || byte == b':' {
                if token.is_none() {
                    token = Some(offset);
                    self.start = at + offset;
                    self.digit = false;
                }
                self.digit |= byte.is_ascii_digit();
            } else if let Some(from) = token.take() {
                self.settle(text, from..offset, at + offset, out);
            }
        }
        if let Some(from) = token {
            // One byte more than a token may have says that it is too long.
            let room = (MAX_TOKEN + 1).saturating_sub(self.open.len());
            self.open.push_str(&text[from..text.len().min(from + room)]);
        }
        let from = text.ceil_char_boundary(text.len().saturating_sub(CONTEXT));
        self.before.push_str(&text[from..]);
        let excess = self.before.len().saturating_sub(CONTEXT);
        self.before.drain(..self.before.ceil_char_boundary(excess));
    }

    /// The field is over at `end`.
    pub(crate) fn finish(&mut self, end: usize, out: &mut Vec<Raised>) {
        if !self.open.is_empty() {
            self.settle("", 0..0, end, out);
        }
    }

    /// Judges the token that ends with `rest` of `text`, at `end` of the field.
    fn settle(&mut self, text: &str, rest: Range<usize>, end: usize, out: &mut Vec<Raised>) {
        let mut token = std::mem::take(&mut self.open);
        let length = token.len() + rest.len();
        if !self.digit || !(MIN_TOKEN..=MAX_TOKEN).contains(&length) {
            return;
        }
        token.push_str(&text[rest.clone()]);
        let trimmed = token.trim_matches(':');
        if let Some(fact) = self.fact(trimmed, &text[..rest.end]) {
            let start = self.start + token.find(trimmed).unwrap_or(0);
            out.push(Raised { fact, start, end: start + trimmed.len(), trigger: end });
        }
    }

    /// What the token is; `passed` is the text up to its end.
    fn fact(&self, token: &str, passed: &str) -> Option<&'static str> {
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
            (shaped && self.names_document(passed)).then_some("identifier.document")
        })
    }

    fn names_document(&self, passed: &str) -> bool {
        let passed = &passed[passed.ceil_char_boundary(passed.len().saturating_sub(CONTEXT))..];
        let before = format!("{}{passed}", self.before);
        let from = before.ceil_char_boundary(before.len().saturating_sub(CONTEXT));
        let before = before[from..].to_lowercase();
        DOCUMENTS.iter().any(|word| before.contains(word))
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
