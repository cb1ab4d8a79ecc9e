//! What can be wrong with bytes on the wire. Texts name the place, never the content.

use thiserror::Error;

/// Why a body or a frame could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// Bytes that are not UTF-8.
    #[error("not valid UTF-8 at byte {offset}; send the body as UTF-8")]
    InvalidUtf8 {
        /// First offending byte.
        offset: usize,
    },
    /// Not JSON.
    #[error("malformed JSON at line {line} column {column}: {what}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser expected.
        what: String,
    },
    /// Two parsers could read such an object differently.
    #[error("an object key is repeated at line {line} column {column}; send each key once")]
    DuplicateKey {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Nested too deeply.
    #[error("nested deeper than {limit} levels at line {line} column {column}; flatten the body")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A known field has the wrong type.
    #[error("`{pointer}` must be {expected}")]
    WrongType {
        /// The field; `/` is the body itself.
        pointer: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A required field is absent.
    #[error("`{pointer}` is required")]
    Missing {
        /// The field.
        pointer: String,
    },
    /// More JSON values than are read.
    #[error("more than {limit} JSON values; send a smaller body")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// More text fields than are inspected, or fields at places too long to name.
    #[error("more than {limit} text fields; send fewer messages, parts or tools, and shorter keys")]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// One server-sent event is too large.
    #[error("a server-sent event is larger than {limit} bytes")]
    FrameTooLarge {
        /// The limit.
        limit: usize,
    },
    /// A byte order mark where none belongs: readers disagree on what follows it.
    #[error("a server-sent event has a line that starts with a byte order mark")]
    StrayMark,
    /// A stream ended inside an event.
    #[error("the stream ended inside a server-sent event")]
    Truncated,
    /// More parallel texts in one stream than are followed.
    #[error("more than {limit} parallel texts in one stream")]
    TooManyChannels {
        /// The limit.
        limit: usize,
    },
}

impl WireError {
    /// A `WrongType` at `pointer`.
    pub(crate) fn wrong(pointer: impl Into<String>, expected: &'static str) -> Self {
        let pointer = pointer.into();
        let pointer = if pointer.is_empty() { "/".into() } else { pointer };
        Self::WrongType { pointer, expected }
    }
}
