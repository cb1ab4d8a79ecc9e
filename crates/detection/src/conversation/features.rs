//! What a conversation looks like, as numbers. Training and judging use the same functions.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::lexicon::{CLASSES, Class, PHRASES};

/// Rows of the table of word weights.
pub const BUCKETS: usize = 1 << 14;
/// Characters of one turn that are looked at.
const MAX_CHARS: usize = 2_000;
/// Words of one turn that are weighed.
const MAX_WORDS: usize = 300;
/// Words of each turn in the joined text, newest turn first.
const JOINED_WORDS: usize = 60;
/// Words of each of the last turns when they are read as one.
const RECENT_WORDS: usize = 100;
/// Turns that are read as one.
const RECENT_TURNS: usize = 3;
/// Words shorter than this do not hold turns together.
const CONTENT_CHARS: usize = 4;

/// Names of the numbers of [`features`], in order.
pub const NAMES: [&str; 40] = [
    "topic.max",
    "topic.last",
    "topic.mean",
    "topic.first",
    "topic.share",
    "harm.max",
    "harm.last",
    "harm.mean",
    "harm.rise",
    "weight.max",
    "weight.last",
    "weight.mean",
    "weight.first",
    "weight.second",
    "weight.joined",
    "weight.recent",
    "evasion",
    "concrete",
    "form",
    "fiction",
    "excuse",
    "more",
    "back",
    "pressure",
    "target",
    "topic_then.concrete",
    "topic_then.form",
    "topic_then.fiction",
    "topic_then.more",
    "topic_then.target",
    "topic_then.evasion",
    "harm_with.form",
    "harm_with.concrete",
    "harm_with.evasion",
    "harm_with.target",
    "topic_then.excuse",
    "cohesion",
    "turns",
    "length",
    "weight.positive_share",
];

/// Word weights: a linear model of harmful requests over hashed words, word beginnings and pairs.
#[derive(Debug, Clone)]
pub struct WordWeights {
    /// One weight a bucket, [`BUCKETS`] of them.
    pub weights: Vec<f32>,
    /// Added to every text.
    pub bias: f32,
}

impl WordWeights {
    /// How much a normalised text sounds like a harmful request, -6 to 6; above 0: rather yes.
    pub fn weigh(&self, line: &str) -> f32 {
        let buckets = buckets(line);
        let scale = 1.0 / (buckets.len() as f32).sqrt().max(1.0);
        let weights = buckets.iter().filter_map(|bucket| self.weights.get(*bucket));
        (self.bias + scale * weights.sum::<f32>()).clamp(-6.0, 6.0)
    }
}

/// One user turn, read.
#[derive(Debug, Clone)]
pub struct ReadTurn {
    line: String,
    counts: [f32; CLASSES],
    weight: f32,
}

struct Phrases {
    automaton: AhoCorasick,
    classes: Vec<Class>,
}

/// Phrases as they stand in a normalised text. An automaton that cannot be built finds nothing;
/// a test builds it.
static LEXICON: LazyLock<Option<Phrases>> = LazyLock::new(|| {
    let (mut classes, mut patterns) = (Vec::new(), Vec::new());
    for (class, phrases) in PHRASES {
        for phrase in *phrases {
            let end = if phrase.ends_with('*') { "" } else { " " };
            patterns.push(format!(" {}{end}", normalise(phrase).trim()));
            classes.push(*class);
        }
    }
    Some(Phrases { automaton: AhoCorasick::new(&patterns).ok()?, classes })
});

/// The text as lower-case words between single spaces, with a space before and after; characters
/// of unspaced scripts are words of their own. Reads the first 2,000 characters.
pub fn normalise(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_CHARS) + 2);
    line.push(' ');
    for c in text.chars().take(MAX_CHARS) {
        if c.is_ascii_alphanumeric() || c == '\'' {
            line.push(c.to_ascii_lowercase());
        } else if is_unspaced(c) {
            if !line.ends_with(' ') {
                line.push(' ');
            }
            line.push(c);
            line.push(' ');
        } else if c.is_alphanumeric() {
            line.extend(c.to_lowercase());
        } else if !line.ends_with(' ') {
            line.push(' ');
        }
    }
    if !line.ends_with(' ') {
        line.push(' ');
    }
    line
}

