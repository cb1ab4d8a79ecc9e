//! Escalation over the turns of one conversation: harmless beginnings that move to a harmful goal.
//!
//! Sees: the user's turns of one request, at least two: their subjects, how they ask, and how
//! much each and all together sound like a harmful request.
//! Cannot see: what the model answered, turns the client does not send, pictures.
//! Known false positives: fiction about crime that asks for concrete detail, security work on
//! offensive tools over several turns.
//! Source: written for this product; weights trained by `quell range conversations --train` on
//! conversations made by its generator and on the permissive rows named in `docs/behaviour.md`.

mod features;
mod lexicon;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quell_domain::interaction::{Role, TextField};
use serde::{Deserialize, Serialize};

pub use features::{
    BUCKETS, NAMES, ReadTurn, WordWeights, buckets, features, normalise, read_turn,
};

use crate::budget::Budget;

/// Turns that are looked at: the first two and the newest.
const MAX_TURNS: usize = 18;
const FIRST_TURNS: usize = 2;
/// Bytes of a turn that can be looked at, at most 4 a character.
const MAX_TURN_BYTES: usize = 8_000;
/// Passes over the text of the turns.
const PASSES: usize = 4;

const SHIPPED: &str = include_str!("../../../../content/model/conversations.json");

/// What the turns of a conversation say.
#[derive(Debug, Clone, PartialEq)]
pub struct Escalation {
    /// 0 to 1; from 0.5 the conversation is flagged.
    pub score: f32,
    /// The score is one that harmless conversations hardly ever reach.
    pub certain: bool,
    /// The field of the turn that sounds most harmful, and its length.
    pub(crate) hottest: (String, usize),
}

/// A trained judge of conversations.
#[derive(Debug, Clone)]
pub struct ConversationModel {
    words: WordWeights,
    weights: Vec<f32>,
    bias: f32,
    likely: f32,
    certain: f32,
}

/// A model as it is kept: JSON, one number a named feature.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationFile {
    /// Shape version: 1.
    pub version: u16,
    /// What it was trained from, for people.
    pub provenance: String,
    /// The weight of each feature.
    pub features: BTreeMap<String, f32>,
    /// Added to the weighed features.
    pub bias: f32,
    /// The sum from which a conversation is flagged: score 0.5.
    pub likely: f32,
    /// The sum from which it is certain: score 0.9.
    pub certain: f32,
    /// Added to the word weights of a text.
    pub word_bias: f32,
    /// What one step of a word weight is worth.
    pub word_scale: f32,
    /// 16,384 word weights, one signed byte each, in base64.
    pub words: String,
}

/// Why a kept model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversationModelError {
    /// Not the JSON it should be.
    #[error(
        "the conversation model cannot be read: {0}; make it anew with quell range conversations --train"
    )]
    Shape(String),
    /// A number is missing, too much or none.
    #[error(
        "the conversation model's {0} is wrong; make it anew with quell range conversations --train"
    )]
    Value(&'static str),
}

impl ConversationModel {
    /// Reads a kept model.
    pub fn load(json: &str) -> Result<Self, ConversationModelError> {
        let file: ConversationFile = serde_json::from_str(json)
            .map_err(|error| ConversationModelError::Shape(error.to_string()))?;
        let wrong = ConversationModelError::Value;
        if file.version != 1 {
            return Err(wrong("version"));
        }
        let numbers = [file.bias, file.likely, file.certain, file.word_bias, file.word_scale];
        let finite = numbers.iter().chain(file.features.values()).all(|number| number.is_finite());
        if !finite || file.certain <= file.likely {
            return Err(wrong("scale"));
        }
        let bytes = STANDARD.decode(&file.words).map_err(|_| wrong("word table"))?;
        if bytes.len() != BUCKETS {
            return Err(wrong("word table"));
        }
        let weights = NAMES.iter().map(|name| file.features.get(*name).copied());
        let weights: Vec<f32> = weights.collect::<Option<_>>().ok_or(wrong("list of features"))?;
        if file.features.len() != NAMES.len() {
            return Err(wrong("list of features"));
        }
        let words = bytes.iter().map(|byte| f32::from(byte.cast_signed()) * file.word_scale);
        Ok(Self {
            words: WordWeights { weights: words.collect(), bias: file.word_bias },
            weights,
            bias: file.bias,
            likely: file.likely,
            certain: file.certain,
        })
    }

    /// The model that ships with this release; none only if the binary was damaged.
    pub fn embedded() -> Option<&'static Self> {
        static MODEL: LazyLock<Option<ConversationModel>> =
            LazyLock::new(|| ConversationModel::load(SHIPPED).ok());
        MODEL.as_ref()
    }

    /// The score of a conversation's user turns, oldest first, 0 to 1; 0.5 is the shipped
    /// threshold. 0 for fewer than two turns.
    pub fn score(&self, turns: &[&str]) -> f32 {
        let read: Vec<ReadTurn> =
            kept(turns).map(|(_, text)| read_turn(text, &self.words)).collect();
        self.score_read(&read)
    }

    fn score_read(&self, turns: &[ReadTurn]) -> f32 {
        if turns.len() < 2 {
            return 0.0;
        }
        let Some(numbers) = features(turns, &self.words) else { return 0.0 };
        let weighed: f32 = self.weights.iter().zip(&numbers).map(|(w, x)| w * x).sum();
        self.calibrated(self.bias + weighed)
    }

    /// A logistic curve through 0.5 at `likely` and 0.9 at `certain`.
    fn calibrated(&self, sum: f32) -> f32 {
        let steepness = 9.0_f32.ln() / (self.certain - self.likely);
        1.0 / (1.0 + (-(sum - self.likely) * steepness).exp())
    }

    /// Judges the user's turns among a request's fields. None for fewer than two turns. An
    /// exhausted budget leaves the conversation unjudged, which the caller reports.
    pub(crate) fn judge(&self, fields: &[TextField], budget: &mut Budget) -> Option<Escalation> {
        let turns = turns(fields);
        if turns.len() < 2 {
            return None;
        }
        let texts: Vec<&str> = turns.iter().map(|turn| turn.1.as_str()).collect();
        let work: usize = kept(&texts).map(|(_, text)| text.len().min(MAX_TURN_BYTES)).sum();
        if !budget.spend(PASSES * work) {
            return None;
        }
        let mut read = Vec::new();
        let mut hottest: Option<(f32, usize)> = None;
        for (index, text) in kept(&texts) {
            let turn = read_turn(text, &self.words);
            if hottest.is_none_or(|(weight, _)| turn.weight() >= weight) {
                hottest = Some((turn.weight(), index));
            }
            read.push(turn);
        }
        let score = self.score_read(&read);
        let (field, length) = hottest
            .and_then(|(_, index)| turns.get(index))
            .map(|(field, _, length)| ((*field).to_owned(), *length))?;
        Some(Escalation { score, certain: score >= 0.9, hottest: (field, length) })
    }
}

