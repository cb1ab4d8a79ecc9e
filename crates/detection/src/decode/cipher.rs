//! Letters moved along the alphabet (rot13 and the other 24 shifts) and text that runs backwards,
//! found by which letters stand side by side: the stretch of words that reads better undone.

use std::ops::Range;

use super::Found;
use super::fluency::{FLUENT, Fluency, LETTER, fluency};

/// Fewest letters of a stretch worth undoing.
const MIN_LETTERS: i32 = 10;
/// How much better than as it stands a stretch must read undone, per letter. Short words backwards
/// are often words, too.
const BETTER: i32 = 8;
const BETTER_BACKWARDS: i32 = 5;
/// Words between two parts of one stretch that may read better as they stand.
const WORDS: usize = 4096;

/// A word and how it reads as it stands.
struct Word {
    span: Range<usize>,
    plain: Fluency,
}

fn words(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = range.start;
    for part in text[range].split_inclusive(|c: char| c.is_ascii_whitespace()) {
        let span = at..at + part.trim_ascii_end().len();
        at += part.len();
        if !span.is_empty() && words.len() < WORDS {
            let plain = fluency(letters(&text[span.clone()]));
            words.push(Word { span, plain });
        }
    }
    words
}

/// The letters of a word; a word with digits in it is a number or a name and says nothing.
fn letters(word: &str) -> impl DoubleEndedIterator<Item = u8> + '_ {
    let silent = word.bytes().any(|byte| byte.is_ascii_digit());
    word[if silent { word.len() } else { 0 }..].bytes().map(|byte| LETTER[usize::from(byte)])
}

const fn moved(letter: u8, by: u8) -> u8 {
    if letter == 0 { 0 } else { (letter - 1 + by) % 26 + 1 }
}

/// The run of words that gains most when undone: where it is, and how it reads then.
fn best_run(words: &[Word], undone: &[Fluency], better: i32) -> Option<Range<usize>> {
    let (mut best, mut best_sum) = (0..0, 0);
    let (mut start, mut sum) = (0, 0);
    for (index, (word, after)) in words.iter().zip(undone).enumerate() {
        sum += after.sum - word.plain.sum;
        if sum <= 0 {
            (start, sum) = (index + 1, 0);
        } else if sum > best_sum {
            (best, best_sum) = (start..index + 1, sum);
        }
    }
    let total = |of: &dyn Fn(usize) -> Fluency| {
        best.clone().map(of).fold(Fluency::default(), |a, b| Fluency {
            sum: a.sum + b.sum,
            letters: a.letters + b.letters,
        })
    };
    let before = total(&|index| words[index].plain);
    let after = total(&|index| undone[index]);
    let convincing = after.letters >= MIN_LETTERS
        && after.average() >= FLUENT
        && after.average() - before.average() >= better;
    let belongs = |index: &usize| {
        let Fluency { sum, letters } = undone[*index];
        letters == 0 || sum >= -8 * letters
    };
    convincing.then(|| {
        // A name or a short word next to the stretch that could be either belongs to it.
        let start = (best.start.saturating_sub(2)..best.start).rev().take_while(belongs).last();
        let end = (best.end..words.len().min(best.end + 2)).take_while(belongs).last();
        start.unwrap_or(best.start)..end.map_or(best.end, |last| last + 1)
    })
}

/// Undoes the shift that makes some stretch readable.
pub(super) fn shifted(text: &str, range: Range<usize>, out: &mut Vec<Found>) {
    let words = words(text, range);
    let strange = words.iter().filter(|word| word.plain.average() < FLUENT);
    let mut counts = [[0_i32; 27]; 27];
    let mut seen = 0;
    for word in strange {
        let mut before = 0;
        for letter in letters(&text[word.span.clone()]).chain([0]) {
            counts[before][usize::from(letter)] += 1;
            before = usize::from(letter);
            seen += i32::from(letter > 0);
        }
    }
    if seen < MIN_LETTERS {
        return;
    }
    // Few letters say little about which shift it is; most often it is thirteen.
    let sum = |by: &u8| shifted_sum(&counts, *by) + if *by == 13 { 4 * seen } else { 0 };
    let Some(by) = (1..26).max_by_key(sum) else { return };
    let undo = |word: &Word| fluency(letters(&text[word.span.clone()]).map(|l| moved(l, by)));
    let undone: Vec<Fluency> = words.iter().map(undo).collect();
    if let Some(run) = best_run(&words, &undone, BETTER) {
        let span = words[run.start].span.start..words[run.end - 1].span.end;
        let text = text[span.clone()].chars().map(|c| shift(c, by)).collect();
        out.push(Found { text, scheme: "encoded.caesar", span });
    }
}

fn shifted_sum(counts: &[[i32; 27]; 27], by: u8) -> i32 {
    let mut sum = 0;
    for (before, row) in counts.iter().enumerate() {
        for (after, count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
            let pair = [moved(before as u8, by), moved(after as u8, by)];
            sum += count * super::fluency::pair(pair);
        }
    }
    sum
}

fn shift(c: char, by: u8) -> char {
    match c {
        'a'..='z' => char::from((c as u8 - b'a' + by) % 26 + b'a'),
        'A'..='Z' => char::from((c as u8 - b'A' + by) % 26 + b'A'),
        c => c,
    }
}

/// Turns a stretch that reads better backwards, as a whole and word by word.
pub(super) fn backwards(text: &str, range: Range<usize>, out: &mut Vec<Found>) {
    let words = words(text, range);
    let undo = |word: &Word| {
        let word = &text[word.span.clone()];
        let mut read = fluency(letters(word).rev());
        // The mark or the capital that stands at the wrong end says it as well.
        let marked = word.starts_with(['.', '?', '!', ',', ':']) && read.letters > 1;
        let capital = word.ends_with(|c: char| c.is_ascii_uppercase())
            && word.starts_with(|c: char| c.is_ascii_lowercase());
        read.sum += 64 * (i32::from(marked) + i32::from(capital));
        read
    };
    let undone: Vec<Fluency> = words.iter().map(undo).collect();
    let Some(run) = best_run(&words, &undone, BETTER_BACKWARDS) else { return };
    let span = words[run.start].span.start..words[run.end - 1].span.end;
    let scheme = "encoded.reversed";
    let whole = text[span.clone()].chars().rev().collect();
    out.push(Found { text: whole, scheme, span: span.clone() });
    if run.len() > 1 {
        let each: Vec<String> =
            words[run].iter().map(|word| text[word.span.clone()].chars().rev().collect()).collect();
        out.push(Found { text: each.join(" "), scheme, span });
    }
}