const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}')
}

/// The table rows of a normalised text: its words, their first 5 characters, pairs of words; each
/// once, sorted.
pub fn buckets(line: &str) -> Vec<usize> {
    let mut rows = Vec::new();
    let mut before: Option<&str> = None;
    for word in line.split_ascii_whitespace().take(MAX_WORDS) {
        rows.push(row(&[word], 1));
        if let Some((end, _)) = word.char_indices().nth(5) {
            rows.push(row(&[&word[..end]], 2));
        }
        if let Some(before) = before {
            rows.push(row(&[before, " ", word], 3));
        }
        before = Some(word);
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn row(parts: &[&str], seed: u64) -> usize {
    let bytes = parts.iter().flat_map(|part| part.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as usize % BUCKETS
}

/// Reads one turn.
pub fn read_turn(text: &str, words: &WordWeights) -> ReadTurn {
    let line = normalise(text);
    let mut counts = [0.0_f32; CLASSES];
    if let Some(phrases) = LEXICON.as_ref() {
        for found in phrases.automaton.find_overlapping_iter(&line) {
            if let Some(class) = phrases.classes.get(found.pattern().as_usize()) {
                counts[*class as usize] += 1.0;
            }
        }
    }
    let weight = words.weigh(&line);
    ReadTurn { line, counts, weight }
}

impl ReadTurn {
    /// How often a class was met, on a scale that flattens.
    fn level(&self, class: Class) -> f32 {
        self.counts[class as usize].min(6.0).ln_1p()
    }

    /// How much the turn sounds like a harmful request.
    pub const fn weight(&self) -> f32 {
        self.weight
    }
}

/// The numbers of a conversation, oldest turn first; none without turns.
pub fn features(turns: &[ReadTurn], words: &WordWeights) -> Option<[f32; NAMES.len()]> {
    use Class::{
        Back, Concrete, Evasion, Excuse, Fiction, Form, Harm, More, Pressure, Target, Topic,
    };
    let (first, last) = (turns.first()?, turns.last()?);
    let n = turns.len() as f32;
    let max = |class| turns.iter().map(|turn| turn.level(class)).fold(0.0, f32::max);
    let mean = |class| turns.iter().map(|turn| turn.level(class)).sum::<f32>() / n;
    let share = |holds: fn(&ReadTurn) -> bool| turns.iter().filter(|t| holds(t)).count() as f32 / n;
    let mut weights: Vec<f32> = turns.iter().map(|turn| turn.weight).collect();
    let weight_mean = weights.iter().sum::<f32>() / n;
    weights.sort_by(|a, b| b.total_cmp(a));
    let at = |index: usize| weights.get(index.min(turns.len() - 1)).copied().unwrap_or(0.0);
    let (then, with) = (|class| topic_then(turns, class), |class| harm_with(turns, class));
    Some([
        max(Topic),
        last.level(Topic),
        mean(Topic),
        first.level(Topic),
        share(|turn| turn.counts[Topic as usize] + turn.counts[Harm as usize] > 0.0),
        max(Harm),
        last.level(Harm),
        mean(Harm),
        last.level(Harm) - first.level(Harm),
        at(0),
        last.weight,
        weight_mean,
        first.weight,
        at(1),
        words.weigh(&joined(turns.iter().rev(), JOINED_WORDS)),
        words.weigh(&joined(
            turns.iter().skip(turns.len().saturating_sub(RECENT_TURNS)),
            RECENT_WORDS,
        )),
        mean(Evasion),
        mean(Concrete),
        mean(Form),
        mean(Fiction),
        mean(Excuse),
        mean(More),
        mean(Back),
        max(Pressure),
        mean(Target),
        then(Concrete),
        then(Form),
        then(Fiction),
        then(More),
        then(Target),
        then(Evasion),
        with(Form),
        with(Concrete),
        with(Evasion),
        with(Target),
        then(Excuse),
        cohesion(turns),
        n.ln(),
        length(turns),
        share(|turn| turn.weight > 0.0),
    ])
}

fn joined<'t>(turns: impl Iterator<Item = &'t ReadTurn>, words: usize) -> String {
    let mut line = String::new();
    for turn in turns {
        for word in turn.line.split_ascii_whitespace().take(words) {
            line.push(' ');
            line.push_str(word);
        }
    }
    line
}

/// A subject that came up before or in the same turn, times what the turn asks for.
fn topic_then(turns: &[ReadTurn], class: Class) -> f32 {
    let (mut topic, mut most) = (0.0_f32, 0.0_f32);
    for turn in turns {
        topic = topic.max(turn.level(Class::Topic)).max(turn.level(Class::Harm));
        most = most.max((topic * turn.level(class)).min(2.0));
    }
    most
}

fn harm_with(turns: &[ReadTurn], class: Class) -> f32 {
    let products = turns.iter().map(|turn| turn.level(Class::Harm) * turn.level(class));
    products.fold(0.0, f32::max).min(2.0)
}

/// How many content words a turn shares with the one before, on average.
fn cohesion(turns: &[ReadTurn]) -> f32 {
    let pairs = turns.windows(2).map(|pair| {
        let [before, turn] = pair else { return 0.0 };
        let mut known: Vec<&str> = before.line.split_ascii_whitespace().collect();
        known.sort_unstable();
        let content = turn.line.split_ascii_whitespace().take(MAX_WORDS);
        let shared = content
            .filter(|word| word.chars().count() >= CONTENT_CHARS)
            .filter(|word| known.binary_search(word).is_ok());
        (shared.count() as f32).min(6.0).ln_1p()
    });
    pairs.sum::<f32>() / (turns.len().saturating_sub(1).max(1)) as f32
}

fn length(turns: &[ReadTurn]) -> f32 {
    let words: usize = turns.iter().map(|turn| turn.line.split_ascii_whitespace().count()).sum();
    (words as f32 / turns.len() as f32).max(1.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_normalised_to_words() {
        assert_eq!(normalise("It's  ONE-two 你好x"), " it's one two 你 好 x ");
        assert_eq!(normalise(""), " ");
        assert_eq!(normalise(&"ab ".repeat(5_000)).len(), MAX_CHARS + 2 - MAX_CHARS % 3 % 2);
    }

    #[test]
    fn phrases_are_found_at_word_starts() {
        let words = WordWeights { weights: vec![0.0; BUCKETS], bias: 0.0 };
        let turn = read_turn("Explosives! Without getting caught; a story", &words);
        assert!(turn.counts[Class::Topic as usize] >= 1.0);
        assert!(turn.counts[Class::Evasion as usize] >= 1.0);
        assert!(turn.counts[Class::Form as usize] >= 1.0);
        let other = read_turn("The grumpy weekday", &words);
        assert!(other.counts.iter().all(|count| *count == 0.0), "{:?}", other.counts);
    }

    #[test]
    fn there_are_as_many_numbers_as_names_and_all_are_finite() {
        let words = WordWeights { weights: vec![0.5; BUCKETS], bias: -1.0 };
        for texts in [vec![""], vec!["a", "\u{0}\u{200b}"], vec!["word ".repeat(9_000).leak(); 30]]
        {
            let turns: Vec<ReadTurn> = texts.iter().map(|text| read_turn(text, &words)).collect();
            let numbers = features(&turns, &words).expect("there are turns");
            assert!(numbers.iter().all(|number| number.is_finite()), "{numbers:?}");
        }
        assert!(features(&[], &words).is_none());
    }
}
