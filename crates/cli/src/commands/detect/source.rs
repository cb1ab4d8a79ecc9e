//! Reads lines of bounded length from a file or standard input, packed with gzip or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::Failure;

/// Longest line that is read. Longer ones are skipped and reported.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Lines of the input.
pub(super) struct Source {
    lines: Box<dyn BufRead>,
    number: u64,
    bar: ProgressBar,
}

/// One line of the input.
pub(super) enum Line {
    /// Its bytes, without the line end.
    Read(Vec<u8>),
    /// It was longer than [`LINE_BYTES_MAX`].
    TooLong,
}

impl Source {
    /// Opens `path`; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened or read.
    pub(super) fn open(path: &Path, quiet: bool) -> Result<Self, Failure> {
        let wrong = |error: io::Error| Failure::usage(format!("{}: {error}", path.display()));
        let bar = ProgressBar::new(0);
        let input: Box<dyn Read> = if path == Path::new("-") {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(wrong)?;
            bar.set_length(file.metadata().map_err(wrong)?.len());
            let shown = if quiet {
                ProgressDrawTarget::hidden()
            } else {
                ProgressDrawTarget::stderr_with_hz(5)
            };
            bar.set_draw_target(shown);
            Box::new(bar.wrap_read(file))
        };
        let template = "{elapsed:>4} [{bar:40}] {binary_bytes}/{binary_total_bytes} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let packed = input.fill_buf().map_err(wrong)?.starts_with(&[0x1f, 0x8b]);
        let lines: Box<dyn BufRead> = if packed {
            Box::new(BufReader::with_capacity(64 * 1024, MultiGzDecoder::new(input)))
        } else {
            Box::new(input)
        };
        Ok(Self { lines, number: 0, bar })
    }

    /// The next line that is not blank, with its number from 1.
    ///
    /// # Errors
    /// The input broke off.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        loop {
            let mut line = Vec::new();
            let limit = LINE_BYTES_MAX as u64 + 1;
            if self.lines.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if line.len() > LINE_BYTES_MAX {
                self.skip_line()?;
                return Ok(Some((self.number, Line::TooLong)));
            }
            if self.number == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3);
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, Line::Read(line))));
            }
        }
    }

    /// Shows how far it is.
    pub(super) fn say(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Prints to standard error, past the progress bar.
    pub(super) fn note(&self, text: &str) {
        self.bar.suspend(|| crate::output::note(text));
    }

    /// Takes the progress bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.lines.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(place) => (place + 1, true),
                None => (buffer.len(), false),
            };
            self.lines.consume(used);
            if ended {
                return Ok(());
            }
        }
    }
}
