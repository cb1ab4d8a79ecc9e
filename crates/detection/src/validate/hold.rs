//! How much of a number that may still go on has to wait on a stream. The decision and what it
//! lets pass stand in docs/adr/0019-numbers-on-streams.md: of a payment card number the digits
//! that every truncation format removes never leave, of an Aadhaar number the last four; every
//! other number that something acts on waits from its first digit.
//!
//! Everything here depends on the text so far alone, and what has to wait never moves back, so
//! what leaves does not depend on how a stream was split.

use super::context::Before;
use super::groups::Run;
use super::number::{FACTS, NAMED, SAYS_CARD, format, is_crowded, lettered};
use super::{bank, national};

/// Which of the facts about numbers something acts on, and so which numbers have to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberHold {
    /// By index in [`FACTS`].
    acted: u64,
    /// A format without a grouping of its own is among them.
    whole: bool,
}

/// Digits that may leave of numbers that begin like a card's, by the groups they are written in.
const LEAVES: [(&str, &[usize], usize); 2] =
    [("identifier.in_aadhaar", &[4, 4, 4], 8), ("identifier.au_medicare", &[4, 5, 1], 4)];
/// Digits that may leave of a number that a word before it calls a card's.
const SAID_CARD_LEAVES: usize = 8;

/// Digits of a card number of `length` digits that may leave before it is complete.
const fn card_leaves(length: usize) -> usize {
    match length {
        16.. => 12,
        14 | 15 => 10,
        _ => 9,
    }
}

/// One way of grouping a number.
struct Shape {
    fact: &'static str,
    /// Fewest and most digits of each group.
    groups: &'static [(usize, usize)],
    /// What may stand between the groups, one byte each; `*` is anything.
    separators: &'static [&'static [u8]],
    /// Whether the digits so far may begin such a number.
    begins: fn(&[u8]) -> bool,
}

const fn shape(
    fact: &'static str,
    groups: &'static [(usize, usize)],
    separators: &'static [&'static [u8]],
    begins: fn(&[u8]) -> bool,
) -> Shape {
    Shape { fact, groups, separators, begins }
}

const ANY: fn(&[u8]) -> bool = |_| true;

#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    shape("identifier.us_ssn", &[(3, 3), (2, 2), (4, 4)], &[b"--"], |all| all[0] != 9),
    shape("identifier.br_cpf", &[(3, 3), (3, 3), (3, 3), (2, 2)], &[b".*-"], ANY),
    shape("identifier.br_cnpj", &[(2, 2), (3, 3), (3, 3), (4, 4), (2, 2)], &[b"**/*"], ANY),
    shape("identifier.uk_nhs", &[(3, 3), (3, 3), (4, 4)], &[b"  "], ANY),
    shape("identifier.in_aadhaar", &[(4, 4), (4, 4), (4, 4)], &[b"  ", b"--"], |all| all[0] >= 2),
    shape("identifier.se_personnummer", &[(6, 6), (4, 4)], &[b"-", b"+"], |all| month(all, 2)),
    shape("identifier.se_personnummer", &[(8, 8), (4, 4)], &[b"-", b"+"], |all| month(all, 4)),
    shape("identifier.kr_rrn", &[(6, 6), (7, 7)], &[b"-"], |all| month(all, 2)),
    shape(
        "identifier.fr_nir",
        &[(1, 1), (2, 2), (2, 2), (2, 2), (3, 3), (3, 3), (2, 2)],
        &[b"******"],
        nir,
    ),
    shape("identifier.au_abn", &[(2, 2), (3, 3), (3, 3), (3, 3)], &[b"   "], ANY),
    shape("identifier.au_medicare", &[(4, 4), (5, 5), (1, 1)], &[b"  ", b"--"], |all| matches!(all[0], 2..=6)),
    shape("identifier.no_fodselsnummer", &[(6, 6), (5, 5)], &[b" "], |all| month(all, 2)),
    shape("identifier.no_fodselsnummer", &[(11, 11)], &[b""], |all| month(all, 2)),
    shape("identifier.za_id", &[(13, 13)], &[b""], |all| month(all, 2)),
    shape("identifier.fr_nir", &[(15, 15)], &[b""], nir),
    shape("identifier.cn_resident_id", &[(17, 18)], &[b""], resident),
    shape("identifier.es_dni", &[(8, 8)], &[b""], ANY),
    shape("identifier.fi_hetu", &[(6, 6)], &[b""], |all| month(all, 2)),
];

