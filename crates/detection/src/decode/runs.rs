//! Runs without white space: base64 in both alphabets, base32, hex and binary, also over wrapped
//! lines and backwards.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::Found;
use super::fluency::is_plausible;
use super::gate::{MIN_RUN, in_run};

/// Runs tried in one text.
const MAX_RUNS: usize = 256;
/// Shortest line of a run that goes on in the next line.
const MIN_LINE: usize = MIN_RUN;
/// Longest run decoded, characters; what is behind is decoded as the next run.
const MAX_RUN: usize = 64 * 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

pub(super) fn find(text: &str, out: &mut Vec<Found>) {
    let mut tried = 0;
    let mut wrapped: Vec<Range<usize>> = Vec::new();
    for run in runs(text.as_bytes()) {
        tried += 1;
        if tried > MAX_RUNS {
            break;
        }
        let goes_on = wrapped.last().is_some_and(|last| {
            let gap = &text.as_bytes()[last.end..run.start];
            last.len() >= MIN_LINE && gap.len() <= 8 && gap.split(|b| *b == b'\n').count() == 2
        });
        if !goes_on {
            settle(text, &wrapped, out);
            wrapped.clear();
        }
        wrapped.push(run);
    }
    settle(text, &wrapped, out);
}

fn runs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at + bytes[at..].iter().position(|byte| in_run(*byte))?;
            let length = bytes[start..].iter().position(|byte| !in_run(*byte));
            let end = length.map_or(bytes.len(), |length| start + length).min(start + MAX_RUN);
            at = end;
            // The last line of wrapped text may be short.
            if end - start >= 4 {
                return Some(start..end);
            }
        }
        None
    })
}

/// Decodes lines that belong together; if that gives nothing, each by itself.
fn settle(text: &str, lines: &[Range<usize>], out: &mut Vec<Found>) {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
    if lines.len() > 1 {
        let joined: String = lines.iter().map(|line| &text[line.clone()]).collect();
        if let Some((decoded, scheme)) = undo(&joined) {
            out.push(Found { text: decoded, scheme, span: first.start..last.end });
            return;
        }
    }
    for line in lines {
        let run = &text[line.clone()];
        // What stands before an inner equals sign is the name of what follows.
        let body = run.trim_end_matches('=');
        let start = body.rfind('=').map_or(0, |at| at + 1);
        let run = if run.starts_with('=') { run } else { &run[start..] };
        if run.len() >= MIN_RUN
            && let Some((decoded, scheme)) = undo(run)
        {
            let span = line.end - run.len()..line.end;
            out.push(Found { text: decoded, scheme, span });
        }
    }
}

/// What a run decodes to, and by which scheme.
pub(super) fn undo(run: &str) -> Option<(String, &'static str)> {
    if run.starts_with('=') {
        let backwards: String = run.chars().rev().collect();
        return base64(&backwards).map(|text| (text, "encoded.base64"));
    }
    let body = run.trim_end_matches('=');
    let bytes = body.as_bytes();
    if bytes.iter().all(|byte| matches!(byte, b'0' | b'1')) {
        return binary(bytes).map(|text| (text, "encoded.binary"));
    }
    let digits = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")).unwrap_or(body);
    if digits.len().is_multiple_of(2)
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && let Some(text) = hex::decode(digits).ok().and_then(plausible)
    {
        return Some((text, "encoded.hex"));
    }
    // A word, a path or an identifier in one case is no base64 of anything readable.
    let mixed = bytes.iter().any(u8::is_ascii_uppercase)
        && bytes.iter().any(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if mixed {
        let backwards = || base64(&body.chars().rev().collect::<String>());
        if let Some(text) = base64(body).or_else(backwards) {
            return Some((text, "encoded.base64"));
        }
    }
    base32(bytes).map(|text| (text, "encoded.base32"))
}

fn base64(run: &str) -> Option<String> {
    let body = run.trim_end_matches('=');
    let whole = body.len() - body.len() % 4;
    let body = if body.len() % 4 == 1 { &body[..whole] } else { body };
    let bytes =
        if body.contains(['-', '_']) { URL_SAFE.decode(body) } else { STANDARD.decode(body) };
    bytes.ok().and_then(plausible)
}

fn base32(run: &[u8]) -> Option<String> {
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut bytes = Vec::with_capacity(run.len() * 5 / 8);
    for byte in run {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    plausible(bytes)
}

fn binary(run: &[u8]) -> Option<String> {
    if !run.len().is_multiple_of(8) {
        return None;
    }
    let byte = |bits: &[u8]| bits.iter().fold(0_u8, |byte, bit| byte << 1 | (bit & 1));
    plausible(run.chunks_exact(8).map(byte).collect())
}

pub(super) fn plausible(bytes: Vec<u8>) -> Option<String> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // The end of a run may be cut in the middle of a character, or be something else.
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            if valid + 3 < bytes.len() || valid < 12 {
                return None;
            }
            String::from_utf8_lossy(&bytes[..valid]).into_owned()
        }
    };
    is_plausible(&text).then_some(text)
}
