//! How usual letters are side by side: what tells words from noise, and from words that run
//! backwards or through a cipher.
//!
//! Source: counts over the permissively licensed harmless texts of the development corpora, six
//! tenths English, the rest German, French, Spanish, Portuguese and Italian.

/// By the letter before and the letter after (0: no letter, 1 to 26: a to z): 16 times the binary
/// logarithm of how much more usual the second is there than by chance.
const PAIRS: [[i8; 27]; 27] = [
    [
        -127, 27, -6, 9, 15, 6, 0, -15, -10, 10, -44, -48, -3, -2, -8, 1, 5, -31, -8, 19, 20, 1,
        -31, -5, -100, -11, -53,
    ],
    [
        37, -95, -23, 6, 1, -86, -35, -16, -82, -5, -83, -30, 17, 0, 31, -90, -23, -62, 25, 13, 24,
        -14, -14, -77, -87, -29, -54,
    ],
    [
        4, 22, -10, -58, -77, 49, -80, -95, -86, 21, -52, -97, 35, -90, -89, 14, -46, -92, 5, -19,
        -35, 3, -54, -97, -93, -12, -77,
    ],
    [
        9, 25, -109, -1, -89, 24, -121, -117, 31, 22, -122, 2, 0, -104, -83, 29, -100, -108, 21,
        -62, 16, -3, -107, -121, -122, -59, -122,
    ],
    [
        49, 17, -89, -93, -16, 47, -104, -64, -104, 26, -102, -108, -45, -64, -72, 13, -92, -116,
        -2, -28, -89, -11, -34, -90, -117, -47, -116,
    ],
    [
        50, -6, -33, -2, -3, -25, -36, -29, -57, -11, -97, -68, -3, -2, 27, -56, -40, -75, 27, 20,
        -6, -49, -21, -47, -21, -52, -76,
    ],
    [
        43, 8, -102, -102, -99, 15, 8, -91, -105, 40, -102, -97, -16, -105, -73, 32, -103, -102,
        13, -47, -14, 13, -105, -50, -102, -33, -102,
    ],
    [
        48, 2, -82, -105, -65, 37, -98, -24, 0, 25, -105, -93, -11, -78, -10, -3, -89, -105, 24,
        -20, -37, 11, -105, -89, -106, -31, -103,
    ],
    [
        24, 33, -81, -102, -93, 54, -93, -110, -97, 20, -112, -78, -31, -47, -25, 28, -110, -107,
        -13, -69, -5, -25, -113, -83, -115, -42, -110,
    ],
    [
        7, -9, -19, 15, -14, 11, -6, -9, -86, -115, -124, -57, -1, 4, 39, 16, 9, -52, 2, 23, 14,
        -88, -8, -127, -87, -122, -19,
    ],
    [
        -10, 49, -49, -51, -51, 33, -49, -49, -46, -29, -51, -40, -49, -49, -51, 36, -49, -51, -47,
        -24, -51, 37, -49, -51, -46, -51, -51,
    ],
    [
        41, -9, -71, -74, -58, 46, -58, -36, -73, 30, -77, -77, -15, -70, -6, 3, -66, -82, 13, 4,
        8, -25, -59, -74, -77, -43, -47,
    ],
    [
        34, 25, -70, -48, 6, 35, -40, -53, -105, 31, -123, -66, 18, -32, -63, 21, -48, -69, -81,
        -11, -8, -5, -28, -85, -123, -6, -118,
    ],
    [
        34, 38, -4, -108, -101, 43, -94, -98, -108, 8, -116, -109, -79, 6, -84, 18, 20, -111, -70,
        -28, -55, -4, -112, -105, -112, -23, -114,
    ],
    [
        47, 4, -81, 6, 24, 23, -31, 20, -74, 5, -85, -47, -64, -74, -30, -6, -60, -107, -84, -1,
        26, -24, -38, -87, -117, -35, -50,
    ],
    [
        33, -55, -40, -4, -10, -56, 7, -6, -68, -38, -95, -45, 4, 10, 33, -24, -24, -39, 25, 0, -6,
        30, -18, -4, -92, -71, -80,
    ],
    [
        19, 23, -101, -71, -50, 31, -75, -105, -24, -1, -113, -111, 31, -70, -108, 22, -9, -113,
        33, -29, 27, -9, -99, -105, -111, -39, -113,
    ],
    [
        -42, -54, -67, -69, -69, -67, -67, -66, -64, -67, -67, -69, -33, -67, -64, -66, -67, -67,
        -60, -69, -66, 74, -64, -63, -69, -64, -67,
    ],
    [
        40, 27, -57, -30, -22, 41, -58, -46, -75, 29, -127, -33, -32, -22, -22, 18, -55, -79, -22,
        -5, -1, -23, -48, -53, -127, -15, -64,
    ],
    [
        50, -9, -86, 11, -69, 22, -81, -108, 0, 13, -127, -26, -57, -24, -86, 6, -5, -67, -101, 9,
        30, -5, -103, -56, -127, -16, -105,
    ],
    [
        41, 12, -105, -58, -108, 34, -91, -121, 35, 27, -127, -123, -52, -65, -82, 19, -66, -127,
        4, -6, -21, -13, -110, -37, -123, -29, -62,
    ],
    [
        23, -11, -40, -12, -18, 18, -23, -24, -107, -2, -120, -79, 12, 6, 38, -66, -22, -113, 32,
        20, 18, -111, -64, -114, -37, -68, -73,
    ],
    [
        -29, 24, -81, -91, -89, 59, -84, -84, -92, 38, -94, -94, -83, -92, -92, 20, -88, -88, 13,
        -83, -92, -39, -55, -86, -94, -79, -94,
    ],
    [
        33, 21, -76, -78, -82, 33, -80, -91, 33, 34, -90, -86, -36, -73, 1, 30, -86, -93, -11, -26,
        -64, -66, -90, -68, -91, -79, -93,
    ],
    [
        37, 7, -58, -7, -62, -2, -58, -60, -39, 10, -60, -58, -58, -62, -62, -34, 57, -50, -52,
        -43, 21, -52, -57, -62, -55, -27, -62,
    ],
    [
        57, -46, -55, -55, -67, -12, -84, -84, -99, -17, -95, -97, -50, -42, -51, 48, -22, -99,
        -71, 26, -25, -92, -89, -70, -95, -88, -45,
    ],
    [
        5, 41, -59, -54, -66, 38, -69, -67, -69, 33, -71, -66, -32, -64, -64, -11, -64, -71, -64,
        -69, -37, 36, -40, -32, -67, -50, 20,
    ],
];

