//! Text as hashed words and shingles of words, as it comes.

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
    hash: Mix,
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
            if c.is_ascii_alphanumeric() {
                self.letter(c.to_ascii_lowercase(), start, end);
                continue;
            }
            let alone = matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}');
            if alone || !c.is_alphanumeric() {
                self.finish(&mut found);
            }
            if c.is_alphanumeric() {
                let mut lower = c.to_lowercase();
                self.letter(lower.next().unwrap_or(c), start, end);
                lower.for_each(|c| self.hash.add(u64::from(c)));
            }
            if alone {
                self.finish(&mut found);
            }
        }
    }

    /// Takes a letter or digit, in lower case.
    fn letter(&mut self, lower: char, start: usize, end: usize) {
        if !self.open {
            self.open = true;
            self.start = start;
            self.letters = 0;
            self.hash = Mix::default();
        }
        self.hash.add(u64::from(lower));
        self.letters += 1;
        self.end = end;
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
    /// Where the next word goes: over the oldest.
    next: usize,
    count: usize,
}

impl Ring {
    /// Adds a word; the shingle that ends with it and where that begins.
    pub(crate) fn add(&mut self, word: u64, start: usize) -> Option<(u64, usize)> {
        self.words[self.next] = (word, start);
        self.next = (self.next + 1) % SHINGLE;
        self.count = (self.count + 1).min(SHINGLE);
        (self.count == SHINGLE).then(|| {
            let (newer, older) = self.words.split_at(self.next);
            let mut hash = Mix::default();
            older.iter().chain(newer).for_each(|(word, _)| hash.add(*word));
            (hash.finish(), self.words[self.next].1)
        })
    }
}

/// A hash of numbers one after the other: fast, and the same in every process. Sets that hold such
/// hashes hash them again with a key.
#[derive(Debug)]
struct Mix(u64);

impl Default for Mix {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Mix {
    const fn add(&mut self, number: u64) {
        let mixed = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    const fn finish(&self) -> u64 {
        self.0
    }
}
