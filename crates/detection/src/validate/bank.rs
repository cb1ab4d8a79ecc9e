//! Payment cards, bank accounts.

/// Whether the digits are a payment card number of a known issuer, by ISO/IEC 7812 range and Luhn
/// digit.
pub(super) fn is_card(all: &[u8]) -> bool {
    is_issued(all, all.len()) && is_varied(all) && luhn(all)
}

/// Whether a known issuer's card numbers of `length` digits begin like these.
pub(super) fn is_issued(all: &[u8], length: usize) -> bool {
    matches!(
        (all.first(), all.get(1), length),
        (Some(4), _, 13 | 16 | 19)
            | (Some(5), Some(1..=5), 16)
            | (Some(2), Some(2..=7), 16)
            | (Some(3), Some(4 | 7), 15)
            | (Some(3), Some(0 | 6 | 8), 14)
            | (Some(3), Some(5), 16)
            | (Some(6), Some(0 | 2 | 4 | 5), 16..=19)
    )
}

/// Whether the digits could be a card of any issuer; to be asked only where a word says so.
pub(super) fn is_any_card(all: &[u8]) -> bool {
    (12..=19).contains(&all.len()) && is_varied(all) && luhn(all)
}

fn is_varied(all: &[u8]) -> bool {
    all.iter().skip(1).any(|digit| Some(digit) != all.first())
}

/// ISO/IEC 7812-1 annex B: the double-add-double check digit.
pub(super) fn luhn(all: &[u8]) -> bool {
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

/// US bank routing number: the ABA check digit and the assigned prefixes.
pub(super) fn is_routing(all: &[u8]) -> bool {
    let weights = [3, 7, 1, 3, 7, 1, 3, 7, 1];
    let sum: u32 = all.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let prefix = all.iter().take(2).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    all.len() == 9 && sum.is_multiple_of(10) && matches!(prefix, 1..=12 | 21..=32 | 61..=72 | 80)
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

/// How many bytes of `text` are an IBAN, by country length and mod-97 (ISO 13616).
pub(super) fn iban_length(text: &[u8]) -> Option<usize> {
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
