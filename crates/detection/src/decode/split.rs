//! A text cut into quoted pieces that are to be put together again.

use std::ops::Range;

use super::Found;

/// Pieces put together.
const MAX_PIECES: usize = 64;
/// Bytes of a text that are looked at.
const MAX_TEXT: usize = 64 * 1024;

pub(super) fn find(text: &str, out: &mut Vec<Found>) {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    if let Some(found) = assigned(text) {
        out.push(found);
    }
    if let Some(found) = added(text) {
        out.push(found);
    }
}

/// A name given to a quoted text: where the name stands and where the text begins.
struct Assignment<'a> {
    name: &'a str,
    at: usize,
    from: usize,
    quote: u8,
}

/// `a = "ign"; b = "ore"; a + b`, in the order of the sum if there is one.
fn assigned(text: &str) -> Option<Found> {
    let assignments = assignments(text);
    if assignments.len() < 2 {
        return None;
    }
    let ends = assignments.iter().skip(1).map(|next| next.at).chain([text.len()]);
    let mut pieces: Vec<(&str, &str)> = Vec::new();
    let mut end = 0;
    for (assignment, until) in assignments.iter().zip(ends) {
        let value = &text.as_bytes()[assignment.from..until];
        // Quotation marks inside the piece are its own, so it ends at the last one.
        let mut length = value.iter().rposition(|byte| *byte == assignment.quote)?;
        if until == text.len() {
            length = last_piece(value, assignment.quote).unwrap_or(length);
        }
        end = assignment.from + length;
        pieces.push((assignment.name, text.get(assignment.from..end)?));
    }
    let (order, sum_end) = sum(text, end, &pieces)?;
    let joined: String = order.iter().map(|index| pieces[*index].1).collect();
    let span = assignments.first()?.at..sum_end;
    Some(Found { text: joined, scheme: "encoded.split", span })
}

/// The end of the last piece: the first quotation mark after which no text of it can follow.
fn last_piece(value: &[u8], quote: u8) -> Option<usize> {
    value.iter().enumerate().position(|(at, byte)| {
        *byte == quote
            && matches!(value.get(at + 1), None | Some(b'.' | b';' | b'\n' | b')' | b']' | b','))
            && value.get(at + 2).is_none_or(|next| next.is_ascii_whitespace() || *next == quote)
    })
}

fn assignments(text: &str) -> Vec<Assignment<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for quote in memchr::memchr2_iter(b'"', b'\'', bytes) {
        let before = text[..quote].trim_end();
        let Some(left) = ["=", ":", " is"].iter().find_map(|sign| before.strip_suffix(sign)) else {
            continue;
        };
        let left = left.trim_end_matches([':', ' ', '=']);
        let start = left
            .bytes()
            .rposition(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'))
            .map_or(0, |at| at + 1);
        let name = &left[start..];
        if name.is_empty() || name.len() > 16 || found.len() >= MAX_PIECES {
            continue;
        }
        found.push(Assignment { name, at: start, from: quote + 1, quote: bytes[quote] });
    }
    found
}

/// The names put together behind the pieces, and where that ends; also without plus signs when
/// the words around say so.
fn sum(text: &str, from: usize, pieces: &[(&str, &str)]) -> Option<(Vec<usize>, usize)> {
    let tail = text.get(from..)?;
    let index_of = |token: &str| pieces.iter().position(|(name, _)| *name == token);
    let (mut order, mut last, mut joined) = (Vec::new(), from, false);
    let mut at = 0;
    for token in tail.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')) {
        let name = token.trim_end_matches(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        if let Some(index) = index_of(name).filter(|_| order.len() < MAX_PIECES) {
            order.push(index);
            last = from + at + name.len();
        }
        let said = ["concat", "combin", "join", "merg", "together", "append"];
        joined |= said.iter().any(|word| name.to_ascii_lowercase().contains(word));
        at += token.len();
    }
    joined |= tail.contains('+');
    if !joined {
        return None;
    }
    if order.len() < 2 {
        return Some(((0..pieces.len()).collect(), last.max(from)));
    }
    Some((order, last))
}

/// `"ign" + "ore"`: quoted pieces with only a plus sign, a dot or nothing between them.
fn added(text: &str) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut best: Option<(Range<usize>, Vec<&str>)> = None;
    let mut chain: (Range<usize>, Vec<&str>) = (0..0, Vec::new());
    let mut at = 0;
    while let Some(offset) = memchr::memchr2(b'"', b'\'', &bytes[at..]) {
        let open = at + offset;
        let Some(length) = memchr::memchr(bytes[open], &bytes[open + 1..]) else { break };
        let close = open + 1 + length;
        let gap = text[chain.0.end..open].trim();
        if chain.1.is_empty() || !matches!(gap, "+" | "." | ".." | "&" | "\\") {
            chain = (open..open, Vec::new());
        }
        if chain.1.len() < MAX_PIECES {
            chain.1.push(&text[open + 1..close]);
        }
        chain.0.end = close + 1;
        if chain.1.len() >= 2 && best.as_ref().is_none_or(|best| chain.1.len() >= best.1.len()) {
            best = Some(chain.clone());
        }
        at = close + 1;
    }
    let (span, pieces) = best?;
    Some(Found { text: pieces.concat(), scheme: "encoded.split", span })
}
