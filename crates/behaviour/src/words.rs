//! Texts as words, the same way for near-duplicates and for query distributions.

/// Words looked at of one text; what follows is not compared.
pub(crate) const MAX_WORDS: usize = 2_000;

/// Letters and digits in lower case, split at everything else. A character of a script written
/// without spaces is a word of its own.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let alone = is_unspaced(c);
        if (alone || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if words.len() >= MAX_WORDS {
            return words;
        }
        if alone {
            words.push(c.to_string());
        } else if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Han, kana, Thai, Lao, Khmer, Burmese.
const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{20000}'..='\u{2ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_and_split_where_scripts_split_them() {
        assert_eq!(words("Hello, WORLD-42!"), ["hello", "world", "42"]);
        assert_eq!(words("ab 你好c"), ["ab", "你", "好", "c"]);
        assert!(words(" .,;").is_empty());
        assert_eq!(words(&"x ".repeat(5_000)).len(), MAX_WORDS);
    }
}
