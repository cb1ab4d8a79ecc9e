//! Characters nobody sees.
//!
//! Sees: runs of Unicode tag characters, and invisible characters between letters.
//! Cannot see: text hidden by colour or size in documents.
//! Known false positives: emoji sequences and scripts that need joiners (the joiner is only counted
//! between two ASCII letters); flags of regions use up to six tag characters.

use super::Raised;
use crate::fold::{is_invisible, is_tag};

/// Tag characters in a row that no flag needs.
const MIN_TAGS: usize = 8;
/// Invisible characters inside words before it is no accident.
const MIN_INVISIBLE: usize = 3;

/// The analyzer's state in one field.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    tags: usize,
    tags_start: usize,
    invisible: usize,
    first_invisible: usize,
    after_letter: bool,
    pending: Option<usize>,
}

impl Hidden {
    /// Looks at text that stands at `at`.
    pub(crate) fn push(&mut self, text: &str, at: usize, out: &mut Vec<Raised>) {
        if text.is_ascii() && self.pending.is_none() && !text.is_empty() {
            self.tags = 0;
            self.after_letter = text.ends_with(|c: char| c.is_ascii_alphabetic());
            return;
        }
        for (offset, c) in text.char_indices() {
            self.character(c, at + offset, out);
        }
    }

    fn character(&mut self, c: char, at: usize, out: &mut Vec<Raised>) {
        let end = at + c.len_utf8();
        if is_tag(c) {
            if self.tags == 0 {
                self.tags_start = at;
            }
            self.tags += 1;
            if self.tags == MIN_TAGS {
                let fact = "text.hidden_tags";
                out.push(Raised { fact, start: self.tags_start, end, trigger: end });
            }
            return;
        }
        self.tags = 0;
        if is_invisible(c) {
            if self.after_letter {
                self.pending = Some(at);
            }
            return;
        }
        self.after_letter = c.is_ascii_alphabetic();
        if let Some(start) = self.pending.take().filter(|_| self.after_letter) {
            if self.invisible == 0 {
                self.first_invisible = start;
            }
            self.invisible += 1;
            if self.invisible == MIN_INVISIBLE {
                let fact = "text.hidden_characters";
                out.push(Raised { fact, start: self.first_invisible, end, trigger: end });
            }
        }
    }
}
