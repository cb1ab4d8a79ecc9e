//! Letters written apart (`i g n o r e`, `i-g-n-o-r-e`), and pictures made of characters, which
//! are only named.

use std::ops::Range;

use super::Found;

/// Fewest characters in a row that stand apart.
const MIN_APART: usize = 6;
/// Lines that make a picture, and their fewest marks.
const ART_LINES: usize = 4;
const ART_MARKS: usize = 6;

/// Finds stretches in which every second character is the same separator.
pub(super) fn find(text: &str, range: Range<usize>, out: &mut Vec<Found>) {
    let characters: Vec<(usize, char)> =
        text[range.clone()].char_indices().map(|(at, c)| (range.start + at, c)).collect();
    let mut at = 0;
    while at + 1 < characters.len() {
        match apart(&characters[at..]) {
            Some((length, decoded)) => {
                let start = characters[at].0;
                let end = characters.get(at + length).map_or(range.end, |(end, _)| *end);
                out.push(Found { text: decoded, scheme: "encoded.spaced", span: start..end });
                at += length;
            }
            None => at += 1,
        }
    }
}

/// How many characters from the beginning stand apart, and what they say together.
fn apart(characters: &[(usize, char)]) -> Option<(usize, String)> {
    let (_, first) = *characters.first()?;
    let (_, separator) = *characters.get(1)?;
    if !first.is_alphanumeric() || separator.is_alphanumeric() || separator == '\n' {
        return None;
    }
    let get = |index: usize| characters.get(index).map(|(_, c)| *c);
    let (mut at, mut letters, mut said) = (0, 0, String::new());
    while let Some(c) = get(at) {
        let next = get(at + 1);
        if next == Some(separator) || next.is_none() {
            letters += usize::from(c.is_alphanumeric());
            said.push(c);
            at += 2;
            continue;
        }
        let Some(gap) = next.filter(|gap| c.is_alphanumeric() && !gap.is_alphanumeric()) else {
            break;
        };
        // A word ends: another separator, then letters apart again.
        let after = get(at + 2).filter(|c| c.is_alphanumeric());
        if after.is_none() || get(at + 3).is_none_or(char::is_alphanumeric) {
            if after.is_none() || !said.is_empty() {
                letters += 1;
                said.push(c);
                at += 1;
            }
            break;
        }
        letters += 1;
        said.push(c);
        said.push(if gap.is_whitespace() || separator == ' ' { ' ' } else { gap });
        at += 2;
    }
    let at = at.min(characters.len());
    (letters >= MIN_APART).then(|| (at, said.trim().to_owned()))
}

/// Lines in a row that are drawn rather than written.
pub(super) fn art(text: &str, near: &Range<usize>) -> Option<Range<usize>> {
    let start =
        text.as_bytes()[..near.start].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let end = text.floor_char_boundary(near.end.min(start + super::MAX_STRETCH));
    let start = text.ceil_char_boundary(start).min(end);
    let (mut at, mut drawn, mut from) = (start, 0, start);
    for line in text[start..end].split_inclusive('\n') {
        if is_drawn(line) {
            if drawn == 0 {
                from = at;
            }
            drawn += 1;
            if drawn == ART_LINES {
                return Some(from..at + line.len());
            }
        } else {
            drawn = 0;
        }
        at += line.len();
    }
    None
}

fn is_drawn(line: &str) -> bool {
    let marks: Vec<u8> = line.bytes().filter(u8::is_ascii_punctuation).collect();
    let written = line.bytes().filter(u8::is_ascii_alphanumeric).count();
    let first = marks.first().copied();
    // A rule of one character is a separator, not a picture.
    let varied =
        line.bytes().filter(|b| b.is_ascii_punctuation() || *b == b' ').any(|b| Some(b) != first);
    marks.len() >= ART_MARKS && written * 4 <= marks.len() && varied
}
