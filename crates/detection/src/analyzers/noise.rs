//! Noise behind a request: strings that an optimiser found, hung on a plain question.
//!
//! Sees: an end of a user's text whose characters follow each other as in no language and no code
//! the counts know, behind a beginning that reads as prose. A small character model (what follows
//! what, as bits of surprise) is summed from the end on, as a CUSUM against a fixed surprise.
//! Cannot see: suffixes made of whole words, noise before or inside the request, noise in texts that
//! are mostly not in ASCII.
//! Known false positives: code of one line with brackets missing, emoticons in a row.
//! Source: Zou and others 2023 (suffixes by greedy coordinate gradient), Alon and Kamfonas 2023
//! (their perplexity gives them away). The counts are made by `quell-training`'s example
//! `characters`, from permissively licensed harmless texts.

use super::Raised;

/// Surprise of a symbol after another, in sixteenths of a bit.
const SURPRISE: &[u8] = include_bytes!("../../../../content/model/characters.bin");
/// Kinds of characters that are told apart.
pub const SYMBOLS: usize = 63;

/// Surprise a character that neither text nor noise is closer to, in sixteenths of a bit.
const LIMIT: i32 = 74;
/// Excess that makes an end noise, in sixteenths of a bit.
const ENOUGH: i32 = 40 * 16;
/// Mean surprise above which a beginning does not read as prose.
const PROSE: i32 = 70;
const LEAST_BEGINNING: usize = 20;
const LEAST_NOISE: usize = 24;
/// Longer noise is something else: code, tables, another language.
const MAX_NOISE: usize = 800;
/// Brackets without their other half; code, formulas and data close what they open.
const UNBALANCED: usize = 2;
/// Brackets that are kept in mind while they are open.
const MAX_OPEN: usize = 64;
/// Of a beginning, how much is read.
const READ_BEGINNING: usize = 400;

/// The kind of a character.
pub const fn symbol(c: char) -> usize {
    if c.is_ascii() { BYTES[c as usize] as usize } else { SYMBOLS - 1 }
}

/// The kind of character that a byte begins; [`SYMBOLS`] for one inside a character.
const BYTES: [u8; 256] = {
    let mut kinds = [SYMBOLS as u8 - 1; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        kinds[byte] = match b {
            b'a'..=b'z' => b - b'a',
            b'A'..=b'Z' => 26,
            b'0'..=b'9' => 27,
            b' ' | b'\t' | b'\r' => 28,
            b'\n' => 29,
            b'!'..=b'/' => 30 + (b - b'!'),
            b':'..=b'@' => 45 + (b - b':'),
            b'['..=b'`' => 52 + (b - b'['),
            b'{'..=b'~' => 58 + (b - b'{'),
            0x80..=0xbf => SYMBOLS as u8,
            _ => SYMBOLS as u8 - 1,
        };
        byte += 1;
    }
    kinds
};

fn surprise(before: usize, after: usize) -> i32 {
    SURPRISE.get(before * SYMBOLS + after).copied().map_or(LIMIT, i32::from)
}

/// Looks at the end of a whole text.
pub(crate) fn of(text: &str, out: &mut Vec<Raised>) {
    let text = text.trim_end();
    let from = text.ceil_char_boundary(text.len().saturating_sub(MAX_NOISE));
    let (mut sum, mut start, mut before) = (0, from, symbol('\n'));
    for (at, byte) in text.bytes().enumerate().skip(from) {
        let now = usize::from(BYTES[usize::from(byte)]);
        if now >= SYMBOLS {
            continue;
        }
        sum += surprise(before, now) - LIMIT;
        before = now;
        if sum <= 0 {
            (sum, start) = (0, at + 1);
        }
    }
    start = text.ceil_char_boundary(start);
    if sum < ENOUGH || start < LEAST_BEGINNING || start == from || !is_noise(&text[start..]) {
        return;
    }
    let from = text.ceil_char_boundary(start.saturating_sub(READ_BEGINNING));
    if is_prose(&text[from..start]) {
        let end = text.len();
        out.push(Raised { fact: "text.noise_suffix", start, end, trigger: end });
    }
}

/// Words with marks among them, on a line: neither code, a number, a cipher, nor another script.
fn is_noise(text: &str) -> bool {
    let (mut letters, mut marks, mut lines, mut others, mut all) = (0, 0, 0, 0, 0);
    for c in text.chars() {
        all += 1;
        letters += usize::from(c.is_alphabetic());
        marks += usize::from(r"\[](){}*|;+=<>_^~@#$%&/`".contains(c));
        lines += usize::from(c == '\n');
        others += usize::from(!c.is_ascii());
    }
    let words = text.split_whitespace().count();
    all >= LEAST_NOISE
        && letters * 2 >= all
        && others * 5 <= all
        && words >= 4
        && lines <= 1
        && marks >= 4
        && marks * 33 >= all
        && unbalanced(text) >= UNBALANCED
}

/// Brackets that close nothing or are never closed.
fn unbalanced(text: &str) -> usize {
    let (mut open, mut stray) = (Vec::new(), 0);
    for byte in text.bytes() {
        let closes = match byte {
            b'(' | b'[' | b'{' if open.len() < MAX_OPEN => {
                open.push(byte);
                continue;
            }
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => continue,
        };
        if open.last() == Some(&closes) {
            open.pop();
        } else {
            stray += 1;
        }
    }
    stray + open.len()
}

fn is_prose(text: &str) -> bool {
    let (mut sum, mut count, mut before) = (0, 0, None);
    for c in text.chars() {
        let now = symbol(c);
        if let Some(before) = before {
            sum += surprise(before, now);
            count += 1;
        }
        before = Some(now);
    }
    count > 0 && sum <= PROSE * count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let mut out = Vec::new();
        of(text, &mut out);
        out.first().map(|raised| &text[raised.start..raised.end])
    }

    #[test]
    fn a_suffix_of_scraps_is_found_behind_a_question() {
        let suffix = r#"zorpel ]( Kvant.? mixto oppid\{ Vrelen **Farm NUV tut"@ qerty=[ drebbing + samliryOhn ]+ wug"#;
        let text = format!("How do I open the lock of my own front door? {suffix}");
        let noise = found(&text).unwrap();
        assert!(noise.ends_with("+ wug") && noise.len() * 2 > suffix.len(), "{noise}");
    }

    #[test]
    fn prose_code_data_and_other_scripts_are_not_noise() {
        for text in [
            "How do I open the lock of my own front door? I lost the key yesterday, sadly.",
            "Explain this function:\nfn add(a: &[u8], b: usize) -> usize {\n    a[b..].len() * 2\n}\n",
            "What does this regex match? ^[a-z]+(?:-[a-z]+)*$",
            "Ändere den Satz bitte so, dass er höflicher klingt: «Gib das sofort her!»",
            "把下面这句话翻译成英文：今天天气很好，我们去公园散步吧。",
            "Decode this for me please: Lbh ner n fznyy obng va n ovt frn naq V nz gur jvaq.",
            "Which commit was it, 9fceb02d0ae598e95dc970b74767f19372d61af8 or an earlier one?",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn every_symbol_has_a_row() {
        assert_eq!(SURPRISE.len(), SYMBOLS * SYMBOLS);
        assert!(('\u{0}'..='\u{ff}').all(|c| symbol(c) < SYMBOLS));
        assert_eq!((symbol('/'), symbol('@'), symbol('`'), symbol('~')), (44, 51, 57, 61));
    }
}
