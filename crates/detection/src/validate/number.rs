//! One run of digit groups, tried as every number format that begins with a digit. A format whose
//! check digit is weak counts only behind a word that names it.

use super::Accepted;
use super::context::Before;
use super::groups::Run;
use super::{bank, national, phone};

/// The facts of this validator, with what they mean.
pub(super) const FACTS: &[(&str, &str)] = &[
    ("identifier.au_abn", "an Australian business number with valid check digits"),
    ("identifier.au_medicare", "an Australian Medicare number with a valid check digit"),
    ("identifier.au_tfn", "an Australian tax file number, named as one"),
    ("identifier.bank_account", "a bank account or routing number, named as one"),
    ("identifier.br_cnpj", "a Brazilian company number with valid check digits"),
    ("identifier.br_cpf", "a Brazilian person's number with valid check digits"),
    ("identifier.ca_sin", "a Canadian social insurance number, named as one"),
    ("identifier.card", "a payment card number of a known issuer with a valid check digit"),
    (
        "identifier.cn_resident_id",
        "a Chinese resident identity number with date and check character",
    ),
    ("identifier.de_tax_id", "a German tax number of a person, named as one"),
    ("identifier.dk_cpr", "a Danish personal number, named as one"),
    ("identifier.driver_licence", "a driver's licence number, named as one"),
    ("identifier.es_dni", "a Spanish identity number with its letter"),
    ("identifier.fi_hetu", "a Finnish personal identity code with its check character"),
    ("identifier.fr_nir", "a French social security number with its key"),
    ("identifier.il_id", "an Israeli identity number, named as one"),
    ("identifier.imei", "a device number, named as one, with a valid check digit"),
    ("identifier.in_aadhaar", "an Indian Aadhaar number with a valid check digit"),
    ("identifier.ip", "a public IP address"),
    ("identifier.jp_my_number", "a Japanese My Number, named as one"),
    ("identifier.kr_rrn", "a Korean resident registration number"),
    ("identifier.nl_bsn", "a Dutch citizen service number, named as one"),
    ("identifier.no_fodselsnummer", "a Norwegian birth number with valid check digits"),
    ("identifier.passport", "a passport number, named as one"),
    ("identifier.phone", "a telephone number"),
    ("identifier.pl_pesel", "a Polish PESEL number, named as one"),
    ("identifier.se_personnummer", "a Swedish personal number with a valid check digit"),
    ("identifier.tr_tckn", "a Turkish identity number, named as one"),
    ("identifier.uk_nhs", "a British NHS number with a valid check digit"),
    ("identifier.us_ssn", "a US social security number in an issued range"),
    ("identifier.za_id", "a South African identity number with date and check digit"),
];

/// What the run begins with, if anything.
pub(super) fn accept(before: &[u8], text: &[u8]) -> Option<Accepted> {
    let (before, run) = (Before::new(before), Run::new(text));
    let whole = |length, fact| Some(Accepted { length, fact: Some(fact) });
    if run.len() == 0 {
        return None;
    }
    if !before.joined() && before.byte(1) != Some(b'+') {
        if let Some((length, fact)) = lettered(&run) {
            return whole(length, fact);
        }
        for count in (1..=run.len()).rev() {
            let fact = (run.ends_at(count) || is_expiry(&run, count))
                .then(|| format(&run, count, &before, is_crowded(&run, count, &before)))
                .flatten();
            if let Some(fact) = fact {
                return whole(run.end(count), fact);
            }
        }
    }
    let groups = phone::groups(&run, &before)?;
    whole(run.end(groups), "identifier.phone")
}

/// Whether `count` groups may be the rest of a longer list of numbers.
pub(super) fn is_crowded(run: &Run<'_>, count: usize, before: &Before<'_>) -> bool {
    count > 1 && run.separator(0) == b" " && before.after_digits()
}

/// A card number is often followed by its month of expiry.
fn is_expiry(run: &Run<'_>, count: usize) -> bool {
    count == 4 && run.lengths(count) == [4, 4, 4, 4] && run.group(count).len() < 4
}

