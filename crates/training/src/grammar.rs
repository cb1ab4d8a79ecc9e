//! Texts written here, as grammars: names with alternatives that refer to other names.
//!
//! A line `@name` begins a name; every other line that is not empty and does not begin with `#` is
//! one alternative of it. `{name}` stands for any alternative of `name`, `[[a|b|]]` for one of the
//! pieces, `\n` for a line end. Braces around anything that is not a name stay as they are.

use std::collections::BTreeMap;

use crate::random::Random;

/// Names within names.
const MAX_DEPTH: usize = 12;
/// Longest text.
const MAX_LENGTH: usize = 16 * 1024;

/// A set of names with their alternatives.
#[derive(Debug, Clone, Default)]
pub struct Grammar {
    names: BTreeMap<String, Vec<String>>,
}

impl Grammar {
    /// Everything that ships.
    pub fn embedded() -> Self {
        let mut grammar = Self::default();
        for text in [
            include_str!("../grammar/words.txt"),
            include_str!("../grammar/override.txt"),
            include_str!("../grammar/jailbreak.txt"),
            include_str!("../grammar/extraction.txt"),
            include_str!("../grammar/indirect.txt"),
            include_str!("../grammar/languages.txt"),
            include_str!("../grammar/documents.txt"),
            include_str!("../grammar/harmless.txt"),
            include_str!("../grammar/harm.txt"),
        ] {
            grammar.add(text);
        }
        grammar
    }

    /// Adds the names of `text`; alternatives of a known name are added to it.
    pub fn add(&mut self, text: &str) {
        let mut name = String::new();
        for line in text.lines() {
            if let Some(next) = line.strip_prefix('@') {
                next.trim().clone_into(&mut name);
            } else if !line.trim().is_empty() && !line.starts_with('#') && !name.is_empty() {
                self.names.entry(name.clone()).or_default().push(line.to_owned());
            }
        }
    }

    /// The alternatives of `name`.
    pub fn alternatives(&self, name: &str) -> &[String] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// A text of `name`; empty if there is no such name.
    pub fn text(&self, name: &str, random: &mut Random) -> String {
        let mut out = String::new();
        if let Some(line) = random.pick(self.alternatives(name)) {
            self.expand(line, random, MAX_DEPTH, &mut out);
        }
        out
    }

    fn expand(&self, line: &str, random: &mut Random, depth: usize, out: &mut String) {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            if out.len() > MAX_LENGTH || depth == 0 {
                return;
            }
            if let Some(after) = rest.strip_prefix("\\n") {
                out.push('\n');
                rest = after;
            } else if let Some((inside, after)) =
                rest.strip_prefix("[[").and_then(|rest| rest.split_once("]]"))
            {
                let pieces: Vec<&str> = inside.split('|').collect();
                if let Some(piece) = random.pick(&pieces) {
                    self.expand(piece, random, depth - 1, out);
                }
                rest = after;
            } else if let Some((name, after)) = self.reference(rest) {
                if let Some(line) = random.pick(self.alternatives(name)) {
                    self.expand(line, random, depth - 1, out);
                }
                rest = after;
            } else {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }

    fn reference<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (name, after) = text.strip_prefix('{')?.split_once('}')?;
        self.names.contains_key(name).then_some((name, after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_expand_and_other_braces_stay() {
        let mut grammar = Grammar::default();
        grammar.add("# note\n@a\n{b} {x} [[one|one]]\\n\n@b\n{\"k\": {c}}\n@c\n1");
        let text = grammar.text("a", &mut Random::new(1));
        assert_eq!(text, "{\"k\": 1} {x} one\n");
    }

    #[test]
    fn a_name_that_contains_itself_ends() {
        let mut grammar = Grammar::default();
        grammar.add("@a\n{a}{a}x");
        assert!(grammar.text("a", &mut Random::new(1)).len() <= MAX_LENGTH + 1);
    }

    #[test]
    fn every_name_that_is_referred_to_exists() {
        let grammar = Grammar::embedded();
        for (name, lines) in &grammar.names {
            for line in lines {
                for piece in line.split('{').skip(1) {
                    if let Some((inner, _)) = piece.split_once('}') {
                        let looks_like_one = inner.len() > 2
                            && inner.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                        assert!(
                            !looks_like_one || grammar.names.contains_key(inner),
                            "{name} refers to {inner}, which is not there"
                        );
                    }
                }
            }
        }
    }
}
