//! Server-sent events, as the WHATWG standard reads them, incrementally.
//!
//! The same bytes give the same frames however they are split.

use bytes::{Bytes, BytesMut};

use crate::error::WireError;

/// Largest event that is read, unless another limit is given.
pub const MAX_FRAME: usize = 1024 * 1024;

/// One event, or a block of comments (then `data` is empty).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last `event:` field.
    pub event: Option<String>,
    /// All `data:` fields, joined by line feeds.
    pub data: String,
    /// The bytes as received, with the blank line that ends them.
    pub raw: Bytes,
}

impl Frame {
    /// Whether a client dispatches it: blocks without data are only comments.
    pub fn is_event(&self) -> bool {
        !self.data.is_empty()
    }
}

/// Turns chunks into frames.
#[derive(Debug)]
pub struct SseParser {
    buffer: BytesMut,
    limit: usize,
    /// Where the line that is being read starts.
    line: usize,
    /// How far the buffer was searched.
    searched: usize,
    started: bool,
    /// Whether the last line ended in a lone carriage return.
    lone_return: bool,
    /// Whether the last frame ended in a lone carriage return: a line feed after it is its.
    swallow: bool,
}

impl Default for SseParser {
    fn default() -> Self {
        Self::new(MAX_FRAME)
    }
}

impl SseParser {
    /// A parser that refuses events larger than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            limit,
            line: 0,
            searched: 0,
            started: false,
            lone_return: false,
            swallow: false,
        }
    }

    /// Adds received bytes. Take every frame with [`SseParser::next_frame`] before adding more.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next complete frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        self.advance(false)
    }

    /// The stream ended. Gives the frame that was complete but for the rest of a line ending;
    /// anything else left over is an error, because no client would dispatch it.
    pub fn finish(&mut self) -> Result<Option<Frame>, WireError> {
        let last = self.advance(true)?;
        if last.is_none() && !self.buffer.is_empty() {
            return Err(WireError::Truncated);
        }
        Ok(last)
    }

    fn advance(&mut self, ended: bool) -> Result<Option<Frame>, WireError> {
        if !self.begin(ended) {
            return Ok(None);
        }
        while let Some((end, next)) = self.line_end(ended) {
            let blank = end == self.line;
            let first = self.line == 0;
            self.lone_return = next == end + 1 && self.buffer[end] == b'\r';
            if next > self.limit {
                return Err(WireError::FrameTooLarge { limit: self.limit });
            }
            self.line = next;
            self.searched = next;
            if !blank {
                continue;
            }
            self.swallow = self.lone_return;
            let raw = self.buffer.split_to(next).freeze();
            self.line = 0;
            self.searched = 0;
            if !first {
                self.lone_return = false;
                return frame(raw).map(Some);
            }
            if !self.begin(ended) {
                return Ok(None);
            }
        }
        if self.buffer.len() > self.limit {
            return Err(WireError::FrameTooLarge { limit: self.limit });
        }
        Ok(None)
    }

    /// Whether there are bytes to read, past a byte order mark and the rest of a line ending.
    fn begin(&mut self, ended: bool) -> bool {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if !self.started {
            if self.buffer.len() < MARK.len() && MARK.starts_with(&self.buffer) && !ended {
                return false;
            }
            self.started = true;
            if self.buffer.starts_with(MARK) {
                let _ = self.buffer.split_to(MARK.len());
            }
        }
        if self.swallow && !self.buffer.is_empty() {
            self.swallow = false;
            if self.buffer[0] == b'\n' {
                let _ = self.buffer.split_to(1);
            }
        }
        !self.buffer.is_empty()
    }

    /// Where the present line ends, and where the next begins.
    fn line_end(&mut self, ended: bool) -> Option<(usize, usize)> {
        let found = memchr::memchr2(b'\n', b'\r', &self.buffer[self.searched..]);
        let Some(end) = found.map(|offset| self.searched + offset) else {
            self.searched = self.buffer.len();
            return None;
        };
        self.searched = end;
        if self.buffer[end] == b'\n' {
            return Some((end, end + 1));
        }
        // A blank line of a stream that uses lone carriage returns is complete at once; a line feed
        // that follows is dropped, so that the chunking does not show.
        if end == self.line && self.lone_return {
            return Some((end, end + 1));
        }
        match self.buffer.get(end + 1) {
            Some(b'\n') => Some((end, end + 2)),
            Some(_) => Some((end, end + 1)),
            None if ended => Some((end, end + 1)),
            None => None,
        }
    }
}

fn frame(raw: Bytes) -> Result<Frame, WireError> {
    let text = std::str::from_utf8(&raw)
        .map_err(|error| WireError::InvalidUtf8 { offset: error.valid_up_to() })?;
    let mut event = None;
    let mut data: Option<String> = None;
    for line in lines(text) {
        if line.starts_with('\u{feff}') {
            return Err(WireError::StrayMark);
        }
        match field(line) {
            ("data", value) => match &mut data {
                None => data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            ("event", value) => event = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(Frame { event, data: data.unwrap_or_default(), raw })
}

/// The lines of a block, without the blank one that ends it.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = memchr::memchr2(b'\n', b'\r', rest.as_bytes())?;
        let (line, ending) = rest.split_at(end);
        rest = ending.strip_prefix("\r\n").unwrap_or_else(|| &ending[1..]);
        Some(line)
    })
    .filter(|line| !line.is_empty())
}

/// A line's field name and value.
pub(crate) fn field(line: &str) -> (&str, &str) {
    match memchr::memchr(b':', line.as_bytes()) {
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], value.strip_prefix(' ').unwrap_or(value))
        }
        None => (line, ""),
    }
}
