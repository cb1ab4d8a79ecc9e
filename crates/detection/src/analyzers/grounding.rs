//! Whether an answer keeps to the documents it was given.
//!
//! Sees, where the request carries documents (results of tools, or a user's or system's text that
//! announces them): numbers and names of the answer that stand nowhere in the request, and an
//! answer most of whose long words do not.
//! Cannot see: a wrong statement made of words that are there; whether the documents are right;
//! names in scripts without capitals. Code is not looked at.
//! Known false positives: sums and conversions of numbers, translations and general knowledge that
//! was asked for, so the rule is in shadow.
//! Source: entity and n-gram overlap as in Maynez et al. 2020, "On Faithfulness and Factuality in
//! Abstractive Summarization".

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use quell_domain::interaction::{Role, TextField};

use crate::budget::Budget;
use crate::judge::FactAt;
use crate::review::{Remarks, is_asked};

/// Bytes of documents below which nothing is compared.
const MIN_DOCUMENT: usize = 300;
/// Bytes of request text read; with more, nothing is said.
const MAX_READ: usize = 256 * 1024;
/// Words of the request remembered.
const MAX_WORDS: usize = 50_000;
/// Numbers or names that must be missing.
const MIN_MISSING: usize = 3;
/// Long words an answer needs for its overlap to count.
const MIN_LONG: usize = 40;
/// Share of long words that must be found, per hundred.
const MIN_OVERLAP: usize = 25;
/// Letters of a word that count when words are compared: endings do not.
const STEM: usize = 6;

/// What announces documents in the text of a person or a system prompt.
const ANNOUNCED: [&str; 12] = [
    "context:",
    "<context",
    "<document",
    "<source",
    "documents:",
    "sources:",
    "search results",
    "passages:",
    "based on the following",
    "according to the following",
    "excerpt",
    "knowledge:",
];

/// States what of the answer has no ground in the request.
pub(crate) fn read(
    request: &[TextField],
    answer: &[TextField],
    budget: &mut Budget,
    out: &mut Remarks,
) {
    let long = |field: &&TextField| {
        field.role == Role::Assistant && field.part == "content" && field.text.len() >= 80
    };
    if !answer.iter().any(|field| long(&field)) || documents(request) < MIN_DOCUMENT {
        return;
    }
    let read: usize = request.iter().map(|field| field.text.len()).sum();
    if read > MAX_READ || !budget.spend(2 * read) {
        out.missing.push("grounding");
        return;
    }
    let mut known =
        Known { words: HashSet::new(), numbers: HashSet::new(), hasher: RandomState::new() };
    request
        .iter()
        .filter(|field| field.role != Role::ToolDefinition)
        .for_each(|field| known.learn(&field.text));
    if known.words.len() >= MAX_WORDS {
        out.missing.push("grounding");
        return;
    }
    for field in answer.iter().filter(long) {
        if !budget.spend(2 * field.text.len().min(MAX_READ)) {
            return;
        }
        known.judge(field, out);
    }
}

/// Bytes of documents the request carries.
fn documents(request: &[TextField]) -> usize {
    let announces = |text: &str| {
        let head = text[..text.floor_char_boundary(4_096)].to_ascii_lowercase();
        ANNOUNCED.iter().any(|words| head.contains(words))
    };
    let carried = request.iter().filter(|field| {
        field.role == Role::Tool
            || (is_asked(field) && field.text.len() >= MIN_DOCUMENT && announces(&field.text))
    });
    carried.map(|field| field.text.len()).sum()
}

/// What the request says.
struct Known {
    words: HashSet<u64>,
    numbers: HashSet<u64>,
    hasher: RandomState,
}

impl Known {
    fn learn(&mut self, text: &str) {
        for word in words(text) {
            if self.words.len() >= MAX_WORDS || self.numbers.len() >= MAX_WORDS {
                return;
            }
            if word.number {
                self.numbers.insert(self.hasher.hash_one(&word.key));
            }
            self.words.insert(self.hasher.hash_one(&word.key));
        }
    }

    fn judge(&self, field: &TextField, out: &mut Remarks) {
        let (mut numbers, mut names) = (Tally::default(), Tally::default());
        let (mut long, mut overlap) = (0, 0);
        for word in words(&field.text[..field.text.floor_char_boundary(MAX_READ)]) {
            let hash = self.hasher.hash_one(&word.key);
            if word.number {
                if word.key.len() > 1 && !word.listed {
                    numbers.count(hash, self.numbers.contains(&hash), &word);
                }
                continue;
            }
            let found = self.words.contains(&hash);
            if word.name {
                names.count(hash, found, &word);
            }
            if word.letters >= STEM {
                long += 1;
                overlap += usize::from(found);
            }
        }
        let mut state = |fact: &str, (start, end): (usize, usize)| {
            out.places.push(FactAt {
                fact: fact.to_owned(),
                field: field.field.clone(),
                start,
                end,
            });
        };
        for (fact, tally) in
            [("output.ungrounded_numbers", &numbers), ("output.ungrounded_names", &names)]
        {
            if tally.missing.len() >= MIN_MISSING && 2 * tally.missing.len() >= tally.seen.len() {
                tally.places.iter().for_each(|place| state(fact, *place));
            }
        }
        if long >= MIN_LONG && 100 * overlap < MIN_OVERLAP * long {
            state("output.low_overlap", (0, field.text.len()));
        }
    }
}

/// Distinct numbers or names, and those without ground.
#[derive(Default)]
struct Tally {
    seen: HashSet<u64>,
    missing: HashSet<u64>,
    places: Vec<(usize, usize)>,
}

impl Tally {
    fn count(&mut self, hash: u64, found: bool, word: &Word) {
        self.seen.insert(hash);
        if !found && self.missing.insert(hash) && self.places.len() < 16 {
            self.places.push((word.start, word.end));
        }
    }
}

