//! Times on the command line: an RFC 3339 time, or how far back or ahead from now.

use jiff::{SignedDuration, Timestamp};
use quell_domain::{Clock, SystemClock};

/// A point in the past: `2026-05-01T10:00:00Z`, or `30m`, `2h`, `7d` ago.
pub(crate) fn past(text: &str) -> Result<Timestamp, String> {
    parse(text, -1)
}

/// A point in the future: `2026-05-01T10:00:00Z`, or in `30m`, `2h`, `7d`.
pub(crate) fn future(text: &str) -> Result<Timestamp, String> {
    parse(text, 1)
}

fn parse(text: &str, sign: i64) -> Result<Timestamp, String> {
    if let Some(seconds) = seconds(text) {
        let now = SystemClock::new().now();
        let moved = seconds.checked_mul(sign).map(SignedDuration::from_secs);
        return moved
            .and_then(|moved| now.checked_add(moved).ok())
            .ok_or_else(|| format!("{text} is too far away"));
    }
    text.parse().map_err(|_| {
        format!("{text:?} is neither a time like 2026-05-01T10:00:00Z nor a span like 30m, 2h, 7d")
    })
}

fn seconds(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number = text.get(..text.len() - 1)?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_are_read_and_the_rest_is_refused() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("30m", Some(1_800)),
            ("7d", Some(604_800)),
            ("m", None),
            ("-1h", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(past("2026-05-01T10:00:00Z").unwrap().to_string(), "2026-05-01T10:00:00Z");
        assert!(past("1h").unwrap() < future("1h").unwrap());
        for text in ["yesterday", "99999999999999999d", "1w", "", "é"] {
            assert!(future(text).is_err(), "{text}");
        }
    }
}