/// The groupings of a card number, and the number in one piece.
const CARD_SHAPES: [&[(usize, usize)]; 4] = [
    &[(4, 4), (4, 4), (4, 4), (2, 4)],
    &[(4, 4), (4, 4), (4, 4), (4, 4), (1, 3)],
    &[(4, 4), (6, 6), (4, 5)],
    &[(12, 19)],
];

/// Whether the two digits at `at`, as far as they are there, may be a month.
fn month(all: &[u8], at: usize) -> bool {
    all.get(at..at + 2).is_none_or(|two| matches!(national::number(two), 1..=12))
}

fn nir(all: &[u8]) -> bool {
    matches!(all[0], 1..=4 | 7 | 8)
        && all.get(3..5).is_none_or(|two| national::is_nir_month(national::number(two)))
}

fn resident(all: &[u8]) -> bool {
    all.get(..2).is_none_or(|two| (11..=82).contains(&national::number(two)))
        && all.get(6..8).is_none_or(|two| matches!(national::number(two), 19 | 20))
}

impl NumberHold {
    /// What has to wait when something acts on the facts that `acts` names.
    pub(crate) fn new(acts: impl Fn(&str) -> bool) -> Self {
        let acted = FACTS.iter().enumerate().filter(|(_, (fact, _))| acts(fact));
        let acted = acted.fold(0, |acted, (index, _)| acted | 1 << index);
        let mut hold = Self { acted, whole: false };
        hold.whole = hold.acts("identifier.phone") || hold.acts("identifier.ip");
        hold
    }

    fn acts(self, fact: &str) -> bool {
        let index = FACTS.iter().position(|(known, _)| *known == fact);
        index.is_some_and(|index| self.acted & (1 << index) != 0)
    }

    /// The byte of `text`, a match that goes on, from which on nothing may leave yet; none when
    /// nothing of it need wait. `before` is what precedes it.
    pub(crate) fn waits_from(self, before: &[u8], text: &[u8]) -> Option<usize> {
        if self.whole {
            return Some(0);
        }
        let (before, run) = (Before::new(before), Run::new(text));
        if run.len() == 0 || before.joined() || before.byte(1) == Some(b'+') {
            return None;
        }
        let complete = self.complete(&run, &before);
        let growing =
            [self.named(&run, &before), self.shaped(&run, &before), self.card(&run, &before)];
        complete.into_iter().chain(growing.into_iter().flatten()).min()
    }

    /// The byte of a whole match from which on nothing has left; none if nothing acts on `fact`.
    pub(crate) fn kept_from(self, before: &[u8], text: &[u8], fact: &str) -> Option<usize> {
        if self.whole {
            return self.acts(fact).then_some(0);
        }
        let run = Run::new(text);
        self.acts(fact).then(|| kept(&run, run.len(), fact, &Before::new(before)))
    }

    /// What of the groups so far is a number already.
    fn complete(self, run: &Run<'_>, before: &Before<'_>) -> Option<usize> {
        if lettered(run).is_some_and(|(_, fact)| self.acts(fact)) {
            return Some(0);
        }
        let at = |count| {
            let fact = format(run, count, before, is_crowded(run, count, before))?;
            self.acts(fact).then(|| kept(run, count, fact, before))
        };
        (1..=run.len()).filter_map(at).min()
    }

    /// A number that a word before it names may have any grouping.
    fn named(self, run: &Run<'_>, before: &Before<'_>) -> Option<usize> {
        let digits = run.digits(run.len()).len();
        let goes_on = !before.is_wordless()
            && NAMED.iter().any(|(words, lengths, _, fact)| {
                lengths.iter().any(|length| *length > digits)
                    && self.acts(fact)
                    && before.says(words)
            });
        goes_on.then_some(0)
    }

    fn shaped(self, run: &Run<'_>, before: &Before<'_>) -> Option<usize> {
        let digits = run.digits(run.len());
        let crowded = is_crowded(run, 2, before);
        let fits = |shape: &&Shape| {
            let loose = shape.separators == [b"******"] && run.len() == 1;
            (!crowded || loose)
                && self.acts(shape.fact)
                && (shape.begins)(digits)
                && (may_grow(shape.groups, run).is_some() && separated(shape.separators, run)
                    || shape.groups.len() == 1 && letter_follows(shape, run))
        };
        let from = |shape: &Shape| {
            let leaves = LEAVES.iter().find(|(fact, ..)| *fact == shape.fact);
            leaves.map_or(0, |(.., leaves)| run.place(*leaves))
        };
        SHAPES.iter().filter(fits).map(from).min()
    }