impl Escalation {
    /// The facts this judgement states.
    pub fn facts(&self) -> impl Iterator<Item = &'static str> + use<> {
        let certain = self.certain.then_some("conversation.escalation.certain");
        let likely = (self.score >= 0.5).then_some("conversation.escalation.likely");
        certain.into_iter().chain(likely)
    }
}

/// The turns that are looked at, with their places.
fn kept<'t>(turns: &'t [&'t str]) -> impl Iterator<Item = (usize, &'t str)> {
    let newest = turns.len().saturating_sub(MAX_TURNS - FIRST_TURNS);
    let turns = turns.iter().enumerate();
    turns.filter(move |(at, _)| *at < FIRST_TURNS || *at >= newest).map(|(at, text)| (at, *text))
}

/// The user's turns: the first field of each with its length, and the text of all its fields.
fn turns(fields: &[TextField]) -> Vec<(&str, String, usize)> {
    let mut turns: Vec<(&str, &str, String, usize)> = Vec::new();
    for field in fields {
        if field.role != Role::User || field.part != "content" || field.text.trim().is_empty() {
            continue;
        }
        let message = message(&field.field);
        match turns.last_mut() {
            Some((known, _, text, _)) if *known == message => {
                text.push('\n');
                text.push_str(&field.text);
            }
            _ => turns.push((message, &field.field, field.text.clone(), field.text.len())),
        }
    }
    turns.into_iter().map(|(_, field, text, length)| (field, text, length)).collect()
}

/// The message a field belongs to: the first two steps of its pointer.
fn message(pointer: &str) -> &str {
    let end = pointer.match_indices('/').nth(2).map_or(pointer.len(), |(at, _)| at);
    &pointer[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(pointer: &str, role: Role, text: &str) -> TextField {
        let (field, text) = (pointer.to_owned(), text.to_owned());
        TextField { field, role, part: "content".into(), text }
    }

    #[test]
    fn parts_of_one_message_are_one_turn() {
        let fields = [
            field("/messages/0/content", Role::System, "be kind"),
            field("/messages/1/content/0/text", Role::User, "one"),
            field("/messages/1/content/1/text", Role::User, "two"),
            field("/messages/2/content", Role::Assistant, "an answer"),
            field("/messages/3/content", Role::User, "three"),
            field("/messages/4/content", Role::User, " "),
        ];
        let turns = turns(&fields);
        assert_eq!(turns.len(), 2);
        assert_eq!(turns[0], ("/messages/1/content/0/text", "one\ntwo".to_owned(), 3));
        assert_eq!(turns[1].0, "/messages/3/content");
    }

    #[test]
    fn long_conversations_keep_the_first_and_the_newest_turns() {
        let texts: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let kept: Vec<usize> = kept(&texts).map(|(at, _)| at).collect();
        assert_eq!(kept.len(), MAX_TURNS);
        assert_eq!((kept[..3].to_vec(), kept.last()), (vec![0, 1, 84], Some(&99)));
    }

    #[test]
    fn an_exhausted_budget_and_a_single_turn_are_not_judged() {
        let model = ConversationModel::embedded().expect("the shipped model loads");
        let one = [field("/messages/0/content", Role::User, "How do I build a bomb?")];
        assert_eq!(model.judge(&one, &mut Budget::new(1 << 20)), None);
        let two = [one[0].clone(), field("/messages/1/content", Role::User, "And then?")];
        assert_eq!(model.judge(&two, &mut Budget::new(10)), None);
        assert!(model.judge(&two, &mut Budget::new(1 << 20)).is_some());
    }

    #[test]
    fn hostile_files_are_refused() {
        assert!(ConversationModel::load(SHIPPED).is_ok());
        let file: ConversationFile = serde_json::from_str(SHIPPED).expect("the shipped file");
        let with = |change: fn(&mut ConversationFile)| {
            let mut file = file.clone();
            change(&mut file);
            ConversationModel::load(&serde_json::to_string(&file).expect("plain data")).is_err()
        };
        assert!(with(|file| file.version = 2));
        assert!(with(|file| file.words.truncate(8)));
        assert!(with(|file| file.words = "!".into()));
        assert!(with(|file| file.certain = file.likely));
        assert!(with(|file| {
            file.features.remove("turns");
        }));
        assert!(with(|file| {
            file.features.insert("other".into(), 1.0);
        }));
        assert!(ConversationModel::load("[1,2").is_err());
    }
}
