//! Passwords and keys that only the name they are given to tells from other words.

use super::key::{entropy, is_placeholder};

/// Values that stand for a value, or that a program works out.
#[rustfmt::skip]
const NO_VALUES: &[&[u8]] = &[
    b"password", b"passwd", b"passphrase", b"secret", b"token", b"string", b"required", b"hidden",
    b"null", b"none", b"undefined", b"true", b"false", b"todo", b"process.env", b"os.environ",
    b"getenv", b"environ[", b"insert", b"replace", b"enter", b"fixme", b"abcdef", b"foobar",
    b"test123", b"user", b"optional", b"config.", b"self.", b"this.", b"params", b"request.",
];
/// What makes a name ending in `key` one that is kept secret.
#[rustfmt::skip]
const SECRET_KEYS: &[&[u8]] = &[
    b"api", b"access", b"secret", b"private", b"auth", b"account", b"client", b"signing",
    b"encryption", b"master", b"service", b"storage", b"admin", b"deploy", b"app", b"application",
    b"subscription", b"license", b"shared", b"session", b"consumer", b"root", b"webhook", b"ssh",
];
/// What makes a name ending in `token` or `secret` an ordinary one.
const PUBLIC: &[&[u8]] =
    &[b"public", b"csrf", b"page", b"next", b"continuation", b"cancellation", b"sync", b"max"];

/// Whether the value that `text` assigns is a secret; `before` is what precedes its name.
pub(super) fn is_secret(before: &[u8], text: &[u8]) -> bool {
    let name = text.to_ascii_lowercase();
    let before = before.to_ascii_lowercase();
    let stem = before
        .iter()
        .rposition(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' '))
        .map_or(&[][..], |last| &before[..=last]);
    if name.starts_with(b"key") && !SECRET_KEYS.iter().any(|word| stem.ends_with(word)) {
        return false;
    }
    if name.starts_with(b"auth\"") || name.starts_with(b"auth=") || name.starts_with(b"auth:") {
        let named = stem.ends_with(b"user") || stem.ends_with(b"basic");
        if !named {
            return false;
        }
    }
    // An npm token counts only beside its registry; that is a pattern of its own.
    let npm = name.starts_with(b"token=") && before.ends_with(b"_auth");
    if npm || PUBLIC.iter().any(|word| stem.ends_with(word)) {
        return false;
    }
    let (value, quoted) = value(text);
    let numeric = [&b"pin"[..], b"pass", b"mot de passe", b"contrase", b"senha", b"la password"];
    if value.len() >= 4
        && value.iter().all(u8::is_ascii_digit)
        && numeric.iter().any(|word| name.starts_with(word))
    {
        return true;
    }
    is_value(value, quoted)
}

/// The value of an assignment, and whether it stands in quotes.
fn value(text: &[u8]) -> (&[u8], bool) {
    let operator = text.iter().position(|byte| matches!(byte, b'=' | b':'));
    let last = text.iter().rposition(u8::is_ascii_whitespace).map_or(0, |last| last + 1);
    let start = operator.filter(|at| *at >= last).map_or(last, |at| at + 1);
    let mut value = &text[start..];
    let quote = |byte: u8| matches!(byte, b'"' | b'\'' | b'`');
    let mut quoted = false;
    while let [first, rest @ ..] = value
        && (quote(*first) || matches!(first, b'=' | b':' | b'>' | b'?' | b'(' | b'*'))
    {
        quoted |= quote(*first);
        value = rest;
    }
    while let [rest @ .., last] = value
        && (quote(*last) || matches!(last, b';' | b',' | b')' | b'.' | b'*'))
    {
        value = rest;
    }
    (value, quoted)
}

