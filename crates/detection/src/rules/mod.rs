//! Detection content: what rules say, checked strictly with line numbers, then compiled.

mod check;
mod correlation;
mod document;
mod load;
mod lower;
mod section;
mod set;

pub use check::{Diagnostic, Level};
pub use load::{ContentErrors, lint};
pub use section::{Example, Examples, Turn};
pub use set::{RuleInfo, RuleSet, Runs};

pub(crate) use correlation::{Aggregate, Correlation};
