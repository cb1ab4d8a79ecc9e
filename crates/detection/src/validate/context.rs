//! The words before a number: what it is said to be.

/// What precedes a match, lower-cased.
pub(super) struct Before<'a> {
    raw: &'a [u8],
    lower: Vec<u8>,
}

impl<'a> Before<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self { raw, lower: raw.to_ascii_lowercase() }
    }

    /// Whether one of `words` stands in it, as a word of its own where it is ASCII letters.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| says(&self.lower, word))
    }

    /// Whether one of `words` stands among the last bytes, with no clause ending after it.
    pub(super) fn just_said(&self, words: &[&str]) -> bool {
        let near = &self.lower[self.lower.len().saturating_sub(28)..];
        let clause = near.iter().rposition(|byte| matches!(byte, b',' | b';' | b'|' | b'\n'));
        let near = clause.map_or(near, |end| &near[end + 1..]);
        words.iter().any(|word| says(near, word))
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

fn says(text: &[u8], word: &str) -> bool {
    let word = word.as_bytes();
    let inner = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.windows(word.len()).enumerate().any(|(at, window)| {
        window == word
            && !(inner(word.first()) && inner(at.checked_sub(1).and_then(|index| text.get(index))))
            && !(inner(word.last()) && inner(text.get(at + word.len())))
    })
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
