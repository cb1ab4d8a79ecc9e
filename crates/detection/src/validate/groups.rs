//! Groups of digits and what separates them, read once.

/// Most groups looked at.
const MAX_GROUPS: usize = 8;
/// Most digits looked at; a match of the number pattern has fewer.
const MAX_DIGITS: usize = 96;

/// A run of digit groups at the beginning of a text.
pub(super) struct Run<'a> {
    pub(super) text: &'a [u8],
    count: usize,
    starts: [usize; MAX_GROUPS],
    lengths: [usize; MAX_GROUPS],
    /// Digits in the groups before each, and in all.
    before: [usize; MAX_GROUPS + 1],
    values: [u8; MAX_DIGITS],
}

impl<'a> Run<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let mut run = Self {
            text,
            count: 0,
            starts: [0; MAX_GROUPS],
            lengths: [0; MAX_GROUPS],
            before: [0; MAX_GROUPS + 1],
            values: [0; MAX_DIGITS],
        };
        let (mut digits, mut end) = (0, usize::MAX);
        for (index, byte) in text.iter().enumerate() {
            if !byte.is_ascii_digit() {
                continue;
            }
            if end != index {
                if run.count == MAX_GROUPS {
                    break;
                }
                run.starts[run.count] = index;
                run.count += 1;
            }
            if digits == MAX_DIGITS {
                break;
            }
            run.values[digits] = byte - b'0';
            (digits, end) = (digits + 1, index + 1);
            run.lengths[run.count - 1] += 1;
            run.before[run.count] = digits;
        }
        run
    }

    /// How many groups there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The digits of one group, as values.
    pub(super) fn group(&self, index: usize) -> &[u8] {
        if index >= self.count {
            return &[];
        }
        &self.values[self.before[index]..self.before[index + 1]]
    }

    /// The digits of the first `count` groups, as values.
    pub(super) fn digits(&self, count: usize) -> &[u8] {
        &self.values[..self.before[count.min(self.count)]]
    }

    pub(super) fn lengths(&self, count: usize) -> &[usize] {
        &self.lengths[..count.min(self.count)]
    }

    /// What stands after group `index`, up to the next group.
    pub(super) fn separator(&self, index: usize) -> &[u8] {
        let from = if index < self.count { self.end(index + 1) } else { 0 };
        let next = index + 1;
        let to = if next < self.count { self.starts[next] } else { self.text.len() };
        &self.text[from..to]
    }

    /// The one separator between the first `count` groups, if it is the same everywhere.
    pub(super) fn uniform(&self, count: usize) -> Option<&[u8]> {
        let first = self.separator(0);
        (1..count - 1).all(|index| self.separator(index) == first).then_some(first)
    }

    /// One past the last byte of the first `count` groups.
    pub(super) const fn end(&self, count: usize) -> usize {
        match count.checked_sub(1) {
            Some(last) if last < self.count => self.starts[last] + self.lengths[last],
            _ => 0,
        }
    }

    /// Where digit number `index` stands, or the end of the text if there are fewer.
    pub(super) fn place(&self, index: usize) -> usize {
        let holds = |group: &usize| (self.before[*group]..self.before[group + 1]).contains(&index);
        let group = (0..self.count).find(holds);
        group.map_or(self.text.len(), |group| self.starts[group] + index - self.before[group])
    }

    /// Whether a number may end after `count` groups: what follows is not more of the same.
    pub(super) fn ends_at(&self, count: usize) -> bool {
        if count == 0 || count >= self.count {
            return !self.text.get(self.end(count)).is_some_and(u8::is_ascii_alphanumeric);
        }
        let between = self.separator(count - 1);
        match between {
            b" " if count > 1 => {
                self.separator(count - 2) != b" " || self.lengths[count] != self.lengths[count - 1]
            }
            b" " => true,
            _ => between.len() > 1,
        }
    }

    /// The letter or digit right after group `index`, and what separates it.
    pub(super) fn tail(&self, index: usize) -> &[u8] {
        &self.text[self.end(index + 1)..]
    }
}

#[cfg(test)]
mod tests {
    use super::Run;

    #[test]
    fn groups_and_places() {
        let run = Run::new(b"49 291-3 x");
        assert_eq!(
            (run.len(), run.digits(2), run.lengths(3)),
            (3, &[4, 9, 2, 9, 1][..], &[2, 3, 1][..])
        );
        assert_eq!(
            (run.separator(0), run.separator(1), run.separator(2)),
            (&b" "[..], &b"-"[..], &b" x"[..])
        );
        assert_eq!((run.group(1), run.group(3)), (&[2, 9, 1][..], &[][..]));
        assert_eq!([0, 2, 5, 6].map(|index| run.place(index)), [0, 3, 7, 10]);
        assert_eq!([0, 1, 2, 3].map(|count| run.end(count)), [0, 2, 6, 8]);
    }
}
