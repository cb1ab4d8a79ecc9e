//! Times as pages show them: exact in the markup, relative to the reader, zone named.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

/// One instant, seen from the moment the page was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// RFC 3339, for the `datetime` attribute.
    pub iso: String,
    /// `20 Nov 2026, 19:35:12 UTC`.
    pub full: String,
    /// `19:35:12`.
    pub clock: String,
    /// `20 Nov`.
    pub day: String,
    /// `3 min ago`, `in 42 min`, `now`.
    pub ago: String,
}

impl Moment {
    /// `at`, seen from `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let utc = at.to_zoned(TimeZone::UTC);
        Self {
            iso: utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            full: utc.strftime("%-d %b %Y, %H:%M:%S UTC").to_string(),
            clock: utc.strftime("%H:%M:%S").to_string(),
            day: utc.strftime("%-d %b").to_string(),
            ago: relative(at.as_second() - now.as_second()),
        }
    }

    /// [`Moment::new`] for a time that may be missing.
    pub fn opt(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.map(|at| Self::new(at, now))
    }
}

/// `seconds` from now in words; negative is past.
fn relative(seconds: i64) -> String {
    let words = span(seconds.unsigned_abs());
    match seconds {
        -4..=0 => "now".into(),
        i64::MIN..=-5 => format!("{words} ago"),
        _ => format!("in {words}"),
    }
}

/// A length of time in one unit: `45 s`, `12 min`, `3 h`, `9 d`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=5_399 => format!("{} min", seconds / 60),
        5_400..=172_799 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Microseconds in a unit people read: `840 µs`, `12 ms`, `1.3 s`.
pub(crate) fn duration(us: u64) -> String {
    match us {
        0..=999 => format!("{us} µs"),
        1_000..=999_999 => format!("{} ms", us / 1_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A number with thin groups of three: `1 204`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_from_where_the_reader_stands() {
        for (seconds, words) in [
            (0, "now"),
            (-4, "now"),
            (-45, "45 s ago"),
            (-180, "3 min ago"),
            (2_520, "in 42 min"),
            (-7_200, "2 h ago"),
            (-900_000, "10 d ago"),
        ] {
            assert_eq!(relative(seconds), words);
        }
    }

    #[test]
    fn numbers_carry_units_and_groups() {
        assert_eq!(duration(840), "840 µs");
        assert_eq!(duration(12_900), "12 ms");
        assert_eq!(duration(1_340_000), "1.3 s");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn exact_time_stays_in_the_markup() -> Result<(), jiff::Error> {
        let at: Timestamp = "2026-11-20T19:35:12.345Z".parse()?;
        let moment = Moment::new(at, at);
        assert_eq!(moment.iso, "2026-11-20T19:35:12Z");
        assert_eq!(moment.full, "20 Nov 2026, 19:35:12 UTC");
        Ok(())
    }
}