struct Word {
    /// What it is compared by: a number's digits, a word's first letters in lower case.
    key: String,
    number: bool,
    /// Starts with a capital inside a sentence.
    name: bool,
    /// Numbers an entry of a list.
    listed: bool,
    letters: usize,
    start: usize,
    end: usize,
}

/// Words and numbers of prose; what stands between code fences is left out.
fn words(text: &str) -> impl Iterator<Item = Word> {
    let fences = text.split("```").scan(0, |at, part| {
        let start = *at;
        *at += part.len() + 3;
        Some((start, part))
    });
    fences.step_by(2).flat_map(|(at, part)| prose(part, at))
}

fn prose(text: &str, base: usize) -> Vec<Word> {
    let mut out = Vec::new();
    let mut begins = true;
    let mut rest = 0;
    let belongs = |c: char| c.is_alphanumeric();
    while let Some(offset) = text[rest..].find(belongs) {
        let start = rest + offset;
        begins |= text[rest..start].contains(['.', '!', '?', '\n', ':', '"', '“', '*', '#', '|']);
        let number = text[start..].starts_with(|c: char| c.is_ascii_digit());
        let inside = |c: char| belongs(c) || (number && matches!(c, '.' | ','));
        let mut end =
            text[start..].find(|c| !inside(c)).map_or(text.len(), |length| start + length);
        end = start + text[start..end].trim_end_matches(['.', ',']).len();
        let raw = &text[start..end];
        let letters = raw.chars().count();
        let listed = begins && number && text[end..].starts_with(['.', ')', ':']);
        let key: String = if number {
            let digits: String = raw.chars().filter(|c| c.is_alphanumeric()).collect();
            // 3.20 is 3.2; 1,250 is not 1,25.
            let decimals = raw.rfind(['.', ',']).is_some_and(|at| raw.len() - at != 4);
            if decimals { digits.trim_end_matches('0').to_owned() } else { digits }
        } else {
            raw.chars().flat_map(char::to_lowercase).take(STEM).collect()
        };
        let name = !begins && !number && letters >= 4 && raw.starts_with(char::is_uppercase);
        out.push(Word { key, number, name, listed, letters, start: base + start, end: base + end });
        begins = false;
        rest = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Quarterly report of the harbour: 1,250 containers were handled in March, \
        1,310 in April and 1,475 in May. The new crane at the northern quay came into service on \
        2 April; the harbour master, Ingrid Solheim, expects 5,000 containers by the end of the \
        summer. Costs were 3.2 million, of which 1.1 million went into the dredging of the basin.";

    fn facts(request: &[(Role, &str)], answer: &str) -> Vec<String> {
        let field = |role, text: &str| TextField {
            field: String::new(),
            role,
            part: "content".into(),
            text: text.into(),
        };
        let request: Vec<_> = request.iter().map(|(role, text)| field(*role, text)).collect();
        let mut out = Remarks::default();
        read(&request, &[field(Role::Assistant, answer)], &mut Budget::new(1 << 20), &mut out);
        let mut facts: Vec<String> = out.places.into_iter().map(|at| at.fact).collect();
        facts.dedup();
        facts
    }

    #[test]
    fn an_answer_from_the_document_has_its_ground_there() {
        let answer = "In March the harbour handled 1250 containers, in April 1310 and in May 1475. \
                      Ingrid Solheim expects 5000 by the end of summer; costs were 3.20 million.";
        assert!(facts(&[(Role::Tool, REPORT)], answer).is_empty());
    }

    #[test]
    fn numbers_and_names_from_nowhere_are_named() {
        let numbers = "The harbour handled 1,250 containers in March, 1,780 in April, 2,115 in May, \
                       and spent 4.7 million on the basin.";
        assert_eq!(facts(&[(Role::Tool, REPORT)], numbers), ["output.ungrounded_numbers"]);
        let names = "The harbour master, Torvald Nygaard, announced with Minister Lindqvist that a \
                     terminal of the Baltica company will open near the northern quay soon.";
        assert_eq!(facts(&[(Role::Tool, REPORT)], names), ["output.ungrounded_names"]);
    }

    #[test]
    fn without_documents_nothing_is_compared() {
        let answer = "Torvald Nygaard, Minister Lindqvist and Baltica met in Gothenburg and Malmö to \
                      speak about 17, 23 and 99 ships.";
        assert!(facts(&[(Role::User, "Tell me a story about a harbour.")], answer).is_empty());
        let announced = format!("Answer from this context: {REPORT}");
        assert!(!facts(&[(Role::User, &announced)], answer).is_empty());
    }

    #[test]
    fn an_answer_about_something_else_overlaps_little() {
        let answer = "Photosynthesis converts sunlight into chemical energy inside chloroplasts. \
            Pigments called chlorophyll absorb photons, exciting electrons through membrane proteins \
            while splitting water molecules, releasing oxygen. Subsequently the Calvin cycle fixes \
            carbon dioxide using enzymes, producing carbohydrates which plants transform into \
            cellulose, starches, lipids together with countless secondary metabolites supporting \
            growth, reproduction, defence against herbivores, pathogens, drought, freezing \
            temperatures, ultraviolet radiation.";
        assert!(facts(&[(Role::Tool, REPORT)], answer).contains(&"output.low_overlap".to_owned()));
    }

    #[test]
    fn lists_and_code_are_no_statements() {
        let answer = "The harbour did three things:\n1. handled containers\n12. dredged the basin\n\
                      23) used the crane\n```\nlet x = [111, 222, 333];\n```\nThat is all it says.";
        assert!(facts(&[(Role::Tool, REPORT)], answer).is_empty());
    }
}
