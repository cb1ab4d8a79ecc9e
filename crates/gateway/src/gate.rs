//! Which part of a judged text may leave by the application's stream mode. The judgement itself
//! says how much it has cleared; the mode may keep back more, never less.

use std::collections::{HashMap, VecDeque};

use quell_domain::application::Application;
use quell_domain::streaming::{StreamMode, WindowUnit};

use crate::unescape::UNESCAPED;

/// What waits by the stream mode. Per text it keeps one byte a waiting character.
#[derive(Debug)]
pub(crate) struct Gate {
    mode: StreamMode,
    unit: WindowUnit,
    chars: usize,
    texts: HashMap<String, Text>,
    /// The text each voice (a choice; the whole answer elsewhere) spoke last.
    speaking: HashMap<String, String>,
}

#[derive(Debug, Default)]
struct Text {
    seen: usize,
    /// Cleared by the judgement.
    judged: usize,
    /// End of the last window that was judged.
    windowed: usize,
    /// End of a window that is over and not judged yet.
    next: Option<usize>,
    /// Lengths of the characters behind both.
    waiting: VecDeque<u8>,
    before: Option<char>,
}

impl Gate {
    /// The gate of one stream of `application`.
    pub(crate) fn new(application: Option<&Application>) -> Self {
        let settings = application.map(|application| &application.stream);
        Self {
            mode: settings.map_or(StreamMode::Live, |settings| settings.mode),
            unit: settings.map_or(WindowUnit::Sentence, |settings| settings.window),
            chars: settings.map_or(0, |settings| settings.window_chars as usize),
            texts: HashMap::new(),
            speaking: HashMap::new(),
        }
    }

    /// Its mode now.
    pub(crate) const fn mode(&self) -> StreamMode {
        self.mode
    }

    /// From now on everything judged may leave. Gives what that frees.
    pub(crate) fn open(&mut self) -> Vec<(String, usize)> {
        self.mode = StreamMode::Live;
        self.texts.drain().map(|(field, text)| (field, text.judged)).collect()
    }

    /// The judgement has cleared `field` up to `bytes`. How much of it may leave.
    pub(crate) fn judged(&mut self, field: &str, bytes: usize) -> usize {
        match self.mode {
            StreamMode::Live => bytes,
            StreamMode::Buffered if !self.texts.contains_key(field) => {
                self.texts.insert(field.to_owned(), Text { judged: bytes, ..Text::default() });
                0
            }
            StreamMode::Window | StreamMode::Buffered => {
                let Some(text) = self.texts.get_mut(field) else { return bytes };
                text.judged = text.judged.max(bytes);
                if self.mode == StreamMode::Buffered { 0 } else { text.free() }
            }
        }
    }

    /// More text of `field`. Gives the windows that are over with it: of this text, and of the one
    /// the same voice spoke before. Each is to be judged, then [passed](Gate::pass).
    pub(crate) fn heard(&mut self, field: &str, piece: &str) -> Vec<Over> {
        let mut over = Vec::new();
        if self.mode != StreamMode::Window {
            return over;
        }
        let text = self.texts.entry(field.to_owned()).or_default();
        if text.hear(piece, self.unit, self.chars) {
            let ended = text.next == Some(text.seen);
            over.push(Over { field: field.to_owned(), ended });
        }
        let base = field.strip_suffix(UNESCAPED).unwrap_or(field);
        let voice = voice(base);
        let spoken = self.speaking.get_mut(voice).filter(|spoken| *spoken != base);
        if let Some(spoken) = spoken {
            let before = std::mem::replace(spoken, base.to_owned());
            for field in [format!("{before}{UNESCAPED}"), before] {
                if let Some(text) = self.texts.get_mut(&field) {
                    text.next = Some(text.seen);
                    text.waiting.clear();
                    over.push(Over { field, ended: true });
                }
            }
        } else if !self.speaking.contains_key(voice) {
            self.speaking.insert(voice.to_owned(), base.to_owned());
        }
        over
    }

    /// A window of `field` was judged. How much of the field may leave.
    pub(crate) fn pass(&mut self, field: &str) -> usize {
        let Some(text) = self.texts.get_mut(field) else { return 0 };
        text.windowed = text.next.take().unwrap_or(text.windowed);
        text.free()
    }
}

/// A window that is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Over {
    /// The text it is of.
    pub field: String,
    /// Whether a sentence or the text itself ends at its end.
    pub ended: bool,
}

