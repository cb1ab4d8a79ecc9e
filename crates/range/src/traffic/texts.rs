//! Texts of one part of the detection corpora, by what traffic needs them for.

use std::collections::BTreeSet;
use std::path::Path;

use crate::conversations::corpus::{CorpusError, Row, rows};
use crate::dice::Dice;

/// Bytes of one text that are used.
const MAX_TEXT: usize = 8_000;

/// Texts by use. All come from one part.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    everyday: Vec<String>,
    hard: Vec<String>,
    roles: Vec<String>,
    code: Vec<String>,
    contested: Vec<String>,
    documents: Vec<String>,
    jailbreaks: Vec<String>,
    extractions: Vec<String>,
    injected: Vec<String>,
    encoded: Vec<String>,
    identifiers: Vec<String>,
    secrets: Vec<String>,
    words: Vec<String>,
    /// Whole harmful requests.
    pub(super) harmful: Vec<String>,
    /// Conversations that escalate; empty where the part has none.
    pub(super) escalations: Vec<Vec<String>>,
}

impl Texts {
    /// Reads the part in `folder`.
    pub fn read(folder: &Path) -> Result<Self, CorpusError> {
        let mut texts = Self::default();
        for row in rows(folder, "text")? {
            texts.sort(&row);
        }
        let attacks = |name: &str| -> Result<Vec<String>, CorpusError> {
            Ok(rows(folder, name)?
                .into_iter()
                .filter(Row::is_attack)
                .map(|row| cut(&row))
                .collect())
        };
        texts.encoded = attacks("obfuscated")?;
        texts.identifiers = attacks("pii")?;
        texts.secrets = attacks("secrets")?;
        texts.harmful = attacks("harmful")?;
        texts.escalations = rows(folder, "multi_turn")?
            .into_iter()
            .filter(|row| row.is_attack() && row.turns.len() > 1)
            .map(|row| row.turns)
            .collect();
        let mut words: BTreeSet<String> = BTreeSet::new();
        for word in texts.everyday.iter().flat_map(|text| text.split_whitespace()) {
            if word.len() > 3 && word.chars().all(|c| c.is_ascii_lowercase()) {
                words.insert(word.to_owned());
            }
        }
        texts.words = words.into_iter().collect();
        Ok(texts)
    }

    fn sort(&mut self, row: &Row) {
        let place = match (row.family.as_str(), row.source.as_str()) {
            _ if row.contested => &mut self.contested,
            ("benign", "humaneval") => &mut self.code,
            ("benign", _) => &mut self.everyday,
            ("hard_negative", "gpteacher-roleplay" | "plexpt-actas") => &mut self.roles,
            ("hard_negative", _) => &mut self.hard,
            ("benign_document", _) => &mut self.documents,
            ("jailbreak" | "direct_injection", _) => &mut self.jailbreaks,
            ("system_prompt_extraction", _) => &mut self.extractions,
            ("indirect_injection", _) => &mut self.injected,
            _ => return,
        };
        place.push(cut(row));
    }

    /// A question of an ordinary person: the shares of the benign mix.
    pub(super) fn ordinary(&self, dice: &mut Dice) -> String {
        let share = dice.below(1_000);
        let from = match share {
            0..60 if !self.roles.is_empty() => &self.roles,
            60..90 => &self.hard,
            90..110 => return format!("My data: {}", pick(dice, &self.identifiers)),
            110..113 => return format!("Why does this fail? {}", pick(dice, &self.secrets)),
            113..120 if !self.contested.is_empty() => &self.contested,
            _ => &self.everyday,
        };
        pick(dice, from)
    }

    pub(super) fn code(&self, dice: &mut Dice) -> String {
        pick(dice, if self.code.is_empty() { &self.everyday } else { &self.code })
    }
    pub(super) fn document(&self, dice: &mut Dice) -> String {
        pick(dice, &self.documents)
    }
    pub(super) fn jailbreak(&self, dice: &mut Dice) -> String {
        pick(dice, &self.jailbreaks)
    }
    pub(super) fn extraction(&self, dice: &mut Dice) -> String {
        pick(dice, &self.extractions)
    }
    pub(super) fn encoded(&self, dice: &mut Dice) -> String {
        pick(dice, &self.encoded)
    }
    pub(super) fn secret(&self, dice: &mut Dice) -> String {
        pick(dice, &self.secrets)
    }
    pub(super) fn injected(&self, dice: &mut Dice) -> Option<String> {
        (!self.injected.is_empty()).then(|| pick(dice, &self.injected))
    }
    pub(super) fn word(&self, number: usize) -> &str {
        let place = number.checked_rem(self.words.len()).unwrap_or(0);
        self.words.get(place).map_or("nothing", String::as_str)
    }
}

fn pick(dice: &mut Dice, of: &[String]) -> String {
    of.get(dice.below(of.len())).cloned().unwrap_or_default()
}

fn cut(row: &Row) -> String {
    let end = row.text.floor_char_boundary(MAX_TEXT.min(row.text.len()));
    row.text[..end].to_owned()
}
