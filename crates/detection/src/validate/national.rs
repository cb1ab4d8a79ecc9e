//! National numbers: the check digits their issuers define. Digits are values 0 to 9.

/// Σ digit × weight.
fn weighted(all: &[u8], weights: &[u32]) -> u32 {
    all.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// The digits as a number.
pub(super) fn number(all: &[u8]) -> u64 {
    all.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}

/// Whether all digits are one and the same.
pub(super) fn uniform(all: &[u8]) -> bool {
    all.windows(2).all(|pair| pair[0] == pair[1])
}

/// Whether day and month exist.
pub(super) fn is_date(month: u64, day: u64) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Month and day in `YYMMDD…`.
pub(super) fn ymd(all: &[u8]) -> bool {
    is_date(number(&all[2..4]), number(&all[4..6]))
}

/// Day and month in `DDMMYY…`.
pub(super) fn dmy(all: &[u8]) -> bool {
    is_date(number(&all[2..4]), number(&all[..2]))
}

/// US social security number: area, group and serial in the issued ranges, none ever advertised.
pub(super) fn us_ssn(all: &[u8]) -> bool {
    let number = number(all);
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    let advertised = matches!(number, 78_051_120 | 219_099_999 | 457_555_462);
    all.len() == 9
        && area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && !advertised
}

/// Brazil, person (CPF): two mod-11 digits.
pub(super) fn br_cpf(all: &[u8]) -> bool {
    let check = |count: usize| {
        let weights = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
        let sum = weighted(&all[..count], &weights[weights.len() - count..]);
        sum * 10 % 11 % 10 == u32::from(all[count])
    };
    all.len() == 11 && !uniform(all) && check(9) && check(10)
}

/// Brazil, company (CNPJ): two mod-11 digits.
pub(super) fn br_cnpj(all: &[u8]) -> bool {
    let check = |count: usize, weights: &[u32]| {
        let rest = weighted(&all[..count], weights) % 11;
        u32::from(all[count]) == if rest < 2 { 0 } else { 11 - rest }
    };
    all.len() == 14
        && !uniform(all)
        && check(12, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
        && check(13, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// United Kingdom, NHS number: mod 11.
pub(super) fn uk_nhs(all: &[u8]) -> bool {
    let rest = 11 - weighted(all, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    all.len() == 10 && !uniform(all) && rest % 11 == u32::from(all[9])
}

/// Germany, Steuer-IdNr: ISO 7064 mod 11,10, and one digit of the first ten comes twice or thrice.
pub(super) fn de_tax_id(all: &[u8]) -> bool {
    if all.len() != 11 || all[0] == 0 {
        return false;
    }
    let mut counts = [0_u8; 10];
    all[..10].iter().for_each(|digit| counts[usize::from(*digit)] += 1);
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let product = all[..10].iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    repeated == 1
        && counts.iter().all(|count| *count <= 3)
        && (11 - product) % 10 == u32::from(all[10])
}

/// France, NIR with its key (15 digits): 97 − number mod 97.
pub(super) fn fr_nir(all: &[u8]) -> bool {
    if all.len() != 15 || !matches!(all[0], 1..=4 | 7 | 8) {
        return false;
    }
    is_nir_month(number(&all[3..5])) && 97 - number(&all[..13]) % 97 == number(&all[13..])
}

/// Months of a French number: those of the year, and the values for a date nobody knows.
pub(super) const fn is_nir_month(month: u64) -> bool {
    matches!(month, 1..=12 | 20 | 30..=42 | 50..=99)
}

/// Spain, letter of a DNI or NIE number.
pub(super) fn es_letter(number: u64) -> u8 {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize]
}

/// Poland, PESEL: date with century in the month, weighted check digit.
pub(super) fn pl_pesel(all: &[u8]) -> bool {
    all.len() == 11
        && is_date(number(&all[2..4]) % 20, number(&all[4..6]))
        && (10 - weighted(all, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == u32::from(all[10])
}

/// Netherlands, BSN: the eleven test.
pub(super) fn nl_bsn(all: &[u8]) -> bool {
    let sum = i64::from(weighted(all, &[9, 8, 7, 6, 5, 4, 3, 2])) - i64::from(all[8]);
    all.len() == 9 && !uniform(all) && sum % 11 == 0
}

/// Sweden, personnummer (10 digits): date (day + 60 for coordination numbers) and Luhn digit.
pub(super) fn se_personnummer(all: &[u8]) -> bool {
    all.len() == 10
        && is_date(number(&all[2..4]), number(&all[4..6]) % 60)
        && super::bank::luhn(all)
}

/// Finland, check character of a personal identity code: mod 31.
pub(super) fn fi_character(number: u64) -> u8 {
    b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(number % 31) as usize]
}

/// Norway, fødselsnummer: date (day + 40 for D-numbers) and two mod-11 digits.
pub(super) fn no_fodselsnummer(all: &[u8]) -> bool {
    let check = |weights: &[u32], digit: u8| {
        let rest = (11 - weighted(all, weights) % 11) % 11;
        rest == u32::from(digit)
    };
    all.len() == 11
        && is_date(number(&all[2..4]), number(&all[..2]) % 40)
        && check(&[3, 7, 6, 1, 8, 9, 4, 5, 2], all[9])
        && check(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], all[10])
}

/// India, Aadhaar: Verhoeff digit.
pub(super) fn in_aadhaar(all: &[u8]) -> bool {
    const D: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const P: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let check = all.iter().rev().enumerate().fold(0_u8, |check, (index, digit)| {
        D[usize::from(check)][usize::from(P[index % 8][usize::from(*digit)])]
    });
    all.len() == 12 && all[0] >= 2 && !uniform(all) && check == 0
}

/// China, resident identity card: date and ISO 7064 mod 11-2 over the first 17 digits.
pub(super) fn cn_resident(all: &[u8], last: u8) -> bool {
    if all.len() < 17 || !(11..=82).contains(&number(&all[..2])) {
        return false;
    }
    let year = number(&all[6..10]);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let check = b"10X98765432"[(weighted(&all[..17], &weights) % 11) as usize];
    (1900..=2099).contains(&year)
        && is_date(number(&all[10..12]), number(&all[12..14]))
        && check == last.to_ascii_uppercase()
}

/// South Korea, resident registration number (13 digits): the digit after the date says century
/// and sex. Numbers issued since 2020 carry no check digit.
pub(super) fn kr_rrn(all: &[u8]) -> bool {
    all.len() == 13 && ymd(all) && matches!(all[6], 1..=8)
}

/// Japan, My Number: mod 11.
pub(super) fn jp_my_number(all: &[u8]) -> bool {
    let rest = weighted(all, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    all.len() == 12 && u32::from(all[11]) == if rest <= 1 { 0 } else { 11 - rest }
}

/// Australia, tax file number: weighted sum divisible by 11.
pub(super) fn au_tfn(all: &[u8]) -> bool {
    all.len() == 9 && weighted(all, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

/// Australia, Medicare card: weighted check digit.
pub(super) fn au_medicare(all: &[u8]) -> bool {
    (10..=11).contains(&all.len())
        && (2..=6).contains(&all[0])
        && weighted(all, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(all[8])
}

/// Australia, business number: mod 89.
pub(super) fn au_abn(all: &[u8]) -> bool {
    let weights = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
    all.len() == 11 && all[0] > 0 && (weighted(all, &weights) - 10).is_multiple_of(89)
}

/// Turkey, identity number: two check digits.
pub(super) fn tr_tckn(all: &[u8]) -> bool {
    if all.len() != 11 || all[0] == 0 {
        return false;
    }
    let sum = |from: usize, to: usize| -> i64 {
        all[from..to].iter().step_by(2).map(|digit| i64::from(*digit)).sum()
    };
    let tenth = (sum(0, 9) * 7 - sum(1, 8)).rem_euclid(10);
    let total: i64 = all[..10].iter().map(|digit| i64::from(*digit)).sum();
    tenth == i64::from(all[9]) && total % 10 == i64::from(all[10])
}

/// South Africa, identity number: date, citizenship digit, Luhn digit.
pub(super) fn za_id(all: &[u8]) -> bool {
    all.len() == 13 && ymd(all) && all[10] <= 2 && all[11] >= 8 && super::bank::luhn(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
    }

    /// The last or a middle digit changed makes each of them invalid.
    #[test]
    fn check_digits() {
        type Check = fn(&[u8]) -> bool;
        let valid: [(&str, Check); 17] = [
            ("123.456.789-09", br_cpf),
            ("11.222.333/0001-81", br_cnpj),
            ("943 476 5919", uk_nhs),
            ("86 095 742 719", de_tax_id),
            ("2 55 08 14 168 025 38", fr_nir),
            ("44051401359", pl_pesel),
            ("111222333", nl_bsn),
            ("811218-9876", se_personnummer),
            ("01128510040", no_fodselsnummer),
            ("2341 2341 2346", in_aadhaar),
            ("1234 5678 9018", jp_my_number),
            ("123 456 782", au_tfn),
            ("2123 45670 1", au_medicare),
            ("51 824 753 556", au_abn),
            ("10000000146", tr_tckn),
            ("8001015009087", za_id),
            ("536-22-8145", us_ssn),
        ];
        for (text, check) in valid {
            let all = digits(text);
            assert!(check(&all), "{text}");
            if text.starts_with("536") {
                continue;
            }
            let changed = (0..all.len()).filter(|index| {
                let mut other = all.clone();
                other[*index] = (other[*index] + 1) % 10;
                !check(&other)
            });
            assert!(changed.count() >= all.len() - 3, "{text}");
        }
    }

    #[test]
    fn check_letters() {
        assert_eq!(es_letter(12_345_678), b'Z');
        assert_eq!(fi_character(131_052_308), b'T');
        assert!(cn_resident(&digits("11010519491231002"), b'X'));
        assert!(!cn_resident(&digits("11010519491231003"), b'X'));
        assert!(kr_rrn(&digits("880814-1234567")));
        assert!(!kr_rrn(&digits("881814-1234567")));
    }

    #[test]
    fn social_security_numbers() {
        for (text, valid) in [
            ("536-22-8145", true),
            ("000-22-8145", false),
            ("666-22-8145", false),
            ("923-22-8145", false),
            ("078-05-1120", false),
        ] {
            assert_eq!(us_ssn(&digits(text)), valid, "{text}");
        }
    }
}