/// A choice speaks one text after the other; so does an answer that has no choices.
fn voice(field: &str) -> &str {
    let Some(rest) = field.strip_prefix("/choices/") else { return "" };
    let end = rest.find('/').map_or(field.len(), |slash| field.len() - rest.len() + slash);
    field.get(..end).unwrap_or_default()
}

impl Text {
    fn free(&self) -> usize {
        self.judged.min(self.windowed)
    }

    /// Takes a piece in. True: a window is over.
    fn hear(&mut self, piece: &str, unit: WindowUnit, chars: usize) -> bool {
        for char in piece.chars() {
            self.seen += char.len_utf8();
            self.waiting.push_back(char.len_utf8() as u8);
            if unit == WindowUnit::Sentence && self.ends_sentence(char) {
                self.next = Some(self.seen);
                self.waiting.clear();
            }
            self.before = Some(char);
        }
        // The newer half waits on, so that what spans the middle is seen whole.
        if self.waiting.len() >= 2 * chars.max(1) {
            self.waiting.drain(..self.waiting.len() - chars);
            let newer: usize = self.waiting.iter().map(|bytes| usize::from(*bytes)).sum();
            self.next = Some(self.seen - newer);
        }
        self.next.is_some()
    }

    /// Whether `char` is the first thing after a sentence, or the mark that ends one where no space
    /// follows.
    fn ends_sentence(&self, char: char) -> bool {
        let ended = || matches!(self.before, Some('.' | '!' | '?' | '…' | '؟' | '।' | '۔'));
        match char {
            '\n' | '。' | '！' | '？' | '｡' => true,
            space => space.is_whitespace() && ended(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(mode: StreamMode, window: WindowUnit, chars: u32) -> Gate {
        let mut application = Application::new("a", Vec::new());
        application.stream.mode = mode;
        application.stream.window = window;
        application.stream.window_chars = chars;
        Gate::new(Some(&application))
    }

    /// How far the only text may leave after each piece, all of it judged.
    fn heard(gate: &mut Gate, pieces: &[&str]) -> Vec<usize> {
        let mut end = 0;
        let mut last = 0;
        let step = |piece: &&str| {
            end += piece.len();
            let over = gate.heard("/x", piece);
            last = last.max(gate.judged("/x", end));
            for over in over {
                last = last.max(gate.pass(&over.field));
            }
            last
        };
        pieces.iter().map(step).collect()
    }

    #[test]
    fn characters_leave_in_blocks_with_the_newest_kept_back() {
        let mut gate = gate(StreamMode::Window, WindowUnit::Characters, 2);
        assert_eq!(heard(&mut gate, &["ab", "cdé", "f", "gh"]), [0, 3, 3, 7]);
    }

    #[test]
    fn sentences_leave_when_complete_or_too_long() {
        let mut window = gate(StreamMode::Window, WindowUnit::Sentence, 8);
        assert_eq!(heard(&mut window, &["One", ". T", "wo", "! ", "1.5"]), [0, 5, 5, 10, 10]);
        let mut window = gate(StreamMode::Window, WindowUnit::Sentence, 3);
        assert_eq!(heard(&mut window, &["abcdef", "\n"]), [3, 7]);
        let mut window = gate(StreamMode::Window, WindowUnit::Sentence, 8);
        assert_eq!(heard(&mut window, &["好。", "是"]), [6, 6]);
    }

    #[test]
    fn a_window_ends_where_the_voice_goes_on_to_another_text() {
        let mut gate = gate(StreamMode::Window, WindowUnit::Characters, 9);
        let reasoning = "/choices/0/message/reasoning";
        assert_eq!(gate.heard(reasoning, "hm"), []);
        assert_eq!(gate.judged(reasoning, 2), 0);
        assert_eq!(gate.heard("/choices/1/message/content", "x"), [], "another choice");
        let over = Over { field: reasoning.into(), ended: true };
        assert_eq!(gate.heard("/choices/0/message/content", "so"), [over]);
        assert_eq!(gate.pass(reasoning), 2);
    }

    #[test]
    fn buffered_keeps_everything_until_opened() {
        let mut gate = gate(StreamMode::Buffered, WindowUnit::Sentence, 9);
        assert_eq!(heard(&mut gate, &["One. ", "Two.\n"]), [0, 0]);
        assert_eq!(gate.open(), [("/x".to_owned(), 10)]);
        assert_eq!(gate.judged("/x", 11), 11);
    }
}
