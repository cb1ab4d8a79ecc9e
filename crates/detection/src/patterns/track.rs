//! The keywords of a pattern set: one automaton per view of the text.

use std::collections::{HashMap, HashSet};

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::{Anchored, StartKind, dfa};

use super::compile::{Pattern, PatternError};

/// The keywords of one view of the text.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) automaton: dfa::DFA,
    /// By keyword: the keyword.
    words: Vec<String>,
    /// By keyword: the patterns it belongs to.
    pub(super) owners: Vec<Vec<usize>>,
    /// By automaton state: how many bytes of a held keyword have just been seen.
    pub(super) held_depth: HashMap<StateID, usize>,
}

impl Track {
    /// Every keyword.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// Compiles keywords, each with the pattern it belongs to; none where there are none.
    pub(super) fn build(
        keywords: Vec<(String, usize)>,
        patterns: &[Pattern],
    ) -> Result<Option<Self>, PatternError> {
        if keywords.is_empty() {
            return Ok(None);
        }
        let mut order: HashMap<String, usize> = HashMap::new();
        let mut words: Vec<String> = Vec::new();
        let mut owners: Vec<Vec<usize>> = Vec::new();
        for (word, pattern) in keywords {
            let index = *order.entry(word.clone()).or_insert_with(|| {
                words.push(word);
                owners.push(Vec::new());
                owners.len() - 1
            });
            if !owners[index].contains(&pattern) {
                owners[index].push(pattern);
            }
        }
        let automaton = dfa::DFA::builder()
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(&words)
            .map_err(|error| PatternError {
                pattern: "(all keywords)".into(),
                message: error.to_string(),
                help: "use fewer or shorter keywords".into(),
            })?;
        let held: Vec<&str> = words
            .iter()
            .zip(&owners)
            .filter(|(_, owners)| owners.iter().any(|owner| patterns[*owner].hold.is_some()))
            .map(|(word, _)| word.as_str())
            .collect();
        let held_depth = held_depths(&automaton, &words, &held);
        Ok(Some(Self { automaton, words, owners, held_depth }))
    }
}

/// For every state of the automaton: the longest beginning of a held keyword the text ends with.
fn held_depths(automaton: &dfa::DFA, words: &[String], held: &[&str]) -> HashMap<StateID, usize> {
    let beginnings: HashSet<&[u8]> =
        held.iter().flat_map(|word| (1..word.len()).map(|end| &word.as_bytes()[..end])).collect();
    let mut depths = HashMap::new();
    let Ok(start) = automaton.start_state(Anchored::No) else {
        return depths;
    };
    for word in words {
        let bytes = word.as_bytes();
        let mut state = start;
        for end in 1..=bytes.len() {
            state = automaton.next_state(Anchored::No, state, bytes[end - 1]);
            let suffix = (0..end).find(|from| beginnings.contains(&bytes[*from..end]));
            if let Some(from) = suffix {
                depths.insert(state, end - from);
            }
        }
    }
    depths
}
