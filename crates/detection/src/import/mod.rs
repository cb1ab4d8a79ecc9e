//! Rules of other projects, translated into Quell's content.

mod atr;
mod regex;

pub use atr::{AtrImport, Refused, from_atr};
