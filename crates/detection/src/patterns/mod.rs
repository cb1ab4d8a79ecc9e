//! Text matching: keywords first, then one regex near each keyword, never a set of regexes over
//! the whole text. One engine serves whole texts and streams, so both give the same verdict.

mod compile;
mod keywords;
mod matcher;
mod scan;
mod spec;
mod track;

pub use compile::{PatternError, PatternSet};
pub use spec::{MAX_LEN, PatternPack, PatternSpec};

pub(crate) use compile::{Matchers, Subject, parse_regex};
pub(crate) use keywords::{Found, keywords_of};
pub(crate) use scan::{Hit, Scanner};
