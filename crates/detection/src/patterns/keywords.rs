//! The literals a regex cannot match without: what its keywords are when nobody states them.

use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, HirKind};

/// Keywords found in a regex.
pub(crate) enum Found {
    /// Every match begins with one of these.
    Prefix(Vec<String>),
    /// Every match contains one of these.
    Inside(Vec<String>),
}

/// Shortest literal worth looking for inside a match.
const MIN_INSIDE: usize = 3;

/// The keywords of `hir`, folded unless the text is looked at as it is; none when there is nothing
/// to look for.
pub(crate) fn keywords_of(hir: &Hir, exact: bool) -> Option<Found> {
    let view = if exact { str::to_owned } else { crate::fold::fold };
    let prefixes = prefixes(hir, view);
    match prefixes {
        Some(words) if words.iter().all(|word| word.len() >= MIN_INSIDE) => {
            Some(Found::Prefix(words))
        }
        weak => inside(hir, view).map(Found::Inside).or_else(|| weak.map(Found::Prefix)),
    }
}

fn prefixes(hir: &Hir, view: fn(&str) -> String) -> Option<Vec<String>> {
    let mut extractor = Extractor::new();
    extractor.kind(ExtractKind::Prefix).limit_literal_len(32);
    let mut found = extractor.extract(hir);
    found.keep_first_bytes(16);
    found.dedup();
    let words = found
        .literals()?
        .iter()
        .map(|literal| std::str::from_utf8(literal.as_bytes()).map(view))
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    (!words.is_empty() && words.iter().all(|word| !word.is_empty())).then_some(words)
}

fn inside(hir: &Hir, view: fn(&str) -> String) -> Option<Vec<String>> {
    let usable = |words: &Vec<String>| words.iter().all(|word| word.len() >= MIN_INSIDE);
    match hir.kind() {
        HirKind::Literal(literal) => {
            let word = view(std::str::from_utf8(&literal.0).ok()?);
            Some(vec![word]).filter(usable)
        }
        HirKind::Capture(capture) => inside(&capture.sub, view),
        HirKind::Repetition(repetition) if repetition.min > 0 => inside(&repetition.sub, view),
        HirKind::Concat(parts) => parts
            .iter()
            .filter_map(|part| inside(part, view))
            .max_by_key(|words| words.iter().map(String::len).min().unwrap_or(0)),
        HirKind::Alternation(parts) => {
            let words: Option<Vec<Vec<String>>> =
                parts.iter().map(|part| inside(part, view)).collect();
            words.map(|words| words.concat()).filter(|words| words.len() <= 64)
        }
        _ => None,
    }
}
