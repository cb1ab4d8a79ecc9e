//! The words before a number: what it is said to be.

use std::cell::OnceCell;

use super::LOOK_BEHIND;

/// What precedes a match.
pub(super) struct Before<'a> {
    raw: &'a [u8],
    words: OnceCell<Words>,
}

impl<'a> Before<'a> {
    pub(super) const fn new(raw: &'a [u8]) -> Self {
        Self { raw, words: OnceCell::new() }
    }

    /// Whether one of `words` stands in it, as a word of its own where it is ASCII letters.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        self.words().say(words)
    }

    /// Whether there is no letter in it, so that it says nothing.
    pub(super) fn is_wordless(&self) -> bool {
        self.words().initials & !NO_LETTER == 0
    }

    fn words(&self) -> &Words {
        self.words.get_or_init(|| Words::new(self.raw))
    }

    /// Whether one of `words` stands among the last bytes, with no clause ending after it.
    pub(super) fn just_said(&self, words: &[&str]) -> bool {
        let near = &self.raw[self.raw.len().saturating_sub(28)..];
        let clause = near.iter().rposition(|byte| matches!(byte, b',' | b';' | b'|' | b'\n'));
        let near = clause.map_or(near, |end| &near[end + 1..]);
        Words::new(near).say(words)
    }

    /// The byte `back` places before the match, 1 being the last.
    pub(super) fn byte(&self, back: usize) -> Option<u8> {
        self.raw.len().checked_sub(back).map(|index| self.raw[index])
    }

    /// Whether the match continues a longer token: `v7.19.738`, `a1b2-4855…`, `id_12`, `/12/`.
    pub(super) fn joined(&self) -> bool {
        let before_that = self.byte(2).is_some_and(|byte| byte.is_ascii_alphanumeric());
        match self.byte(1) {
            Some(b'-' | b'_' | b'/' | b'~') => before_that,
            Some(b'.' | b',') => self.byte(2).is_some_and(|byte| byte.is_ascii_digit()),
            Some(b'@' | b'%' | b'$' | b'\\') => true,
            _ => false,
        }
    }

    /// Whether another group of digits stands right before it.
    pub(super) fn after_digits(&self) -> bool {
        matches!(self.byte(1), Some(b' ')) && self.byte(2).is_some_and(|byte| byte.is_ascii_digit())
    }

    /// How many digits the group right before it has; the group ends at a single space.
    pub(super) fn digits_before(&self) -> usize {
        if !self.after_digits() {
            return 0;
        }
        self.raw.iter().rev().skip(1).take_while(|byte| byte.is_ascii_digit()).count()
    }
}

/// Most bytes of a text whose words are looked for: its last ones.
const MOST: usize = LOOK_BEHIND;

/// The places of a text where a word may begin. Most texts before numbers have few, so asking for
/// hundreds of words costs about as much as asking for one.
struct Words {
    lower: [u8; MOST],
    length: usize,
    /// One bit per byte at which a word may begin.
    starts: u64,
    /// One bit per letter such a word may begin with, one for letters outside ASCII, one for the
    /// rest.
    initials: u32,
}

/// The bit of a word's first byte.
const fn initial(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' => 1 << (byte - b'a'),
        0x80.. => 1 << 26,
        _ => NO_LETTER,
    }
}

/// The bit of everything that begins no word.
const NO_LETTER: u32 = 1 << 27;

impl Words {
    fn new(text: &[u8]) -> Self {
        let text = &text[text.len().saturating_sub(MOST)..];
        let mut words = Self { lower: [0; MOST], length: text.len(), starts: 0, initials: 0 };
        let mut inside = false;
        for (at, byte) in text.iter().map(u8::to_ascii_lowercase).enumerate() {
            words.lower[at] = byte;
            let inner = byte.is_ascii_alphanumeric();
            if !(inner && inside) {
                words.starts |= 1 << at;
                words.initials |= initial(byte);
            }
            inside = inner;
        }
        words
    }

    fn say(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.says(word.as_bytes()))
    }

    fn says(&self, word: &[u8]) -> bool {
        let (Some(first), Some(last)) = (word.first(), word.last()) else { return false };
        if self.initials & initial(*first) == 0 {
            return false;
        }
        let text = &self.lower[..self.length];
        let mut starts = self.starts;
        while starts != 0 {
            let rest = &text[starts.trailing_zeros() as usize..];
            let goes_on = || rest.get(word.len()).is_some_and(u8::is_ascii_alphanumeric);
            if rest.starts_with(word) && !(last.is_ascii_alphanumeric() && goes_on()) {
                return true;
            }
            starts &= starts - 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Before;

    #[test]
    fn words_stand_by_themselves() {
        assert!(Before::new(b"My SSN is ").says(&["ssn"]));
        assert!(!Before::new(b"the signal ").says(&["sin"]));
        assert!(Before::new("マイナンバー: ".as_bytes()).says(&["マイナンバー"]));
        assert!(!Before::new(b"order 12, for ").just_said(&["order"]));
        assert!(Before::new(b"order no. ").just_said(&["order"]));
    }

    #[test]
    fn tokens_that_go_on() {
        assert!(Before::new(b"v7.19.").joined());
        assert!(Before::new(b"INV-").joined());
        assert!(!Before::new(b"is - ").joined());
        assert_eq!(Before::new(b"call 1234 ").digits_before(), 4);
    }
}
