//! Telephone numbers: E.164 lengths by country code, and the national ways of writing them that
//! no other number has. Everything else needs a word that says what it is.

use super::context::Before;
use super::groups::Run;

#[rustfmt::skip]
const SAYS_PHONE: &[&str] = &[
    "phone", "tel", "tel.", "telephone", "telefon", "telefono", "téléphone", "teléfono",
    "telefone", "call", "call me", "ring", "mobile", "mobil", "cell", "cellphone", "fax",
    "whatsapp", "sms", "text me", "texted", "dial", "desk", "office", "handy", "handynummer",
    "rufnummer", "portable", "móvil", "movil", "celular", "cellulare", "numéro", "contact number",
    "registered", "messages to", "callback", "hotline", "reach me at", "reach us at", "contact",
    "my number is", "gsm", "電話", "电话", "手机", "手機", "전화", "휴대폰", "携帯", "телефон", "тел",
];

/// Words that make a number something else.
#[rustfmt::skip]
pub(super) const SAYS_OTHER: &[&str] = &[
    "order", "tracking", "invoice", "isbn", "part", "build", "version", "artefact", "artifact",
    "serial", "sku", "ref", "reference", "correlation", "commit", "fixture", "value", "firmware",
    "release", "rfc", "article", "model", "item", "batch", "lot", "id", "log", "line", "account",
    "confirmation", "reservation", "flight", "parcel", "shipment", "product", "issue", "bug",
    "rev",
];

/// National significant digits by country code: code, fewest, most.
#[rustfmt::skip]
const COUNTRIES: &[(&str, usize, usize)] = &[
    ("1", 10, 10), ("7", 10, 10), ("20", 8, 10), ("27", 9, 9), ("30", 10, 10), ("31", 9, 9),
    ("32", 8, 9), ("33", 9, 9), ("34", 9, 9), ("36", 8, 9), ("39", 6, 11), ("40", 9, 9),
    ("41", 9, 9), ("43", 4, 13), ("44", 9, 10), ("45", 8, 8), ("46", 7, 9), ("47", 8, 8),
    ("48", 9, 9), ("49", 6, 11), ("51", 8, 9), ("52", 10, 11), ("54", 10, 11), ("55", 10, 11),
    ("56", 9, 9), ("57", 8, 10), ("58", 10, 10), ("60", 7, 10), ("61", 9, 9), ("62", 8, 12),
    ("63", 8, 10), ("64", 8, 10), ("65", 8, 8), ("66", 8, 9), ("81", 9, 10), ("82", 8, 10),
    ("84", 9, 10), ("86", 10, 11), ("90", 10, 10), ("91", 10, 10), ("92", 9, 10), ("94", 9, 9),
    ("98", 10, 10), ("212", 9, 9), ("213", 8, 9), ("216", 8, 8), ("234", 8, 10), ("254", 9, 9),
    ("351", 9, 9), ("352", 6, 9), ("353", 7, 9), ("354", 7, 7), ("356", 8, 8), ("357", 8, 8),
    ("358", 5, 12), ("359", 7, 9), ("370", 8, 8), ("371", 8, 8), ("372", 7, 8), ("380", 9, 9),
    ("381", 8, 9), ("385", 8, 9), ("386", 8, 8), ("420", 9, 9), ("421", 9, 9), ("852", 8, 8),
    ("880", 8, 10), ("886", 8, 9), ("961", 7, 8), ("962", 8, 9), ("966", 9, 9), ("971", 8, 9),
    ("972", 8, 9), ("974", 8, 8), ("977", 8, 10), ("995", 9, 9), ("998", 9, 9),
];

/// How many groups of `run`, from its beginning, are a telephone number.
pub(super) fn groups(run: &Run, before: &Before<'_>) -> Option<usize> {
    if before.byte(1) == Some(b'+') {
        return international(run, 0);
    }
    if before.joined() {
        return None;
    }
    let (first, groups) = (run.group(0), run.len());
    if groups >= 2
        && first.first() == Some(&0)
        && first.get(1) == Some(&0)
        && let Some(end) = international(run, 2)
    {
        return Some(end);
    }
    (2..=groups.min(6))
        .rev()
        .find(|count| run.ends_at(*count) && is_national(run, *count, before))
        .filter(|_| !before.just_said(SAYS_OTHER))
        .or_else(|| said(run, before))
}

