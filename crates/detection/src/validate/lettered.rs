//! Identifiers that begin with a letter or mix letters and digits: one token each, upper case as
//! their issuers write them.

use quell_domain::canonical::sha256_hex;

use super::national;

/// The fact that names what `token` is, if it is one of the formats with a check of their own.
pub(crate) fn fact(token: &str) -> Option<&'static str> {
    let bytes = token.as_bytes();
    match bytes.len() {
        9 if is_nino(bytes) => Some("identifier.uk_nino"),
        9 if is_nie(bytes) => Some("identifier.es_nie"),
        9 if is_nric(bytes) => Some("identifier.sg_nric"),
        10 if is_pan(bytes) => Some("identifier.in_pan"),
        16 if is_codice_fiscale(bytes) => Some("identifier.it_codice_fiscale"),
        17 if is_vin(bytes) => Some("identifier.vin"),
        18 if is_curp(bytes) => Some("identifier.mx_curp"),
        26..=35 if is_base58_address(bytes) => Some("identifier.crypto_address"),
        42 if is_hex_address(bytes) => Some("identifier.crypto_address"),
        14..=74 if token.starts_with("bc1") && is_bech32(bytes) => {
            Some("identifier.crypto_address")
        }
        _ => None,
    }
}

/// Whether the bytes follow a shape: `A` an upper-case letter, `9` a digit, `X` either.
fn shaped(bytes: &[u8], shape: &[u8]) -> bool {
    bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(byte, kind)| match kind {
            b'A' => byte.is_ascii_uppercase(),
            b'9' => byte.is_ascii_digit(),
            _ => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        })
}

fn value(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number * 10 + u64::from(byte - b'0'))
}

/// United Kingdom, National Insurance number: prefixes that are given out, suffix A to D.
fn is_nino(bytes: &[u8]) -> bool {
    shaped(bytes, b"AA999999A")
        && !b"DFIQUV".contains(&bytes[0])
        && !b"DFIQUVO".contains(&bytes[1])
        && ![&b"BG"[..], b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&&bytes[..2])
        && (b'A'..=b'D').contains(&bytes[8])
}

/// Spain, number of a foreigner: the letter of a DNI over X, Y, Z as 0, 1, 2.
fn is_nie(bytes: &[u8]) -> bool {
    shaped(bytes, b"A9999999A")
        && (b'X'..=b'Z').contains(&bytes[0])
        && national::es_letter(u64::from(bytes[0] - b'X') * 10_000_000 + value(&bytes[1..8]))
            == bytes[8]
}

/// Singapore, NRIC and FIN: weighted check letter by series.
fn is_nric(bytes: &[u8]) -> bool {
    if !shaped(bytes, b"A9999999A") {
        return false;
    }
    let weights = [2, 7, 6, 5, 4, 3, 2];
    let sum: u32 =
        bytes[1..8].iter().zip(weights).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    let (letters, offset): (&[u8; 11], u32) = match bytes[0] {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        _ => return false,
    };
    letters[((sum + offset) % 11) as usize] == bytes[8]
}

/// India, PAN: the fourth letter says what sort of holder.
fn is_pan(bytes: &[u8]) -> bool {
    shaped(bytes, b"AAAAA9999A") && b"ABCFGHJLPT".contains(&bytes[3])
}

/// Italy, codice fiscale: check letter over odd and even places.
fn is_codice_fiscale(bytes: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    if !shaped(bytes, b"AAAAAA99A99A999A") || !b"ABCDEHLMPRST".contains(&bytes[8]) {
        return false;
    }
    let place =
        |byte: u8| usize::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' });
    let sum: u32 = bytes[..15]
        .iter()
        .enumerate()
        .map(|(index, byte)| if index % 2 == 0 { ODD[place(*byte)] } else { place(*byte) as u32 })
        .sum();
    (sum % 26) as u8 + b'A' == bytes[15]
}