/// Numbers that end with a letter.
pub(super) fn lettered(run: &Run<'_>) -> Option<(usize, &'static str)> {
    let first = run.group(0);
    let tail = run.tail(0);
    match (first.len(), tail) {
        (8, [letter] | [b'-', letter]) => {
            let expected = national::es_letter(national::number(first));
            let fits = expected.eq_ignore_ascii_case(letter);
            fits.then_some((run.text.len(), "identifier.es_dni"))
        }
        (17, [last @ (b'X' | b'x')]) => national::cn_resident(first, *last)
            .then_some((run.text.len(), "identifier.cn_resident_id")),
        (6, [_, serial @ .., check])
            if serial.len() == 3 && serial.iter().all(u8::is_ascii_digit) =>
        {
            let serial = serial.iter().fold(0, |number, byte| number * 10 + u64::from(byte - b'0'));
            let number = national::number(first) * 1000 + serial;
            let fits =
                national::dmy(first) && national::fi_character(number).eq_ignore_ascii_case(check);
            fits.then_some((run.text.len(), "identifier.fi_hetu"))
        }
        _ => None,
    }
}

/// The format of the first `count` groups.
pub(super) fn format(
    run: &Run<'_>,
    count: usize,
    before: &Before<'_>,
    crowded: bool,
) -> Option<&'static str> {
    let all = run.digits(count);
    let lengths = run.lengths(count);
    let separator = if count > 1 { run.uniform(count).unwrap_or(b"?") } else { b"" };
    if let Some(fact) = card(all, lengths, separator, before, crowded) {
        return Some(fact);
    }
    if crowded {
        return None;
    }
    shaped(all, lengths, separator, run)
        .or_else(|| solid(all, lengths))
        .or_else(|| address(run, count, before))
        .or_else(|| named(all, lengths, before))
}

pub(super) const SAYS_CARD: &[&str] = &[
    "card",
    "cards",
    "credit",
    "debit",
    "visa",
    "mastercard",
    "amex",
    "maestro",
    "carte",
    "tarjeta",
    "karte",
    "kreditkarte",
    "cartão",
    "carta",
    "kaart",
    "karta",
    "カード",
    "卡",
    "카드",
    "карта",
];

fn card(
    all: &[u8],
    lengths: &[usize],
    separator: &[u8],
    before: &Before<'_>,
    crowded: bool,
) -> Option<&'static str> {
    let shape = matches!(lengths, [_] | [4, 4, 4, 2..=4] | [4, 4, 4, 4, 1..=3] | [4, 6, 4 | 5]);
    let separated = matches!(separator, b"" | b" " | b"-");
    if !shape || !separated || (crowded && before.digits_before() == lengths[0]) {
        return None;
    }
    let is_card = bank::is_card(all) || (bank::is_any_card(all) && before.says(SAYS_CARD));
    is_card.then_some("identifier.card")
}

/// Formats whose grouping and check digits together say what they are.
fn shaped(all: &[u8], lengths: &[usize], separator: &[u8], run: &Run<'_>) -> Option<&'static str> {
    let space_or_dash = matches!(separator, b" " | b"-");
    match lengths {
        [3, 2, 4] if separator == b"-" && national::us_ssn(all) => Some("identifier.us_ssn"),
        [3, 3, 3, 2] if run.separator(0) == b"." && run.separator(2) == b"-" => {
            national::br_cpf(all).then_some("identifier.br_cpf")
        }
        [2, 3, 3, 4, 2] if run.separator(2) == b"/" => {
            national::br_cnpj(all).then_some("identifier.br_cnpj")
        }
        [3, 3, 4] if separator == b" " && national::uk_nhs(all) => Some("identifier.uk_nhs"),
        [4, 4, 4] if space_or_dash && national::in_aadhaar(all) => Some("identifier.in_aadhaar"),
        [6 | 8, 4] if matches!(separator, b"-" | b"+") => {
            let short = &all[lengths[0] - 6..];
            national::se_personnummer(short).then_some("identifier.se_personnummer")
        }
        [6, 7] if separator == b"-" && national::kr_rrn(all) => Some("identifier.kr_rrn"),
        [1, 2, 2, 2, 3, 3, 2] if national::fr_nir(all) => Some("identifier.fr_nir"),
        [2, 3, 3, 3] if separator == b" " && national::au_abn(all) => Some("identifier.au_abn"),
        [4, 5, 1] if space_or_dash && national::au_medicare(all) => Some("identifier.au_medicare"),
        [6, 5] if separator == b" " && national::no_fodselsnummer(all) => {
            Some("identifier.no_fodselsnummer")
        }
        _ => None,
    }
}

/// Formats so constrained that the bare digits will do.
fn solid(all: &[u8], lengths: &[usize]) -> Option<&'static str> {
    let [length] = lengths else {
        return None;
    };
    match length {
        11 if national::no_fodselsnummer(all) => Some("identifier.no_fodselsnummer"),
        13 if national::za_id(all) => Some("identifier.za_id"),
        15 if national::fr_nir(all) => Some("identifier.fr_nir"),
        18 if national::cn_resident(all, all[17] + b'0') => Some("identifier.cn_resident_id"),
        _ => None,
    }
}

