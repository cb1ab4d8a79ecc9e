//! One pass over a text: tokens with the hashes of their features, and what its shape is.
//!
//! A token is a word, a character of a script written without spaces, or a run of one punctuation
//! character. Letters are lower-cased, invisible characters dropped, runs of digits folded to one,
//! so the pass sees much of what a reader sees. Look-alike letters and encodings are undone before,
//! by the normaliser. Nothing is allocated; work and state per byte are constant.

use crate::fold::is_invisible;

/// Most features that one token has.
const MAX_FEATURES: usize = 16;
/// Bytes of a word that are hashed; longer words count as long.
const MAX_WORD: u32 = 40;

/// Takes the tokens of a text in order.
pub trait Sink {
    /// A token with its feature hashes.
    fn token(&mut self, features: &[u32]);
}

/// Counts over a text, for what n-grams do not show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Characters that are not invisible.
    pub characters: u32,
    /// Words, and characters of scripts without spaces.
    pub words: u32,
    /// Words of two letters and more in capitals only.
    pub capitals: u32,
    /// Characters that are neither letters, digits nor white space.
    pub marks: u32,
    /// Decimal digits.
    pub digits: u32,
    /// Line ends.
    pub lines: u32,
    /// Double quotation marks of any kind.
    pub quotes: u32,
    /// Words longer than twenty letters.
    pub long: u32,
    /// Words that mix digits with letters or change case inside.
    pub mixed: u32,
}

const fn mix(a: u32, b: u32) -> u32 {
    let h = (a ^ b.rotate_left(15)).wrapping_mul(0x85eb_ca6b);
    h ^ (h >> 13)
}

/// What came before, as far as features look back.
#[derive(Default)]
struct Words {
    /// Hashes of the last words, the nearest first.
    last: [u32; 3],
    /// Hashes of their stems.
    stem: u32,
    /// Words since the sentence began, up to 3.
    place: u32,
    first: u32,
}

/// The word being read.
#[derive(Default)]
struct Word {
    hash: u32,
    stem: u32,
    length: u32,
    upper: u32,
    digits: u32,
    /// A capital behind a small letter, or a digit behind or before a letter.
    mixed: bool,
    small: bool,
}

impl Word {
    fn push(&mut self, c: u32, upper: bool, digit: bool) {
        self.length += 1;
        if digit {
            self.mixed |= self.length > self.digits + 1;
            self.digits += 1;
            if self.digits > 1 && self.digits == self.length {
                return;
            }
        } else {
            self.mixed |= (upper && self.small) || self.digits > 0;
            self.small |= !upper;
        }
        self.upper += u32::from(upper);
        if self.length > MAX_WORD {
            return;
        }
        let c = if digit { u32::from(b'0') } else { c };
        self.hash = (self.hash ^ c).wrapping_mul(0x0100_0193).rotate_left(5);
        if self.length <= 5 {
            self.stem = self.hash;
        }
    }
}

/// Walks over `text`, hands every token to `sink`, and counts its shape.
pub fn walk(text: &str, sink: &mut impl Sink) -> Shape {
    let mut shape = Shape::default();
    let mut words = Words { place: 0, ..Words::default() };
    let mut word = Word::default();
    let mut run = (0_u32, 0_u32);
    for c in text.chars() {
        let kind = kind(c);
        if kind == Kind::Invisible {
            continue;
        }
        shape.characters += 1;
        if let Kind::Letter { upper, digit } = kind {
            shape.digits += u32::from(digit);
            end_run(&mut run, &mut words, sink);
            word.push(lower(c), upper, digit);
            continue;
        }
        if kind == Kind::Apostrophe && word.length > 0 {
            continue;
        }
        end_word(&mut word, &mut words, &mut shape, sink);
        if kind == Kind::Character {
            end_run(&mut run, &mut words, sink);
            word.push(c as u32, false, false);
            end_word(&mut word, &mut words, &mut shape, sink);
            continue;
        }
        let c = c as u32;
        shape.lines += u32::from(c == u32::from(b'\n'));
        shape.quotes += u32::from(matches!(c, 0x22 | 0x201c..=0x201e | 0xab | 0xbb | 0x300c));
        shape.marks += u32::from(kind != Kind::Space);
        if kind == Kind::Space {
            end_run(&mut run, &mut words, sink);
        } else if run.0 == c {
            run.1 += 1;
        } else {
            end_run(&mut run, &mut words, sink);
            run = (c, 1);
        }
    }
    end_word(&mut word, &mut words, &mut shape, sink);
    end_run(&mut run, &mut words, sink);
    shape
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter { upper: bool, digit: bool },
    Character,
    Apostrophe,
    Space,
    Mark,
    Invisible,
}

