//! Answers that change their script half-way.
//!
//! Sees: a stretch of at least 120 letters in one script followed by as many in another.
//! Cannot see: languages that share a script.
//! Known false positives: translations and language lessons; a fact, not a judgement.

use super::Raised;

/// Letters of one script in a row, marks and white space left out, that make a stretch.
const STRETCH: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
    Indic,
    Thai,
    EastAsian,
}

/// The analyzer's state in one field.
#[derive(Debug, Default)]
pub(crate) struct Language {
    script: Option<Script>,
    letters: usize,
    start: usize,
    settled: Option<Script>,
    raised: bool,
}

impl Language {
    /// Looks at text that stands at `at`.
    pub(crate) fn push(&mut self, text: &str, at: usize, out: &mut Vec<Raised>) {
        if self.raised {
            return;
        }
        if text.is_ascii() && self.script == Some(Script::Latin) && self.settled == self.script {
            return;
        }
        for (offset, c) in text.char_indices() {
            let Some(script) = script(c) else {
                continue;
            };
            if self.script == Some(script) {
                self.letters += 1;
            } else {
                (self.script, self.letters, self.start) = (Some(script), 1, at + offset);
            }
            if self.letters == STRETCH {
                if self.settled.is_some_and(|settled| settled != script) {
                    self.raised = true;
                    let end = at + offset + c.len_utf8();
                    let fact = "output.script_switch";
                    out.push(Raised { fact, start: self.start, end, trigger: end });
                    return;
                }
                self.settled = Some(script);
            }
        }
    }
}

const fn script(c: char) -> Option<Script> {
    Some(match c {
        'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{24f}' => Script::Latin,
        '\u{370}'..='\u{3ff}' => Script::Greek,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        '\u{590}'..='\u{5ff}' => Script::Hebrew,
        '\u{600}'..='\u{6ff}' => Script::Arabic,
        '\u{900}'..='\u{dff}' => Script::Indic,
        '\u{e00}'..='\u{e7f}' => Script::Thai,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' => {
            Script::EastAsian
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> usize {
        let (mut language, mut out) = (Language::default(), Vec::new());
        for (at, c) in text.char_indices() {
            language.push(&text[at..at + c.len_utf8()], at, &mut out);
        }
        out.len()
    }

    #[test]
    fn a_long_stretch_in_another_script_is_a_switch() {
        let latin = "The tide is high at noon and low in the evening. ".repeat(6);
        let cyrillic = "Прилив начинается в полдень и кончается вечером. ".repeat(6);
        assert_eq!(judged(&format!("{latin}{cyrillic}")), 1);
        assert_eq!(judged(&latin), 0);
        assert_eq!(judged(&format!("{latin}Прилив. {latin}")), 0);
    }
}
