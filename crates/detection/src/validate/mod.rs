//! Checks of matched text that a regex cannot make. Each says how many bytes of the match are valid
//! and, where one pattern stands for several formats, which of them it is.

use serde::Deserialize;

/// A check beyond the regex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// Payment card: issuer range and Luhn digit.
    Card,
    /// International bank account: country length and mod-97.
    Iban,
    /// US social security number: area, group and serial in the issued ranges.
    Ssn,
    /// Key material: at least 3 bits of entropy a character, no obvious placeholder.
    Entropy,
}

/// What a validator found valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// How many bytes of the match, from its beginning.
    pub length: usize,
    /// The fact to state instead of the pattern's own.
    pub fact: Option<&'static str>,
}

/// Bytes before a match that a validator may look at.
pub const LOOK_BEHIND: usize = 64;

impl Validator {
    /// What of `text` is valid, if anything. `before` is what precedes it in the field, at most
    /// [`LOOK_BEHIND`] bytes.
    pub fn accept(self, _before: &[u8], text: &[u8]) -> Option<Accepted> {
        let length = match self {
            Self::Card => is_card(text).then_some(text.len()),
            Self::Iban => iban_length(text),
            Self::Ssn => is_ssn(text).then_some(text.len()),
            Self::Entropy => is_random(text).then_some(text.len()),
        };
        length.map(|length| Accepted { length, fact: None })
    }

    /// Facts the validator may state instead of the pattern's own.
    pub const fn facts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Card | Self::Iban | Self::Ssn | Self::Entropy => &[],
        }
    }
}

fn digits(text: &[u8]) -> impl DoubleEndedIterator<Item = u8> + '_ {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0')
}

fn is_card(text: &[u8]) -> bool {
    let all: Vec<u8> = digits(text).collect();
    let known = matches!(
        (all.first(), all.get(1), all.len()),
        (Some(4), _, 13 | 16 | 19)
            | (Some(5), Some(1..=5), 16)
            | (Some(2), Some(2..=7), 16)
            | (Some(3), Some(4 | 7), 15)
            | (Some(3), Some(0 | 6 | 8), 14)
            | (Some(3), Some(5), 16)
            | (Some(6), Some(0 | 2 | 4 | 5), 16..=19)
    );
    let varied = all.iter().skip(1).any(|digit| Some(digit) != all.first());
    known && varied && luhn(&all)
}

fn luhn(all: &[u8]) -> bool {
    let sum: u32 = all
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(*digit) * if index % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Lengths by country, as the IBAN registry states them.
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

fn iban_length(text: &[u8]) -> Option<usize> {
    let country = text.get(..2)?;
    let length = IBAN_LENGTHS.iter().find(|(code, _)| code.as_slice() == country)?.1;
    let mut compact = Vec::with_capacity(length);
    let mut end = 0;
    for (index, byte) in text.iter().enumerate() {
        if byte.is_ascii_alphanumeric() {
            compact.push(*byte);
            if compact.len() == length {
                end = index + 1;
                break;
            }
        }
    }
    let followed = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
    (end > 0 && !followed && mod_97(&compact) == 1).then_some(end)
}

fn mod_97(compact: &[u8]) -> u32 {
    let (head, tail) = compact.split_at(compact.len().min(4));
    tail.iter().chain(head).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.to_ascii_uppercase().wrapping_sub(b'A')) + 10) % 97,
    })
}

fn is_ssn(text: &[u8]) -> bool {
    let number = digits(text).fold(0_u32, |number, digit| number * 10 + u32::from(digit));
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    let advertised = matches!(number, 78_051_120 | 219_099_999 | 457_555_462)
        || (987_654_320..=987_654_329).contains(&number);
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !advertised
}

const PLACEHOLDERS: &[&[u8]] = &[
    b"example",
    b"xxxx",
    b"your",
    b"placeholder",
    b"redacted",
    b"****",
    b"0000000000",
    b"....",
    b"sample",
];

fn is_random(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    if PLACEHOLDERS.iter().any(|word| lower.windows(word.len()).any(|window| window == *word)) {
        return false;
    }
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let total = text.len() as f64;
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum();
    entropy >= 3.0
}

#[cfg(test)]
mod tests {
    use super::Validator::{self, Card, Entropy, Iban, Ssn};

    fn check(validator: Validator, text: &str, expected: Option<usize>) {
        let found = validator.accept(b"", text.as_bytes()).map(|found| found.length);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn cards() {
        check(Card, "4111 1111 1111 1111", Some(19));
        check(Card, "378282246310005", Some(15));
        check(Card, "4111 1111 1111 1112", None);
        check(Card, "0000000000000000", None);
        check(Card, "9111111111111111", None);
    }

    #[test]
    fn ibans_end_where_the_country_says() {
        check(Iban, "DE89 3704 0044 0532 0130 00", Some(27));
        check(Iban, "DE89 3704 0044 0532 0130 00 AND", Some(27));
        check(Iban, "GB82WEST12345698765432", Some(22));
        check(Iban, "GB82WEST12345698765433", None);
        check(Iban, "ZZ82WEST12345698765432", None);
        check(Iban, "DE89", None);
    }

    #[test]
    fn social_security_numbers() {
        check(Ssn, "536-22-8145", Some(11));
        check(Ssn, "000-22-8145", None);
        check(Ssn, "666-22-8145", None);
        check(Ssn, "923-22-8145", None);
        check(Ssn, "078-05-1120", None);
    }

    #[test]
    fn keys_are_random() {
        check(Entropy, "sk-aB3dE5fG7hI9jK1lM2nO4p", Some(25));
        check(Entropy, "sk-xxxxxxxxxxxxxxxxxxxxxxxx", None);
        check(Entropy, "AKIAIOSFODNN7EXAMPLE", None);
    }
}