/// A public IPv4 address.
fn address(run: &Run<'_>, count: usize, before: &Before<'_>) -> Option<&'static str> {
    let is_part = |index: usize| {
        let group = run.group(index);
        group.len() <= 3 && (group.len() == 1 || group[0] != 0) && national::number(group) <= 255
    };
    if count != 4 || run.uniform(4)? != b"." || !(0..4).all(is_part) {
        return None;
    }
    let [a, b] = [0, 1].map(|index| national::number(run.group(index)));
    let reserved =
        matches!((a, b), (0 | 10 | 127 | 224.., _) | (169, 254) | (172, 16..=31) | (192, 168));
    let other = before.just_said(&["version", "v", "firmware", "release", "build", "section"]);
    (!reserved && !other).then_some("identifier.ip")
}

pub(super) type Check = fn(&[u8]) -> bool;

const ANY: Check = |_| true;

/// Formats that need a word: the words, the digits they may have, the check, the fact.
pub(super) const NAMED: &[(&[&str], &[usize], Check, &str)] = &[
    (&["ssn", "social security", "social insurance"], &[9], national::us_ssn, "identifier.us_ssn"),
    (&["cpf"], &[11], national::br_cpf, "identifier.br_cpf"),
    (&["cnpj"], &[14], national::br_cnpj, "identifier.br_cnpj"),
    (&["nhs"], &[10], national::uk_nhs, "identifier.uk_nhs"),
    (
        &[
            "steuer",
            "steuernummer",
            "steuer-id",
            "idnr",
            "steuer-idnr",
            "steueridentifikationsnummer",
            "tin",
            "tax id",
        ],
        &[11],
        national::de_tax_id,
        "identifier.de_tax_id",
    ),
    (&["pesel"], &[11], national::pl_pesel, "identifier.pl_pesel"),
    (
        &["bsn", "burgerservicenummer", "sofinummer", "citizen service number"],
        &[9],
        national::nl_bsn,
        "identifier.nl_bsn",
    ),
    (
        &["personnummer", "personal number", "samordningsnummer"],
        &[10],
        national::se_personnummer,
        "identifier.se_personnummer",
    ),
    (
        &["personnummer", "samordningsnummer"],
        &[12],
        |all| national::se_personnummer(&all[2..]),
        "identifier.se_personnummer",
    ),
    (&["cpr", "cpr-nummer", "personnummer"], &[10], national::dmy, "identifier.dk_cpr"),
    (&["aadhaar", "aadhar", "आधार"], &[12], national::in_aadhaar, "identifier.in_aadhaar"),
    (
        &["my number", "マイナンバー", "個人番号"],
        &[12],
        national::jp_my_number,
        "identifier.jp_my_number",
    ),
    (&["tfn", "tax file"], &[9], national::au_tfn, "identifier.au_tfn"),
    (&["medicare"], &[10, 11], national::au_medicare, "identifier.au_medicare"),
    (&["abn", "business number"], &[11], national::au_abn, "identifier.au_abn"),
    (
        &["sin", "social insurance", "nas", "assurance sociale"],
        &[9],
        bank::luhn,
        "identifier.ca_sin",
    ),
    (&["tc", "tckn", "kimlik", "t.c."], &[11], national::tr_tckn, "identifier.tr_tckn"),
    (&["teudat zehut", "israeli id", "תעודת זהות"], &[9], bank::luhn, "identifier.il_id"),
    (
        &["rrn", "resident registration", "주민등록번호"],
        &[13],
        national::kr_rrn,
        "identifier.kr_rrn",
    ),
    (&["imei"], &[15], bank::luhn, "identifier.imei"),
    (&["routing", "aba", "rtn"], &[9], bank::is_routing, "identifier.bank_account"),
    (
        &[
            "account number",
            "account no",
            "acct",
            "a/c",
            "bank account",
            "kontonummer",
            "compte",
            "cuenta",
            "conta",
            "konto",
        ],
        &[6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
        ANY,
        "identifier.bank_account",
    ),
    (
        &["passport", "reisepass", "pasaporte", "passeport", "passaporto", "paspoort"],
        &[7, 8, 9],
        ANY,
        "identifier.passport",
    ),
    (
        &[
            "driver's license",
            "driver license",
            "drivers license",
            "driving licence",
            "driver's licence",
            "license number",
            "führerschein",
            "permis de conduire",
        ],
        &[7, 8, 9, 10, 12],
        ANY,
        "identifier.driver_licence",
    ),
];

fn named(all: &[u8], lengths: &[usize], before: &Before<'_>) -> Option<&'static str> {
    if before.is_wordless() || national::uniform(all) || lengths.iter().any(|length| *length > 18) {
        return None;
    }
    let found = NAMED.iter().find(|(words, digits, check, _)| {
        digits.contains(&all.len()) && before.says(words) && check(all)
    });
    found.map(|(.., fact)| *fact)
}

#[cfg(test)]
mod tests {
    use crate::validate::Validator;

    fn check(before: &str, text: &str, expected: Option<(&str, usize)>) {
        let found = Validator::Number.accept(before.as_bytes(), text.as_bytes());
        let found = found.and_then(|found| found.fact.map(|fact| (fact, found.length)));
        assert_eq!(found, expected, "{before}{text}");
    }

    #[test]
    fn cards() {
        check("", "4111 1111 1111 1111", Some(("identifier.card", 19)));
        check("", "4111-1111-1111-1111", Some(("identifier.card", 19)));
        check("", "4111 1111 1111 1111 12", Some(("identifier.card", 19)));
        check("", "378282246310005", Some(("identifier.card", 15)));
        check("", "3782 822463 10005", Some(("identifier.card", 17)));
        check("", "4111 1111 1111 1112", None);
        check("", "0000000000000000", None);
        check("id-", "4111111111111111", None);
        check("0.", "4111111111111111", None);
    }

    #[test]
    fn national_numbers() {
        check("", "536-22-8145", Some(("identifier.us_ssn", 11)));
        check("", "536 22 8145", None);
        check("SSN: ", "536 22 8145", Some(("identifier.us_ssn", 11)));
        check("", "123.456.789-09", Some(("identifier.br_cpf", 14)));
        check("", "12345678Z", Some(("identifier.es_dni", 9)));
        check("", "12345678A", None);
        check("", "131052-308T", Some(("identifier.fi_hetu", 11)));
        check("", "811218-9876", Some(("identifier.se_personnummer", 11)));
        check("", "44051401359", None);
        check("PESEL ", "44051401359", Some(("identifier.pl_pesel", 11)));
        check("", "943 476 5919", Some(("identifier.uk_nhs", 12)));
        check("", "943 476 5918", None);
        check("my passport no is ", "912803456", Some(("identifier.passport", 9)));
    }

    #[test]
    fn addresses_are_not_versions() {
        check("from ", "93.184.216.34", Some(("identifier.ip", 13)));
        check("version ", "93.184.216.34", None);
        check("at ", "192.168.0.1", None);
        check("at ", "1.2.3.4.5", None);
    }
}