    fn card(self, run: &Run<'_>, before: &Before<'_>) -> Option<usize> {
        let digits = run.digits(run.len());
        if digits.len() <= SAID_CARD_LEAVES || !self.acts("identifier.card") {
            return None;
        }
        let crowded = is_crowded(run, 2, before) && before.digits_before() == run.lengths(1)[0];
        if crowded || !separated(&[b"    ", b"----"], run) {
            return None;
        }
        let said = before.says(SAYS_CARD);
        let grown = CARD_SHAPES.iter().filter_map(|groups| may_grow(groups, run));
        let lengths = grown.flat_map(|(fewest, most)| fewest.max(digits.len() + 1)..=most);
        let leaves = lengths.filter_map(|length| {
            if said {
                Some(SAID_CARD_LEAVES)
            } else {
                bank::is_issued(digits, length).then(|| card_leaves(length))
            }
        });
        leaves.min().map(|leaves| run.place(leaves))
    }
}

/// The byte from which on a number of `count` groups has waited.
fn kept(run: &Run<'_>, count: usize, fact: &str, before: &Before<'_>) -> usize {
    if fact == "identifier.card" {
        let said = before.says(SAYS_CARD);
        let digits = run.digits(count).len();
        return run.place(if said { SAID_CARD_LEAVES } else { card_leaves(digits) });
    }
    let grouped = LEAVES.iter().find(|(known, groups, _)| {
        *known == fact && run.lengths(count) == *groups && !names(fact, before)
    });
    grouped.map_or(0, |(.., leaves)| run.place(*leaves))
}

/// Whether a word before a number says that it is one of `fact`: then it waits from its beginning.
fn names(fact: &str, before: &Before<'_>) -> bool {
    NAMED.iter().any(|(words, .., named)| *named == fact && before.says(words))
}

/// Whether the text ends behind its last group of digits, which then cannot grow.
fn is_closed(run: &Run<'_>) -> bool {
    run.text.last().is_some_and(|byte| !byte.is_ascii_digit())
}

/// The fewest and most digits of a number of these groups that the run may still become.
fn may_grow(groups: &[(usize, usize)], run: &Run<'_>) -> Option<(usize, usize)> {
    let (lengths, closed) = (run.lengths(run.len()), is_closed(run));
    let last = lengths.len().checked_sub(1)?;
    let ended = |index: usize| closed || index < last;
    let fits = lengths.len() <= groups.len()
        && lengths.iter().zip(groups).enumerate().all(|(index, (length, (fewest, most)))| {
            length <= most && (length >= fewest || !ended(index))
        });
    let full = groups.len() == lengths.len() && (closed || lengths[last] == groups[last].1);
    if !fits || full {
        return None;
    }
    let total = |of: fn(&(usize, usize)) -> usize, open: usize| -> usize {
        let known: usize = lengths[..last].iter().sum();
        let rest: usize = groups[last + 1..].iter().map(of).sum();
        known + if closed { lengths[last] } else { open } + rest
    };
    let fewest = total(|group| group.0, lengths[last].max(groups[last].0));
    Some((fewest, total(|group| group.1, groups[last].1)))
}

/// Whether what stands between the groups so far may belong to one of `kinds`.
fn separated(kinds: &[&[u8]], run: &Run<'_>) -> bool {
    let gaps = if is_closed(run) { run.len() } else { run.len() - 1 };
    kinds.iter().any(|kind| {
        (0..gaps).all(|gap| match kind.get(gap) {
            Some(b'*') => true,
            Some(byte) => run.separator(gap) == [*byte],
            None => false,
        })
    })
}

/// Whether all digits are there and what ends the number is still missing or has just begun.
fn letter_follows(shape: &Shape, run: &Run<'_>) -> bool {
    let (digits, tail) = (run.group(0), run.tail(0));
    match (shape.fact, digits.len()) {
        ("identifier.es_dni", 8) => matches!(tail, b"" | b"-"),
        ("identifier.cn_resident_id", 17) => tail.is_empty(),
        ("identifier.fi_hetu", 6) => {
            national::dmy(digits) && tail.len() <= 4 && tail.iter().skip(1).all(u8::is_ascii_digit)
        }
        _ => false,
    }
}