fn is_value(value: &[u8], quoted: bool) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |word: &[u8]| lower.windows(word.len()).any(|window| window == word);
    let least = if quoted { 6 } else { 8 };
    let begins =
        matches!(value.first(), Some(b'$' | b'%' | b'<' | b'{' | b'/' | b'@' | b'[' | b'\\'));
    if value.len() < least
        || begins
        || is_placeholder(value)
        || NO_VALUES.iter().any(|word| holds(word))
        || holds(b"://")
        || (!quoted && value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{')))
    {
        return false;
    }
    let count = |is: fn(&u8) -> bool| value.iter().filter(|byte| is(byte)).count();
    let digits = count(u8::is_ascii_digit);
    let (lowers, uppers) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    let mut special: Vec<u8> = value.iter().copied().filter(u8::is_ascii_punctuation).collect();
    special.sort_unstable();
    special.dedup();
    if special.len() >= 4 {
        return true;
    }
    if digits == 0 {
        let turns = value
            .windows(2)
            .filter(|pair| pair[0].is_ascii_lowercase() != pair[1].is_ascii_lowercase())
            .count();
        return (value.len() >= 20
            && lowers > 0
            && uppers > 0
            && turns >= 8
            && entropy(value) >= 3.8)
            || (quoted && special.len() >= 2 && uppers > 0 && lowers > 0);
    }
    let bits = if value.len() < 16 { 2.5 } else { 3.0 };
    lowers + uppers >= 1 && entropy(value) >= bits && !is_wordy(value, quoted)
}

/// Whether it is put together from words and small numbers: `jwt_token_v2`, `sha256`.
fn is_wordy(value: &[u8], quoted: bool) -> bool {
    let parts = value.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let wordy = |part: &[u8]| {
        let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let tail = &part[letters..];
        let cased = part[..letters].iter().skip(1).all(u8::is_ascii_lowercase)
            || part[..letters].iter().all(u8::is_ascii_uppercase);
        tail.iter().all(u8::is_ascii_digit)
            && if letters == 0 {
                tail.len() <= 4
            } else {
                cased && tail.len() <= if quoted { 1 } else { 3 }
            }
    };
    let all: Vec<&[u8]> = parts.collect();
    all.iter().all(|part| wordy(part))
        && !(quoted
            && all.len() > 1
            && value.len() >= 12
            && value
                .iter()
                .any(|byte| matches!(byte, b'!' | b'@' | b'#' | b'%' | b'&' | b'*' | b'^')))
}

/// Whether an address carries a password and not the place for one; `words` says whether the word
/// for a password is one.
pub(super) fn is_url_password(text: &[u8], words: bool) -> bool {
    let at = text.iter().rposition(|byte| *byte == b'@').unwrap_or(0);
    let scheme = text.windows(3).position(|window| window == b"://").map_or(0, |at| at + 3);
    let user_info = text.get(scheme..at).unwrap_or_default();
    let Some(colon) = user_info.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let password = user_info[colon + 1..].to_ascii_lowercase();
    let stands_for = [&b"password"[..], b"passwd", b"pass", b"pwd", b"secret", b"token", b"pw"];
    let variable =
        password.iter().any(|byte| matches!(byte, b'$' | b'{' | b'<' | b'>' | b'*' | b'['));
    !variable && (words || !stands_for.contains(&password.as_slice())) && !is_placeholder(&password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(before: &str, text: &str) -> bool {
        is_secret(before.as_bytes(), text.as_bytes())
    }

    #[test]
    fn secrets_by_their_name() {
        for (before, text) in [
            ("", "password = \"hx7Tq!e2\""),
            ("api_", "key: 'q8Zr41mmPt0'"),
            ("", "token => \"dafa7817-e246-48f3-91a7-e87653d587b8\""),
            ("DB_", "PASSWORD=tr0ub4dor.Xy"),
            ("", "pin is 4821"),
            ("", "password is hunter2abc9"),
        ] {
            assert!(judged(before, text), "{before}{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for (before, text) in [
            ("", "password = \"${PASSWORD}\""),
            ("", "token = get_token(user)"),
            ("mon", "key = \"banana42x\""),
            ("", "secret = X25519.secret_length"),
            ("csrf_", "token = \"q8Zr41mmPt0\""),
            ("", "password: required"),
            ("", "token = jwt_v2"),
            ("api_", "key = \"your-key-9a8b7c\""),
            ("", "password is important"),
        ] {
            assert!(!judged(before, text), "{before}{text}");
        }
    }

    #[test]
    fn addresses_with_a_password() {
        assert!(is_url_password(b"postgres://app:h8Kq2z@db.test", false));
        assert!(!is_url_password(b"postgres://user:password@db.test", false));
        assert!(is_url_password(b"ftp://ada:password@db.test", true));
        assert!(!is_url_password(b"https://${USER}:${PASS}@db.test", true));
    }
}
