//! What is asked and answered: plain text that no rule minds, the same in every run.

use bytes::Bytes;
use serde_json::json;

const WORDS: [&str; 64] = [
    "paper",
    "river",
    "garden",
    "window",
    "engine",
    "letter",
    "market",
    "harbour",
    "bridge",
    "season",
    "teacher",
    "village",
    "mountain",
    "kitchen",
    "painter",
    "library",
    "concert",
    "journey",
    "weather",
    "machine",
    "orchard",
    "history",
    "morning",
    "evening",
    "station",
    "factory",
    "museum",
    "forest",
    "island",
    "council",
    "report",
    "meeting",
    "project",
    "budget",
    "invoice",
    "supplier",
    "customer",
    "delivery",
    "schedule",
    "summary",
    "question",
    "answer",
    "chapter",
    "sentence",
    "example",
    "picture",
    "number",
    "colour",
    "material",
    "surface",
    "pressure",
    "climate",
    "journal",
    "article",
    "research",
    "method",
    "result",
    "version",
    "feature",
    "release",
    "holiday",
    "language",
    "grammar",
    "translation",
];

/// A chat request whose prompt has 190 bytes.
pub(crate) fn small(stream: bool) -> Bytes {
    let text = "We keep about two thousand old paper maps in a cellar that is a little damp in \
                spring. How should we store them so that they last, and how often should somebody \
                look after them? Please be brief.";
    request(&text[..190], stream)
}

/// A chat request whose prompt has 100 KB.
pub(crate) fn large() -> Bytes {
    request(&plain(100_000), false)
}

/// A chat request that was never asked before, with a prompt of so many bytes.
pub(crate) fn fresh(numbers: &mut Numbers, bytes: usize) -> Bytes {
    let mut text = words(numbers, bytes);
    text.truncate(bytes);
    request(&text, false)
}

/// Sentences of plain words, `bytes` long or a little more.
pub(crate) fn plain(bytes: usize) -> String {
    words(&mut Numbers::new(7), bytes)
}

fn words(numbers: &mut Numbers, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 256);
    while text.len() < bytes {
        for _ in 0..9 + numbers.below(9) {
            text.push_str(numbers.word());
            text.push(' ');
        }
        text.push_str("is here.\n");
    }
    text
}

fn request(text: &str, stream: bool) -> Bytes {
    let mut body = json!({"model": "bench-1", "messages": [{"role": "user", "content": text}]});
    if stream {
        body["stream"] = true.into();
    }
    body.to_string().into()
}

/// The deltas of a stream: words, or groups of four digits, four to a number. The numbers have a
/// card's length and the wrong check digit, so a gateway that looks for cards must wait for each
/// number's end and then let it pass.
pub(crate) fn deltas(mode: &str, count: usize) -> Vec<String> {
    let mut numbers = Numbers::new(11);
    if mode != "digits" {
        return (0..count).map(|_| format!("{} ", numbers.word())).collect();
    }
    let mut deltas = Vec::with_capacity(count + 3);
    while deltas.len() < count {
        let mut digits = [0; 16];
        digits[0] = 4;
        digits[1..].fill_with(|| numbers.below(10) as u8);
        if luhn(&digits) {
            digits[15] = (digits[15] + 1) % 10;
        }
        for (group, ending) in digits.chunks(4).zip([" ", " ", " ", ",\n"]) {
            let group: String = group.iter().map(|digit| char::from(b'0' + digit)).collect();
            deltas.push(group + ending);
        }
    }
    deltas.truncate(count);
    deltas
}

fn luhn(digits: &[u8]) -> bool {
    let weigh = |(index, digit): (usize, &u8)| match (index % 2, *digit) {
        (0, digit) => u32::from(digit),
        (_, digit @ 5..) => u32::from(digit) * 2 - 9,
        (_, digit) => u32::from(digit) * 2,
    };
    digits.iter().rev().enumerate().map(weigh).sum::<u32>() % 10 == 0
}

/// The same numbers in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Begins with `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn word(&mut self) -> &'static str {
        let index = self.below(WORDS.len() as u64) as usize;
        WORDS.get(index).copied().unwrap_or("paper")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhn_knows_a_valid_number() {
        assert!(luhn(&[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
        assert!(!luhn(&[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]));
    }

    #[test]
    fn no_number_of_the_digit_stream_passes_for_a_card() {
        let text = deltas("digits", 48).concat();
        for number in text.lines() {
            let digits: Vec<u8> =
                number.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
            assert_eq!(digits.len(), 16);
            assert!(!luhn(&digits));
        }
    }

    #[test]
    fn the_prompts_have_the_stated_sizes() {
        let text = |body: Bytes| {
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            body["messages"][0]["content"].as_str().unwrap().len()
        };
        assert_eq!(text(small(true)), 190);
        assert!((100_000..101_000).contains(&text(large())));
        let mut numbers = Numbers::new(3);
        let (one, other) = (fresh(&mut numbers, 1_000), fresh(&mut numbers, 1_000));
        assert_ne!(one, other);
        assert_eq!(text(one), 1_000);
    }
}
