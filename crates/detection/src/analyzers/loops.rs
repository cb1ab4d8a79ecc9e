//! Answers that say the same over and over: a model that loops, or recites what it was trained on.
//!
//! Sees: eighty words in a row that stood in the answer before, word for word.
//! Cannot see: repetition with changed words; single words and characters, which `repetition` sees.
//! Known false positives: tables, code and verse with many equal lines.

use std::collections::HashSet;

use super::Raised;
use super::words::{Ring, Word};

/// Words in a row that were said before.
const RUN: usize = 80;
/// Shingles remembered; an answer that is longer is judged by these.
const MAX_SHINGLES: usize = 8_192;

/// The analyzer's state in one field.
#[derive(Debug, Default)]
pub(crate) struct Loops {
    window: Ring,
    said: HashSet<u64>,
    run: usize,
    start: usize,
    raised: bool,
}

impl Loops {
    /// Takes the next word.
    pub(crate) fn word(&mut self, word: Word, out: &mut Vec<Raised>) {
        if self.raised {
            return;
        }
        let Some((shingle, first)) = self.window.add(word.hash, word.start) else {
            return;
        };
        let known = if self.said.len() < MAX_SHINGLES {
            !self.said.insert(shingle)
        } else {
            self.said.contains(&shingle)
        };
        if !known {
            self.run = 0;
            return;
        }
        if self.run == 0 {
            self.start = first;
        }
        self.run += 1;
        if self.run == RUN {
            self.raised = true;
            let fact = "output.loop";
            out.push(Raised { fact, start: self.start, end: word.end, trigger: word.end });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Words;
    use super::*;

    fn judged(text: &str) -> usize {
        let (mut loops, mut out) = (Loops::default(), Vec::new());
        Words::default().push(text, 0, |word| loops.word(word, &mut out));
        out.len()
    }

    #[test]
    fn a_text_that_comes_again_is_a_loop() {
        let line = "The pilot boards at the outer buoy and leaves the ship at the lock. ";
        assert_eq!(judged(&line.repeat(12)), 1);
        assert_eq!(judged(&line.repeat(4)), 0);
        let numbered: Vec<String> =
            (0..400).map(|n| format!("berth {n} holds {} metres", n * 7)).collect();
        let numbered = numbered.join("; ");
        assert_eq!(judged(&numbered), 0);
    }
}
