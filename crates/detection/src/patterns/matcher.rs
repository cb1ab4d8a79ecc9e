//! How the neighbourhood of a keyword is matched.

use std::sync::{Arc, OnceLock};

use regex_automata::dfa::{StartKind, dense, sparse};
use regex_automata::nfa::thompson;
use regex_automata::{MatchKind, meta};

use super::compile::{PatternError, parse_regex, syntax_config};
use super::spec::PatternSpec;
use crate::fold::fold_regex_source;

/// Largest automaton of one pattern, bytes.
const DFA_LIMIT: usize = 2 << 20;
const NFA_LIMIT: usize = 1 << 20;
/// A keyword that is shorter stands in every other sentence, and is followed as fast as can be.
const RARE: usize = 3;

/// How a keyword's neighbourhood is matched. A copy shares its automaton.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    /// The keyword is the match.
    Literal,
    /// The match begins with the keyword: followed byte by byte, longest match.
    Prefix(Arc<dense::DFA<Vec<u32>>>),
    /// The same for a keyword that is rare: a fifth of the memory, and several times slower.
    Rare(Arc<sparse::DFA<Vec<u8>>>),
    /// The match contains the keyword: searched in a window around it.
    Window(Arc<Window>),
}

/// A regex that is searched for in windows. Most never are, so it is made when it first is.
#[derive(Debug)]
pub(super) struct Window {
    source: String,
    exact: bool,
    regex: OnceLock<Option<meta::Regex>>,
}

impl Window {
    /// The regex. It was made once before to see whether it can be, so there always is one.
    pub(super) fn regex(&self) -> Option<&meta::Regex> {
        self.regex.get_or_init(|| build_window(&self.source, self.exact)).as_ref()
    }
}

impl Matcher {
    /// The matcher of a pattern.
    pub(super) fn new(spec: &PatternSpec) -> Result<Self, PatternError> {
        let Some(source) = &spec.regex else {
            return Ok(Self::Literal);
        };
        let source = if spec.exact { source.clone() } else { fold_regex_source(source) };
        parse_regex(&spec.id, &source, spec.exact)?;
        let built = if spec.hold {
            build_prefix(&source, spec.exact).and_then(|dense| {
                if spec.keywords.iter().any(|keyword| keyword.len() < RARE) {
                    return Some(Self::Prefix(Arc::new(dense)));
                }
                dense.to_sparse().ok().map(|sparse| Self::Rare(Arc::new(sparse)))
            })
        } else {
            build_window(&source, spec.exact).map(|_| {
                let (exact, regex) = (spec.exact, OnceLock::new());
                Self::Window(Arc::new(Window { source, exact, regex }))
            })
        };
        built.ok_or_else(|| PatternError {
            pattern: spec.id.clone(),
            message: "the regex is too complex".into(),
            help: "shorten its alternatives and counted repetitions".into(),
        })
    }
}

fn build_prefix(source: &str, exact: bool) -> Option<dense::DFA<Vec<u32>>> {
    let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(NFA_LIMIT));
    let dfa = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .dfa_size_limit(Some(DFA_LIMIT))
        .determinize_size_limit(Some(4 * DFA_LIMIT));
    dense::Builder::new()
        .syntax(syntax_config(exact))
        .thompson(nfa)
        .configure(dfa)
        .build(source)
        .ok()
}

fn build_window(source: &str, exact: bool) -> Option<meta::Regex> {
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(NFA_LIMIT));
    meta::Builder::new().syntax(syntax_config(exact)).configure(config).build(source).ok()
}
