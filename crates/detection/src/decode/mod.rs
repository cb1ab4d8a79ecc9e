//! What a text says once its encodings are undone.
//!
//! Each decoder gives views: decoded texts with the stretch of the original they come from. Views
//! are decoded again, up to [`MAX_DEPTH`] layers. Everything is bounded: views, their bytes
//! together, and the work, which is counted against the budget. At a limit the rest is left and
//! `limited` says so.

mod cipher;
mod disguise;
mod escapes;
mod fluency;
mod gate;
mod leet;
mod misspelt;
mod numbers;
mod runs;
mod spaced;
mod split;
mod words;

use std::ops::Range;

use crate::budget::Budget;

/// Layers of encoding that are undone.
const MAX_DEPTH: u8 = 4;
/// Views of one text.
const MAX_VIEWS: usize = 24;
/// Bytes that all views together may have beyond the length of the text.
const SPARE_BYTES: usize = 16 * 1024;
/// Longest stretch that the statistical decoders (ciphers, reversal, leet, spacing) look at.
const MAX_STRETCH: usize = 16 * 1024;
/// Passes over a text that looking for encodings costs.
const PASSES: usize = 2;

/// A decoded text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What it says.
    pub text: String,
    /// The fact that names the encoding.
    pub scheme: &'static str,
    /// Where it stands in the original.
    pub span: Range<usize>,
    /// Layers undone, from 1.
    pub depth: u8,
}

/// What a decoder found in one text: positions are that text's.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    text: String,
    scheme: &'static str,
    span: Range<usize>,
}

/// Everything decoded from one text.
#[derive(Debug, Default)]
pub struct Decoding {
    /// The views, outer layers first.
    pub views: Vec<View>,
    /// Encodings seen that have no view.
    pub flags: Vec<(&'static str, Range<usize>)>,
    /// There was more than the limits let through.
    pub limited: bool,
}

/// Undoes every encoding of a text. Once the budget is exhausted, what is left stays undecoded.
pub fn decode(text: &str, budget: &mut Budget) -> Decoding {
    let mut all = Decoding::default();
    let mut room = text.len().saturating_add(SPARE_BYTES);
    all.layer(text, &(0..text.len()), 0, &mut room, budget);
    let mut next = 0;
    while next < all.views.len() {
        let View { text, span, depth, .. } = all.views[next].clone();
        if depth < MAX_DEPTH {
            all.layer(&text, &span, depth, &mut room, budget);
        }
        next += 1;
    }
    all
}

/// Encodings whose own letters say nothing: only what they decode to can be judged.
const OPAQUE: [&str; 9] = [
    "encoded.base32",
    "encoded.base64",
    "encoded.binary",
    "encoded.decimal",
    "encoded.hex",
    "encoded.html",
    "encoded.unicode_escape",
    "encoded.unspaced",
    "encoded.url",
];

/// The text with opaque encodings replaced, where they stand, by what they decode to; none if there
/// are none.
pub(crate) fn plain(text: &str, views: &[View]) -> Option<String> {
    let opaque = |view: &&View| view.depth == 1 && OPAQUE.contains(&view.scheme);
    let mut opaque: Vec<&View> = views.iter().filter(opaque).collect();
    opaque.sort_by_key(|view| (view.span.start, std::cmp::Reverse(view.span.end)));
    let (mut plain, mut at) = (String::new(), 0);
    for view in opaque {
        if view.span.start >= at {
            plain.push_str(text.get(at..view.span.start)?);
            plain.push_str(&view.text);
            at = view.span.end;
        }
    }
    plain.push_str(text.get(at..)?);
    (at > 0).then_some(plain)
}

impl Decoding {
    /// Undoes one layer of `text`, which stands at `origin` of the original.
    fn layer(
        &mut self,
        text: &str,
        origin: &Range<usize>,
        depth: u8,
        room: &mut usize,
        budget: &mut Budget,
    ) {
        if !budget.spend(PASSES * text.len()) {
            return;
        }
        let gate = gate::look(text.as_bytes());
        if let Some(art) = gate.art.as_ref().filter(|_| depth == 0)
            && let Some(span) = spaced::art(text, art)
        {
            self.flags.push(("encoded.ascii_art", span));
        }
        for found in candidates(text, &gate, budget) {
            let span = if depth == 0 { found.span } else { origin.clone() };
            let known = self.views.iter().any(|view| view.text == found.text);
            if known || found.text == text || found.text.trim().is_empty() {
                continue;
            }
            if self.views.len() >= MAX_VIEWS || found.text.len() > *room {
                self.limited = true;
                return;
            }
            *room -= found.text.len();
            let Found { text, scheme, .. } = found;
            self.views.push(View { text, scheme, span, depth: depth + 1 });
        }
    }
}

fn candidates(text: &str, gate: &gate::Gate, budget: &mut Budget) -> Vec<Found> {
    let mut found = Vec::new();
    if gate.non_ascii && budget.spend(text.len()) {
        disguise::find(text, &mut found);
    }
    if gate.run && budget.spend(2 * text.len()) {
        runs::find(text, &mut found);
    }
    if budget.spend(2 * text.len()) {
        words::unspaced(text, &mut found);
        words::order(text, &mut found);
        misspelt::find(text, &mut found);
    }
    if gate.escapes >= 2 && budget.spend(text.len()) {
        escapes::find(text, &mut found);
    }
    if gate.quotes >= 4 && budget.spend(2 * text.len()) {
        split::find(text, &mut found);
    }
    let mut near = |range: &Option<Range<usize>>, passes: usize| {
        let stretch = stretch(text, range.as_ref()?);
        budget.spend(passes * stretch.len()).then_some(stretch)
    };
    if let Some(range) = near(&gate.digits, 3) {
        numbers::codes(text, range, &mut found);
    }
    if let Some(range) = near(&gate.morse, 2) {
        numbers::morse(text, range, &mut found);
    }
    if let Some(range) = near(&gate.spaced, 2) {
        spaced::find(text, range, &mut found);
    }
    if let Some(range) = near(&gate.leet, 3) {
        leet::find(text, range, &mut found);
    }
    if let Some(range) = near(&gate.cipher, 8) {
        cipher::shifted(text, range, &mut found);
    }
    if let Some(range) = near(&gate.backwards, 3) {
        cipher::backwards(text, range, &mut found);
    }
    found
}

/// A range with its surroundings up to white space, not longer than [`MAX_STRETCH`].
fn stretch(text: &str, range: &Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let near = |position: usize| position.saturating_sub(64);
    let start = bytes[near(range.start)..range.start]
        .iter()
        .position(u8::is_ascii_whitespace)
        .map_or(range.start, |offset| near(range.start) + offset + 1);
    let start = if range.start < 64 { 0 } else { start };
    let reach = bytes.len().min(range.end + 64);
    let end = bytes[range.end..reach]
        .iter()
        .rposition(u8::is_ascii_whitespace)
        .map_or(range.end, |offset| range.end + offset);
    let end = if reach == bytes.len() { reach } else { end };
    let start = text.floor_char_boundary(start);
    start..text.floor_char_boundary(end.min(start + MAX_STRETCH))
}
