//! Detection content: what rules say, checked strictly with line numbers, then compiled.

mod check;
mod correlation;
mod diagnostic;
mod document;
mod filter;
mod info;
mod load;
mod lower;
mod references;
mod section;
mod set;
mod suggest;
mod trigger;

pub use diagnostic::{Diagnostic, Level};
pub use filter::FilterInfo;
pub use info::{RuleInfo, Runs};
pub use load::{ContentErrors, lint, modes_file};
pub use section::{Example, Examples, Turn};
pub use set::RuleSet;

pub(crate) use correlation::{Aggregate, Correlation, Total};
pub(crate) use set::Matched;