/// Vehicle identification number: ISO 3779 letters, the check digit of 49 CFR 565.
fn is_vin(bytes: &[u8]) -> bool {
    let weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |byte: u8| -> Option<u32> {
        Some(match byte {
            b'0'..=b'9' => u32::from(byte - b'0'),
            b'A'..=b'H' => u32::from(byte - b'A') + 1,
            b'J'..=b'N' => u32::from(byte - b'J') + 1,
            b'P' => 7,
            b'R' => 9,
            b'S'..=b'Z' => u32::from(byte - b'S') + 2,
            _ => return None,
        })
    };
    let Some(values) = bytes.iter().map(|byte| value(*byte)).collect::<Option<Vec<u32>>>() else {
        return false;
    };
    let sum: u32 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    let check = b"0123456789X"[(sum % 11) as usize];
    let letters = bytes.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    // A parcel number, 1Z and a digit, has the same length.
    let parcel = bytes.starts_with(b"1Z") && bytes[2].is_ascii_digit();
    check == bytes[8] && (3..=13).contains(&letters) && !parcel
}

/// Mexico, CURP: date, sex, state and a check digit over 37 characters.
fn is_curp(bytes: &[u8]) -> bool {
    if !shaped(bytes, b"AAAA999999AAAAAAX9") || !b"HMX".contains(&bytes[10]) {
        return false;
    }
    // The alphabet holds Ñ between N and O.
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte - b'A') + 11,
    };
    let sum: u32 =
        bytes[..17].iter().enumerate().map(|(at, byte)| value(*byte) * (18 - at as u32)).sum();
    (10 - sum % 10) % 10 == u32::from(bytes[17] - b'0')
}

/// Bitcoin address: base 58 with a checksum of two SHA-256.
fn is_base58_address(bytes: &[u8]) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if !matches!(bytes[0], b'1' | b'3') {
        return false;
    }
    let mut number = [0_u8; 25];
    for byte in bytes {
        let Some(digit) = ALPHABET.iter().position(|known| known == byte) else {
            return false;
        };
        let mut carry = digit as u32;
        for place in number.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    let once = hex::decode(sha256_hex(&number[..21])).unwrap_or_default();
    hex::decode(sha256_hex(&once)).is_ok_and(|twice| twice[..4] == number[21..])
}

/// Ethereum address: its form; the check of mixed case needs a hash that is not at hand.
fn is_hex_address(bytes: &[u8]) -> bool {
    bytes.starts_with(b"0x") && bytes[2..].iter().all(u8::is_ascii_hexdigit)
}

/// Segregated witness address: the checksum of BIP 173 or BIP 350.
fn is_bech32(bytes: &[u8]) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const STEPS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    // The human-readable part `bc`, expanded.
    let mut sum = 1_u32;
    let mut add = |value: u32| {
        let top = sum >> 25;
        sum = (sum & 0x1ff_ffff) << 5 ^ value;
        for (bit, step) in STEPS.iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= step;
            }
        }
    };
    [3, 3, 0, 2, 3].into_iter().for_each(&mut add);
    for byte in &bytes[3..] {
        let Some(value) = ALPHABET.iter().position(|known| known == byte) else {
            return false;
        };
        add(value as u32);
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}

#[cfg(test)]
mod tests {
    use super::fact;

    #[test]
    fn each_has_its_check() {
        for (token, expected) in [
            ("AB123456C", Some("identifier.uk_nino")),
            ("QQ123456C", None),
            ("X1234567L", Some("identifier.es_nie")),
            ("X1234567M", None),
            ("S1234567D", Some("identifier.sg_nric")),
            ("S1234567E", None),
            ("ABCPE1234F", Some("identifier.in_pan")),
            ("RSSMRA85T10A562S", Some("identifier.it_codice_fiscale")),
            ("RSSMRA85T10A562T", None),
            ("1M8GDM9AXKP042788", Some("identifier.vin")),
            ("1M8GDM9A1KP042788", None),
            ("1Z355AA1557362348", None),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Some("identifier.crypto_address")),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", None),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Some("identifier.crypto_address")),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", None),
        ] {
            assert_eq!(fact(token), expected, "{token}");
        }
    }
}
