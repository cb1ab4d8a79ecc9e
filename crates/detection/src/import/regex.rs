//! Regular expressions of backtracking engines, rewritten for one that runs in linear time.

use crate::fold::is_invisible;
use crate::patterns::{Found, MAX_LEN, keywords_of, parse_regex};

/// How far around a keyword an imported regex looks, bytes.
const REACH: usize = MAX_LEN / 4;
/// Keywords a pattern may need before looking for them costs more than it saves.
const KEYWORDS_MAX: usize = 64;

/// A regex that Quell can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) source: String,
    pub(super) keywords: Vec<String>,
    /// Invisible characters are looked for, so the text must not be folded.
    pub(super) exact: bool,
    pub(super) max_len: usize,
}

/// Rewrites `source`, or says why it cannot run.
pub(super) fn translate(source: &str) -> Result<Translated, String> {
    let mut source = unescaped(source.trim());
    while let Some(rest) = source.strip_prefix("(?i)") {
        // Patterns ignore case anyway.
        source = rest.to_owned();
    }
    if anchored(&source) {
        return Err("it asks for the beginning of the text, and patterns see a window".into());
    }
    let exact = source.chars().any(is_invisible);
    let source = spelled_out(&source)?;
    let hir = parse_regex("import", &source, true).map_err(|error| error.message)?;
    let keywords = match keywords_of(&hir, exact) {
        Some(Found::Inside(words)) => words,
        // Signs outside ASCII are rare enough to be looked for one by one.
        Some(Found::Prefix(words)) if words.iter().all(|word| word.len() >= 3) => words,
        _ => return Err("no word of three letters stands in every match".into()),
    };
    if keywords.len() > KEYWORDS_MAX {
        return Err(format!("it has more than {KEYWORDS_MAX} beginnings"));
    }
    if !exact && keywords.iter().any(|word| crate::fold::fold(word).trim().is_empty()) {
        return Err("a match may consist of invisible characters only".into());
    }
    Ok(Translated { source, keywords, exact, max_len: REACH })
}

/// `\uXXXX` as the character it stands for.
fn unescaped(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let code = escape.strip_prefix("\\u").and_then(|digits| {
            let digits = digits.strip_prefix('{').map_or_else(
                || digits.get(..4).map(|hex| (hex, 6)),
                |inner| inner.split_once('}').map(|(hex, _)| (hex, hex.len() + 4)),
            );
            digits.and_then(|(hex, length)| {
                let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
                Some((c, length))
            })
        });
        if let Some((c, length)) = code {
            out.push(c);
            rest = &escape[length..];
        } else {
            // A backslash and what it escapes stay together.
            let length = escape.chars().take(2).map(char::len_utf8).sum();
            out.push_str(&escape[..length]);
            rest = &escape[length..];
        }
    }
    out.push_str(rest);
    out
}

/// Whether `^` stands outside a class.
fn anchored(source: &str) -> bool {
    let (mut class, mut escaped) = (false, false);
    for c in source.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '^' if !class => return true,
            _ => {}
        }
    }
    false
}

/// Classes are ASCII here: a class that lists other characters becomes alternatives.
fn spelled_out(source: &str) -> Result<String, String> {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    loop {
        let Some(at) = class_start(rest) else {
            out.push_str(rest);
            return Ok(out);
        };
        let (before, class) = rest.split_at(at);
        out.push_str(before);
        let end = class_end(class).ok_or("a class does not end")?;
        let (body, after) = (&class[1..end], &class[end + 1..]);
        rest = after;
        if body.is_ascii() {
            out.push_str(&class[..=end]);
            continue;
        }
        if body.starts_with('^') {
            return Err("a class excludes characters outside ASCII".into());
        }
        let chars: Vec<char> = body.chars().collect();
        if chars.windows(3).any(|w| w[1] == '-' && !(w[0].is_ascii() && w[2].is_ascii())) {
            return Err("a class has a range of characters outside ASCII".into());
        }
        let ascii: String = chars.iter().filter(|c| c.is_ascii()).collect();
        let mut parts: Vec<String> =
            chars.iter().filter(|c| !c.is_ascii()).map(char::to_string).collect();
        if !ascii.is_empty() {
            parts.insert(0, format!("[{ascii}]"));
        }
        out.extend(["(?:", &parts.join("|"), ")"]);
    }
}

fn class_start(source: &str) -> Option<usize> {
    let mut escaped = false;
    source.char_indices().find_map(|(at, c)| {
        let found = c == '[' && !escaped;
        escaped = c == '\\' && !escaped;
        found.then_some(at)
    })
}

fn class_end(class: &str) -> Option<usize> {
    let mut escaped = false;
    class.char_indices().skip(1).find_map(|(at, c)| {
        // `]` right after the opening is a character of the class.
        let found = c == ']' && !escaped && at > 1 && &class[1..at] != "^";
        escaped = c == '\\' && !escaped;
        found.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_in_linear_time_is_kept() {
        for (source, expected) in [
            (r"(?i)ignore\s+all", r"ignore\s+all"),
            (r"say [“”'] twice", r"say (?:[']|“|”) twice"),
            (r"caf\u00e9 latte", "café latte"),
            (r"caf\u{e9} latte", "café latte"),
            (r"a[^\n]{0,9}secret", r"a[^\n]{0,9}secret"),
        ] {
            assert_eq!(translate(source).unwrap().source, expected, "{source}");
        }
        let hidden = translate(r"[\u200B\u200C]{3,}").unwrap();
        assert!(hidden.exact && !hidden.keywords.is_empty());
    }

    #[test]
    fn what_does_not_is_named() {
        for (source, reason) in [
            (r"secret(?!s)", "look-around is not supported"),
            (r"(secret)\1", "backreferences are not supported"),
            (r"^secret", "it asks for the beginning of the text, and patterns see a window"),
            (r"[à-ü]secret", "a class has a range of characters outside ASCII"),
            (r"[^é]secret", "a class excludes characters outside ASCII"),
            (r"\d+", "no word of three letters stands in every match"),
            (r"secret(", "invalid regex: unclosed group"),
            (r"(?:secret)?", "the regex matches empty text"),
        ] {
            assert_eq!(translate(source).unwrap_err(), reason, "{source}");
        }
    }
}