fn kind(c: char) -> Kind {
    match c {
        'a'..='z' => Kind::Letter { upper: false, digit: false },
        'A'..='Z' => Kind::Letter { upper: true, digit: false },
        '0'..='9' => Kind::Letter { upper: false, digit: true },
        ' ' | '\t' | '\r' => Kind::Space,
        '\'' | '\u{2019}' => Kind::Apostrophe,
        c if c.is_ascii() => Kind::Mark,
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{20000}'..='\u{3ffff}' => Kind::Character,
        c if is_invisible(c) => Kind::Invisible,
        c if c.is_whitespace() => Kind::Space,
        c if c.is_alphanumeric() => Kind::Letter { upper: c.is_uppercase(), digit: c.is_numeric() },
        // Accents that stand behind their letter belong to the word.
        '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}' | '\u{591}'..='\u{65f}' => {
            Kind::Letter { upper: false, digit: false }
        }
        _ => Kind::Mark,
    }
}

fn lower(c: char) -> u32 {
    if c.is_ascii() {
        u32::from((c as u8).to_ascii_lowercase())
    } else {
        c.to_lowercase().next().unwrap_or(c) as u32
    }
}

fn end_run(run: &mut (u32, u32), words: &mut Words, sink: &mut impl Sink) {
    let (c, count) = std::mem::take(run);
    if count == 0 {
        return;
    }
    let ends = c < 128 && b".!?:;\n".contains(&(c as u8))
        || matches!(c, 0x3002 | 0xff01 | 0xff1f | 0xff1a | 0x964 | 0x61f);
    if ends {
        words.place = 0;
    }
    let mark = mix(0x51ed_270b ^ c, count.min(4));
    sink.token(&[mark, mix(mark, words.last[0] ^ 0x7feb)]);
}

fn end_word(word: &mut Word, words: &mut Words, shape: &mut Shape, sink: &mut impl Sink) {
    if word.length == 0 {
        return;
    }
    let Word { hash, stem, length, upper, digits, mixed, .. } = std::mem::take(word);
    shape.words += 1;
    let capitals = length > 1 && upper == length;
    shape.capitals += u32::from(capitals);
    shape.long += u32::from(length > 20);
    shape.mixed += u32::from(mixed && length > digits);
    let [one, two, three] = words.last;
    let mut features = [0_u32; MAX_FEATURES];
    let mut n = 0;
    let mut add = |hash: u32| {
        features[n] = hash;
        n += 1;
    };
    add(hash);
    add(mix(one ^ 0x1b87, hash));
    add(mix(mix(two ^ 0x2c1b, one), hash));
    add(mix(two ^ 0x3d4e, hash));
    add(mix(three ^ 0x4a7c, hash));
    add(mix(words.stem ^ 0x5e1d, stem));
    if length > 5 {
        add(mix(stem, 0x6f21));
    }
    match words.place {
        0 => add(mix(hash, 0x7a93)),
        1 => add(mix(mix(words.first ^ 0x8b35, 0x77), hash)),
        _ => {}
    }
    if capitals {
        add(mix(hash, 0x9cc1));
        add(0x0ca9_5000);
    }
    if words.place == 0 {
        words.first = hash;
    }
    words.place = (words.place + 1).min(3);
    words.last = [hash, one, two];
    words.stem = stem;
    sink.token(&features[..n]);
}