/// Code and national number; as many groups as the country's longest number takes.
fn international(run: &Run, skip: usize) -> Option<usize> {
    (1..=run.len()).rev().find(|count| {
        let all = run.digits(*count).get(skip..).unwrap_or_default();
        COUNTRIES.iter().any(|(code, fewest, most)| {
            national_part(all, code).is_some_and(|national| {
                // A trunk zero is often left in: +44 (0)20 …
                let trunk = usize::from(national.first() == Some(&0) && *code != "39");
                (*fewest..=*most).contains(&(national.len() - trunk))
            })
        })
    })
}

/// What follows `code`, if the digits begin with it.
fn national_part<'a>(all: &'a [u8], code: &str) -> Option<&'a [u8]> {
    let (first, national) = all.split_at_checked(code.len())?;
    code.bytes().map(|byte| byte - b'0').eq(first.iter().copied()).then_some(national)
}

/// Ways of writing that say it is a telephone number.
fn is_national(run: &Run, count: usize, before: &Before<'_>) -> bool {
    let lengths = run.lengths(count);
    let first = run.group(0);
    let north_american = |area: usize| {
        let starts = |index: usize| run.group(index).first().is_some_and(|digit| *digit >= 2);
        starts(area) && starts(area + 1)
    };
    let zero = first.first() == Some(&0);
    let parenthesis = before.byte(1) == Some(b'(') && run.separator(0).starts_with(b")");
    let separator = run.separator(0);
    match lengths {
        [3, 3, 4] if separator == b"-" || separator == b"." || parenthesis => {
            (north_american(0) && !before.after_digits()) || zero
        }
        [1, 3, 3, 4] if separator == b"-" || separator == b"." => first == [1] && north_american(1),
        // France: 06 12 34 56 78
        [2, 2, 2, 2, 2] => zero && first.get(1).is_some_and(|digit| *digit > 0),
        // United Kingdom, Australia, Japan, Korea, Brazil
        [5, 6] | [3 | 2, 4, 4] | [4, 3, 3 | 4] | [5, 3, 3] if zero => {
            first.get(1).is_some_and(|digit| *digit > 0)
        }
        [2, 5 | 4, 4] => parenthesis,
        // China, mobile
        [3, 4, 4] => first[0] == 1 && first[1] >= 3,
        _ => parenthesis && zero && (9..=11).contains(&run.digits(count).len()),
    }
}

/// Any number of 7 to 15 digits that is said to be one.
fn said(run: &Run, before: &Before<'_>) -> Option<usize> {
    if before.is_wordless() || !before.just_said(SAYS_PHONE) {
        return None;
    }
    (1..=run.len().min(6)).rev().find(|count| {
        let digits = run.digits(*count).len();
        let grouped = *count == 1 || run.lengths(*count).iter().all(|length| *length >= 2);
        (7..=15).contains(&digits) && grouped && run.ends_at(*count)
    })
}

#[cfg(test)]
mod tests {
    use crate::validate::Validator;

    fn found(before: &str, text: &str) -> Option<usize> {
        let found = Validator::Number.accept(before.as_bytes(), text.as_bytes())?;
        (found.fact == Some("identifier.phone")).then_some(found.length)
    }

    #[test]
    fn ways_of_writing() {
        for (before, text) in [
            ("at +", "33 6 52 23 59 16"),
            ("at +", "1 (835) 463-3410"),
            ("at +", "447700900123"),
            ("", "001-253-366-9781"),
            ("registered ", "905-674-3793"),
            ("(", "602) 272-9781"),
            ("", "06 12 34 56 78"),
            ("", "07700 900123"),
            ("", "0412 345 678"),
            ("", "138 1234 5678"),
            ("call me on ", "9472 7916"),
            ("Mobile: ", "432 03 163"),
            ("(", "11) 91234-5678"),
        ] {
            assert_eq!(found(before, text), Some(text.len()), "{before}{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for (before, text) in [
            ("part ", "738.426.6155"),
            ("v", "7.19.738-8931"),
            ("", "9472 7916"),
            ("on ", "2026-11-21"),
            ("", "10.0.71"),
            ("Order reference ", "978-1-906-87789-1"),
            ("", "1234567890"),
            ("costs +", "12"),
        ] {
            assert_eq!(found(before, text), None, "{before}{text}");
        }
    }
}
