//! Frames of a stream that wait until their text may leave. Whole frames wait, in order: a frame
//! leaves when every piece of text in it has been released, and so has every frame before it.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use bytes::BytesMut;
use quell_wire::{Delta, Frame};

use crate::record::replaced_within;
use crate::unescape::UNESCAPED;

/// The frames that wait, and how far each field has got.
#[derive(Debug, Default)]
pub(crate) struct HeldFrames {
    queue: VecDeque<HeldFrame>,
    fields: HashMap<String, Field>,
    waiting_bytes: usize,
    delivered_chars: u64,
    dropped: u64,
}

#[derive(Debug)]
struct HeldFrame {
    frame: Frame,
    pieces: Vec<Piece>,
}

/// Text of one field inside one frame.
#[derive(Debug)]
struct Piece {
    field: String,
    /// Bytes of the field before this piece.
    start: usize,
    pointer: String,
    text: String,
    repeat: bool,
}

#[derive(Debug, Default)]
struct Field {
    seen: usize,
    released: usize,
    delivered: usize,
    redactions: Vec<Range<usize>>,
}

impl HeldFrames {
    /// Takes a frame in. Its text waits for [`HeldFrames::release`].
    pub(crate) fn push(&mut self, frame: Frame, deltas: Vec<Delta>) {
        let pieces = deltas.into_iter().map(|delta| {
            let field = self.fields.entry(delta.field.clone()).or_default();
            let start = if delta.repeat { 0 } else { field.seen };
            if !delta.repeat {
                field.seen += delta.text.len();
            }
            Piece {
                field: delta.field,
                start,
                pointer: delta.pointer,
                text: delta.text,
                repeat: delta.repeat,
            }
        });
        let pieces = pieces.collect();
        self.waiting_bytes += frame.raw.len();
        self.queue.push_back(HeldFrame { frame, pieces });
    }

    /// Lets the first `bytes` of `field` leave.
    pub(crate) fn release(&mut self, field: &str, bytes: usize) {
        if let Some(field) = self.fields.get_mut(field) {
            field.released = field.released.max(bytes);
        }
    }

    /// Lets everything leave.
    pub(crate) fn release_all(&mut self) {
        for field in self.fields.values_mut() {
            field.released = usize::MAX;
        }
    }

    /// Replaces a range of `field` in whatever has not left yet.
    pub(crate) fn redact(&mut self, field: &str, range: Range<usize>) {
        let redactions = &mut self.fields.entry(field.to_owned()).or_default().redactions;
        redactions.push(range);
        redactions.sort_by_key(|range| (range.start, range.end));
        redactions.dedup_by(|later, earlier| {
            let one = later.start < earlier.end;
            if one {
                earlier.end = earlier.end.max(later.end);
            }
            one
        });
    }

    /// The bytes that may leave now.
    pub(crate) fn take_ready(&mut self) -> BytesMut {
        let mut ready = BytesMut::new();
        while let Some(frame) = self.queue.front() {
            let waits = frame.pieces.iter().any(|piece| {
                self.fields.get(&piece.field).is_some_and(|field| field.released < piece.end())
            });
            if waits {
                break;
            }
            if let Some(frame) = self.queue.pop_front() {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(frame.frame.raw.len());
                self.deliver(&frame, &mut ready);
            }
        }
        ready
    }

    /// Bytes of the frames that wait.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Bytes of `field` that have come.
    pub(crate) fn seen_bytes(&self, field: &str) -> usize {
        self.fields.get(field).map_or(0, |field| field.seen)
    }

    /// Characters of text that have left.
    pub(crate) const fn delivered_chars(&self) -> u64 {
        self.delivered_chars
    }

    /// Bytes of `field` that have left.
    pub(crate) fn delivered_bytes(&self, field: &str) -> usize {
        self.fields.get(field).map_or(0, |field| field.delivered)
    }

    /// Frames that had to be redacted, could not be, and were left out.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn deliver(&mut self, held: &HeldFrame, ready: &mut BytesMut) {
        let mut edits = Vec::new();
        for piece in &held.pieces {
            let Some(field) = self.fields.get_mut(&piece.field) else { continue };
            if !piece.repeat {
                field.delivered = piece.end();
                if !piece.field.ends_with(UNESCAPED) {
                    self.delivered_chars += piece.text.chars().count() as u64;
                }
            }
            let touched =
                field.redactions.iter().any(|r| r.start < piece.end() && piece.start < r.end);
            if touched {
                let text = replaced_within(&piece.text, piece.start, &field.redactions);
                edits.push((piece.pointer.clone(), text));
            }
        }
        if edits.is_empty() {
            ready.extend_from_slice(&held.frame.raw);
        } else if let Some(frame) = quell_wire::rewrite(&held.frame, &edits) {
            ready.extend_from_slice(&frame.raw);
        } else {
            // What cannot be rewritten does not leave.
            self.dropped += 1;
        }
    }
}

impl Piece {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}
