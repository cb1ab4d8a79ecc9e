//! Detection: analyzers and patterns state facts, Sigma rules decide over them, Sigma correlations
//! count over time.
//!
//! Invariants: nothing here does IO or reads a clock. Work is counted in bytes × passes against a
//! [`Budget`]. The same bytes give the same verdict, redactions and released text however a stream
//! is split (as long as the budget lasts).

mod alarm;
mod analyzers;
mod backtest;
mod behave;
mod budget;
mod cache;
pub mod classifier;
pub mod content;
pub mod conversation;
mod correlate;
mod decode;
mod disclosure;
mod event;
mod examples;
mod field;
mod fold;
mod import;
mod inspect;
mod join;
mod judge;
mod patterns;
mod review;
mod rules;
mod score;
mod second;
mod stream;
mod taxonomy;
mod validate;

pub use alarm::BaselineAlarm;
pub use analyzers::ANALYZER_FACTS;
pub use analyzers::noise::{SYMBOLS, symbol};
pub use backtest::Backtest;
pub use budget::Budget;
pub use cache::FieldCache;
pub use correlate::{Correlator, SnapshotUnreadable};
pub use decode::{Decoding, View, decode};
pub use event::{Context, FIELDS};
pub use examples::{ExampleFailure, ExampleReport, run_examples};
pub use import::{AtrImport, Refused, from_atr};
pub use inspect::{Decision, Findings, MeasureHit, Redaction, causes};
pub use patterns::{MAX_LEN, PatternError, PatternPack, PatternSet, PatternSpec};
pub use quell_behaviour::Saved as BehaviourState;
pub use review::Review;
pub use rules::{
    ContentErrors, Diagnostic, Example, Examples, FilterInfo, Level, RuleInfo, RuleSet, Runs, Turn,
    lint, modes_file,
};
pub use score::Scores;
pub use second::{Band, Second, SecondOpinion};
pub use stream::{CutReason, StreamInspection, StreamStep};
pub use taxonomy::{KindEntry, Taxonomy, TaxonomyError};
pub use validate::{Accepted, LOOK_BEHIND, Validator};