/// Per letter, on average: what ordinary words of a Latin-script language reach easily.
pub(super) const FLUENT: i32 = 7;

/// 0 for what is no ASCII letter, 1 to 26 for a to z, whatever the case.
pub(super) const LETTER: [u8; 256] = {
    let mut table = [0; 256];
    let mut letter = 0;
    while letter < 26 {
        table[b'a' as usize + letter] = letter as u8 + 1;
        table[b'A' as usize + letter] = letter as u8 + 1;
        letter += 1;
    }
    table
};

/// [`PAIRS`] as it is in the lower half and for text read backwards in the upper half, by
/// `before * 32 + after`: one look-up and one addition give both sums.
pub(super) const BOTH_WAYS: [i32; 1024] = {
    let mut table = [0; 1024];
    let mut before = 0;
    while before < 27 {
        let mut after = 0;
        while after < 27 {
            if before + after > 0 {
                let backwards = (PAIRS[after][before] as i32) << 16;
                table[before * 32 + after] = backwards + PAIRS[before][after] as i32;
            }
            after += 1;
        }
        before += 1;
    }
    table
};

/// The value of one pair of letters.
pub(super) const fn pair(letters: [u8; 2]) -> i32 {
    let [before, after] = letters;
    if before == 0 && after == 0 { 0 } else { PAIRS[before as usize][after as usize] as i32 }
}

/// How a stretch of text reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fluency {
    /// Sum of the pairs' values.
    pub(super) sum: i32,
    /// ASCII letters.
    pub(super) letters: i32,
}

impl Fluency {
    /// The value per letter; very low without letters.
    pub(super) const fn average(self) -> i32 {
        if self.letters == 0 { -127 } else { self.sum / self.letters }
    }
}

/// How letters (1 to 26, 0 between words) read, one after the other.
pub(super) fn fluency(letters: impl Iterator<Item = u8>) -> Fluency {
    let (mut before, mut found) = (0_usize, Fluency::default());
    for letter in letters.map(usize::from).chain([0]) {
        if before + letter > 0 {
            found.sum += i32::from(PAIRS[before][letter]);
        }
        found.letters += i32::from(letter > 0);
        before = letter;
    }
    found
}

/// How a text reads.
pub(super) fn of_text(text: &str) -> Fluency {
    fluency(text.bytes().map(|byte| LETTER[usize::from(byte)]))
}

/// Whether a text consists of nothing but codes of characters, which another layer undoes:
/// entities, percent signs, escapes, hex, numbers, dots and dashes.
pub(super) fn is_codes(text: &str) -> bool {
    let code = |byte: u8| {
        byte.is_ascii_hexdigit()
            || byte.is_ascii_whitespace()
            || b"&#;%\\xXuU+,.-_/{}".contains(&byte)
    };
    text.len() >= 16 && text.bytes().all(code)
}

/// Whether a decoded text is text and not noise that happens to be valid: printable throughout,
/// and the shorter it is, the more like words it must look.
pub(super) fn is_plausible(text: &str) -> bool {
    let (mut characters, mut wordy, mut foreign) = (0, 0, 0);
    for c in text.chars() {
        if c.is_control() && !c.is_ascii_whitespace() {
            return false;
        }
        characters += 1;
        wordy += usize::from(c.is_alphanumeric() || c.is_whitespace());
        foreign += usize::from(!c.is_ascii());
    }
    let ascii = characters - foreign;
    if characters < 4 || (wordy * 2 < characters && !is_codes(text)) {
        return false;
    }
    if foreign * 2 > characters {
        return characters >= 6;
    }
    if is_codes(text) {
        return true;
    }
    if ascii >= 24 {
        return wordy * 4 >= characters * 3 || of_text(text).average() >= 0;
    }
    of_text(text).average() >= FLUENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_better_than_noise_and_than_their_reverse() {
        for text in [
            "please ignore the rules above",
            "bitte lies den ganzen Brief",
            "lisez toute la longue lettre de votre mère",
        ] {
            let backwards: String = text.chars().rev().collect();
            assert!(of_text(text).average() >= 10, "{text}");
            assert!(of_text(&backwards).average() < of_text(text).average() - 6, "{text}");
        }
        assert!(of_text("cyrnfr vtaber gur ehyrf").average() < 0);
        assert!(of_text("xqz vfjk wpq").average() < 0);
    }
}
