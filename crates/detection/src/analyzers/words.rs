//! Text as hashed words and shingles of words, as it comes.

use std::hash::{Hash, Hasher};

/// Words of a shingle.
pub(crate) const SHINGLE: usize = 6;

/// A word of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    /// Of its lower-case letters.
    pub(crate) hash: u64,
    /// First byte.
    pub(crate) start: usize,
    /// One past the last.
    pub(crate) end: usize,
    /// Letters and digits in it.
    pub(crate) letters: usize,
}

/// Splits text into words as it comes.
#[derive(Debug, Default)]
pub(crate) struct Words {
    hash: Fnv,
    start: usize,
    end: usize,
    letters: usize,
    open: bool,
}

impl Words {
    /// Gives each finished word of text that stands at `at`: its hash, where it begins and ends, and
    /// how many letters and digits it has.
    pub(crate) fn push(&mut self, text: &str, at: usize, mut found: impl FnMut(Word)) {
        for (offset, c) in text.char_indices() {
            let (start, end) = (at + offset, at + offset + c.len_utf8());
            let alone = matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}');
            if alone || !c.is_alphanumeric() {
                self.finish(&mut found);
            }
            if c.is_alphanumeric() {
                if !self.open {
                    self.open = true;
                    self.start = start;
                    self.letters = 0;
                    self.hash = Fnv::default();
                }
                c.to_lowercase().for_each(|c| c.hash(&mut self.hash));
                self.letters += 1;
                self.end = end;
            }
            if alone {
                self.finish(&mut found);
            }
        }
    }

    /// Gives the last word.
    pub(crate) fn finish(&mut self, mut found: impl FnMut(Word)) {
        if self.open {
            self.open = false;
            found(Word {
                hash: self.hash.finish(),
                start: self.start,
                end: self.end,
                letters: self.letters,
            });
        }
    }
}

/// The last few words.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    words: [(u64, usize); SHINGLE],
    count: usize,
}

impl Ring {
    /// Adds a word; the shingle that ends with it and where that begins.
    pub(crate) fn add(&mut self, word: u64, start: usize) -> Option<(u64, usize)> {
        self.words.rotate_left(1);
        self.words[SHINGLE - 1] = (word, start);
        self.count = (self.count + 1).min(SHINGLE);
        (self.count == SHINGLE).then(|| {
            let mut hash = Fnv::default();
            self.words.iter().for_each(|(word, _)| word.hash(&mut hash));
            (hash.finish(), self.words[0].1)
        })
    }
}

/// FNV-1a: fast, and the same in every process.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
