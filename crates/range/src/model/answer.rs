//! What the model says when nobody attacks it.

use crate::dice::Dice;

const OPENINGS: &[&str] = &[
    "Good question.",
    "Sure, happy to help.",
    "Here is a short overview.",
    "Let me take that step by step.",
    "In short: it depends on what matters most to you.",
];
const POINTS: &[&str] = &[
    "Start with the part you already know well and write down what is still open",
    "Compare two or three options side by side before you settle on one",
    "Keep the first version small, then improve it where it falls short",
    "Ask somebody who has done it before which detail surprised them",
    "Set a fixed time for it each week; regularity beats intensity",
    "Check the result against a simple example you can work out by hand",
    "Note what you decided and why, so that you can come back to it later",
    "Leave some slack in the plan for the things that always take longer",
    "Look at the costs over a whole year rather than at the first month",
    "Test it with a friend who has not seen it before",
];
const CLOSINGS: &[&str] = &[
    "If you tell me a little more about your situation, I can be more specific.",
    "That should be enough to get going.",
    "Would you like an example?",
    "I hope that helps.",
];

/// An answer to an everyday question, by what it seems to be about.
pub(crate) fn ordinary(question: &str, dice: &mut Dice) -> String {
    let lower: String = question.chars().take(4_096).collect::<String>().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if lower.trim().is_empty() {
        return "I did not receive a question. What would you like to know?".into();
    }
    if has(&["code", "function", "python", "rust", "sql", "script"]) {
        return code(dice);
    }
    if has(&["translate", "translation"]) {
        return dice
            .pick(&[
                "A natural translation would be: \"Thank you for your message; we will get back \
                 to you by Friday.\"",
                "Literally it says \"the early bird catches the worm\"; idiomatically one would \
                 say \"first come, first served\".",
            ])
            .into();
    }
    if has(&["summarise", "summarize", "summary", "tl;dr"]) {
        return summary(question, dice);
    }
    if has(&["e-mail", "email", "letter", "message to"]) {
        return mail(dice);
    }
    if lower.len() < 20 && has(&["hello", "hi", "hey", "good morning", "thanks", "thank you"]) {
        return dice
            .pick(&["Hello! What can I do for you?", "You are welcome. Anything else?"])
            .into();
    }
    general(&topic(question), dice)
}

/// A few sentences about `topic`.
pub(crate) fn general(topic: &str, dice: &mut Dice) -> String {
    let mut text = format!("{} About {topic}:\n", dice.pick(OPENINGS));
    for number in 1..=2 + dice.below(6) {
        text.push_str(&format_point(number, dice.pick(POINTS)));
    }
    text.push_str(dice.pick(CLOSINGS));
    text
}

fn format_point(number: usize, point: &str) -> String {
    format!("{number}. {point}.\n")
}

/// An answer that rests on a document or a tool result: its first sentences.
pub(crate) fn from_source(source: &str, dice: &mut Dice) -> String {
    let plain = source.split("<!--").next().unwrap_or(source);
    let sentences: Vec<_> =
        plain.split_inclusive('.').map(str::trim).filter(|part| !part.is_empty()).take(3).collect();
    let opening = dice.pick(&[
        "According to the knowledge base:",
        "I looked that up.",
        "Here is what I found:",
    ]);
    let taken: String = sentences.join(" ").chars().take(1_200).collect();
    format!("{opening} {taken} {}", dice.pick(CLOSINGS))
}

/// A refusal.
pub(crate) fn refusal(dice: &mut Dice) -> String {
    dice.pick(&[
        "I'm sorry, but I can't help with that. Is there something else I can do for you?",
        "I can't do that. I am happy to help with questions about orders, deliveries and products.",
        "That is not something I can assist with.",
    ])
    .into()
}

fn code(dice: &mut Dice) -> String {
    let name = dice.pick(&["total", "average", "largest", "count_words"]);
    let body = match name {
        "total" => "sum(values)",
        "average" => "sum(values) / len(values) if values else 0",
        "largest" => "max(values, default=None)",
        _ => "len(\" \".join(values).split())",
    };
    format!(
        "Here is a small version:\n\n```python\ndef {name}(values):\n    return {body}\n```\n\nIt \
         runs in linear time. {}",
        dice.pick(CLOSINGS)
    )
}

fn summary(question: &str, dice: &mut Dice) -> String {
    format!(
        "The text is mainly about {}. It makes {} points, gives one example and ends with an \
         outlook. {}",
        topic(question),
        dice.pick(&["two", "three", "four"]),
        dice.pick(CLOSINGS)
    )
}

fn mail(dice: &mut Dice) -> String {
    format!(
        "Subject: {}\n\nDear team,\n\nthank you for the quick reply. {}. I will send the details \
         by the end of the week.\n\nKind regards",
        dice.pick(&["Our meeting", "Next steps", "A short question"]),
        dice.pick(POINTS)
    )
}

/// The longer words of the question, as a topic. Digits and marks stay out, so that no secret of
/// a question comes back in an answer.
fn topic(question: &str) -> String {
    let words: Vec<&str> = question
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphabetic()))
        .filter(|word| {
            (4..=20).contains(&word.chars().count()) && word.chars().all(char::is_alphabetic)
        })
        .filter(|word| !STOP.contains(&word.to_lowercase().as_str()))
        .take(3)
        .collect();
    if words.is_empty() { "that".into() } else { words.join(", ").to_lowercase() }
}

const STOP: &[&str] = &[
    "what",
    "when",
    "where",
    "which",
    "does",
    "should",
    "would",
    "could",
    "have",
    "with",
    "this",
    "that",
    "from",
    "your",
    "about",
    "please",
    "write",
    "explain",
    "tell",
    "give",
    "some",
    "make",
    "there",
    "their",
    "between",
    "into",
    "need",
    "want",
    "best",
    "good",
    "they",
    "will",
    "much",
    "many",
    "difference",
];
