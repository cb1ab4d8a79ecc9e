//! One look over a text that says which decoders are worth trying, and where. Ordinary text opens
//! no gate and costs two passes; what a gate lets through is looked at closely by its decoder.

use std::ops::Range;

use super::fluency::{BOTH_WAYS, FLUENT, LETTER};

/// Bytes judged together.
const CHUNK: usize = 64;
/// Shortest run without white space that the run decoders look at.
pub(super) const MIN_RUN: usize = 12;

/// What stands out, and between which bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gate {
    /// There are bytes outside ASCII.
    pub(super) non_ascii: bool,
    /// Percent, plus and ampersand signs and backslashes.
    pub(super) escapes: usize,
    /// Quotation marks.
    pub(super) quotes: usize,
    /// There is a run of [`MIN_RUN`] or more.
    pub(super) run: bool,
    /// Single characters with something between them.
    pub(super) spaced: Option<Range<usize>>,
    /// Mostly digits.
    pub(super) digits: Option<Range<usize>>,
    /// Mostly dots and dashes.
    pub(super) morse: Option<Range<usize>>,
    /// Digits inside words.
    pub(super) leet: Option<Range<usize>>,
    /// Letters that do not go together.
    pub(super) cipher: Option<Range<usize>>,
    /// Letters that go together better the other way round.
    pub(super) backwards: Option<Range<usize>>,
    /// Mostly marks.
    pub(super) art: Option<Range<usize>>,
}

/// By byte: one count in one of eight 8-bit lanes.
const LANES: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = if b.is_ascii_alphabetic() {
            1
        } else if b.is_ascii_digit() {
            1 << 8
        } else if matches!(b, b'%' | b'&' | b'\\' | b'+') {
            1 << 16
        } else if b == b'"' || b == b'\'' {
            1 << 24
        } else if b >= 0x80 {
            1 << 32
        } else if b == b'.' || b == b'-' {
            1 << 40
        } else if b.is_ascii_punctuation() {
            1 << 48
        } else {
            1 << 56
        };
        byte += 1;
    }
    table
};

/// Looks over a text.
pub(super) fn look(bytes: &[u8]) -> Gate {
    let mut gate = Gate { run: has_run(bytes), ..Gate::default() };
    let mut before = 0;
    for start in (0..bytes.len()).step_by(CHUNK) {
        let end = bytes.len().min(start + CHUNK);
        let (mut lanes, mut pairs) = (0_u64, 0_i32);
        for byte in &bytes[start..end] {
            let letter = LETTER[usize::from(*byte)];
            lanes += LANES[usize::from(*byte)];
            pairs += BOTH_WAYS[(before << 5 | usize::from(letter)) & 1023];
            before = usize::from(letter);
        }
        gate.weigh(start..end, lanes, pairs);
        gate.neighbours(start..end, &bytes[start..bytes.len().min(end + 4)]);
    }
    gate
}

/// Whether there is a run without white space, looking only at every twelfth byte and back.
fn has_run(bytes: &[u8]) -> bool {
    let mut start = 0;
    while start + MIN_RUN <= bytes.len() {
        let window = &bytes[start..start + MIN_RUN];
        match window.iter().rposition(|byte| !in_run(*byte)) {
            Some(gap) => start += gap + 1,
            // One long word of small letters is a word.
            None if window.iter().all(u8::is_ascii_lowercase) => start += 1,
            None => return true,
        }
    }
    false
}

/// Characters of base64 in both alphabets, of hex and of base32.
pub(super) const fn in_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

fn widen(range: &mut Option<Range<usize>>, chunk: &Range<usize>) {
    match range {
        Some(range) => range.end = chunk.end,
        None => *range = Some(chunk.clone()),
    }
}

impl Gate {
    fn weigh(&mut self, chunk: Range<usize>, lanes: u64, pairs: i32) {
        let [letters, digits, escapes, quotes, non_ascii, dots, marks, _] = lanes.to_le_bytes();
        self.escapes += usize::from(escapes);
        self.quotes += usize::from(quotes);
        self.non_ascii |= non_ascii > 0;
        if digits >= 12 {
            widen(&mut self.digits, &chunk);
        }
        if dots >= 10 {
            widen(&mut self.morse, &chunk);
        }
        if usize::from(marks) + usize::from(dots) + usize::from(escapes) >= 20 {
            widen(&mut self.art, &chunk);
        }
        let forwards = i32::from(pairs as i16);
        let backwards = (pairs - forwards) >> 16;
        let letters = i32::from(letters);
        if letters >= 8 {
            // Words around a short cipher lift the sum, so the gate is wider than the decoder.
            if forwards < letters * (FLUENT + 4) {
                widen(&mut self.cipher, &chunk);
            }
            // Half a chunk that runs backwards lifts this sum to that one.
            if backwards > forwards - letters * 6 {
                widen(&mut self.backwards, &chunk);
            }
        }
    }

    /// What only shows between neighbours. `bytes` reach four past the chunk where there are.
    #[expect(clippy::needless_bitwise_bool, reason = "without branches the loop is vectorised")]
    fn neighbours(&mut self, chunk: Range<usize>, bytes: &[u8]) {
        let Some(last) = bytes.len().checked_sub(4) else { return };
        let shifted = |by: usize| &bytes[by..by + last];
        let (mut spaced, mut mixed) = (0_u8, 0_u8);
        let five =
            shifted(0).iter().zip(shifted(1)).zip(shifted(2)).zip(shifted(3)).zip(shifted(4));
        for ((((a, b), c), d), e) in five {
            let apart = (*a < b'0') & (*b >= b'0') & (*c < b'0') & (*d >= b'0') & (*e < b'0');
            spaced += u8::from(apart);
            let (first, second) = (a | 32, b | 32);
            let letters = (first.wrapping_sub(b'a') < 26, second.wrapping_sub(b'a') < 26);
            let strange = (is_leet(*a), is_leet(*b));
            mixed += u8::from((letters.0 & strange.1) | (strange.0 & letters.1));
        }
        if spaced >= 3 {
            widen(&mut self.spaced, &chunk);
        }
        if mixed >= 3 {
            widen(&mut self.leet, &chunk);
        }
    }
}

/// Digits and marks that stand for letters.
const fn is_leet(byte: u8) -> bool {
    byte.wrapping_sub(b'0') < 10 || byte == b'@' || byte == b'$'
}
