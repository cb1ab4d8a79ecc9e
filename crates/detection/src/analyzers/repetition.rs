//! The same word or character over and over: floods, and answers of a model that loops.
//!
//! Sees: one word, or one character, repeated hundreds of times without anything between.
//! Cannot see: repeated sentences; in requests, words with ever different things between them.
//! Known false positives: ASCII art and separators stay below the limits; dumps of zeros do not.

use super::Raised;

const WORDS: usize = 200;
const CHARACTERS: usize = 2_000;
/// A whole text is looked at closely only if one of its blocks, taken every so many bytes, comes
/// again soon after. Any repetition above the limits is longer than that.
const STRIDE: usize = 192;
const BLOCK: usize = 6;
const SOON: usize = 160;

/// The analyzer's state in one field.
#[derive(Debug, Default)]
pub(crate) struct Repetition {
    word: u64,
    last_word: u64,
    words: usize,
    words_start: usize,
    word_start: usize,
    last_char: Option<char>,
    characters: usize,
    characters_start: usize,
    raised: bool,
}

impl Repetition {
    /// Looks at a whole text.
    pub(crate) fn of(text: &str, out: &mut Vec<Raised>) {
        let bytes = text.as_bytes();
        let again = |from: usize| {
            let block = bytes.get(from..from + BLOCK)?;
            let after = &bytes[from + 1..bytes.len().min(from + SOON)];
            memchr::memmem::find(after, block)
        };
        if bytes.len() >= 2 * WORDS
            && (0..bytes.len()).step_by(STRIDE).any(|at| again(at).is_some())
        {
            Self::default().push(text, 0, out);
        }
    }

    /// Looks at text that stands at `at`.
    pub(crate) fn push(&mut self, text: &str, at: usize, out: &mut Vec<Raised>) {
        if self.raised {
            return;
        }
        for (offset, c) in text.char_indices() {
            let (position, end) = (at + offset, at + offset + c.len_utf8());
            if self.last_char == Some(c) {
                self.characters += 1;
            } else {
                self.last_char = Some(c);
                self.characters = 1;
                self.characters_start = position;
            }
            if self.characters == CHARACTERS {
                self.raise(self.characters_start, end, out);
                return;
            }
            if c.is_alphanumeric() {
                if self.word == 0 {
                    self.word = 0xcbf2_9ce4_8422_2325;
                    self.word_start = position;
                }
                self.word = (self.word ^ u64::from(c)).wrapping_mul(0x0100_0000_01b3);
            } else if self.word != 0 && self.end_word() {
                self.raise(self.words_start, end, out);
                return;
            }
        }
    }

    /// Counts a finished word; whether it is one too many.
    fn end_word(&mut self) -> bool {
        if self.word == self.last_word {
            self.words += 1;
        } else {
            self.last_word = self.word;
            self.words = 1;
            self.words_start = self.word_start;
        }
        self.word = 0;
        self.words == WORDS
    }

    fn raise(&mut self, start: usize, end: usize, out: &mut Vec<Raised>) {
        self.raised = true;
        out.push(Raised { fact: "text.repetition", start, end, trigger: end });
    }
}
