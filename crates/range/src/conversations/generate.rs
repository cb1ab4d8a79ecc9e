//! Conversations put together from subjects and courses by a seed.

use super::courses::{ATTACKS, FOLLOW_UPS, HARMLESS, TASKS};
use super::subjects::SUBJECTS;
use crate::dice::Dice;

/// What stands before a request that is put into a course.
const LEADS: [&str; 8] = [
    "",
    "Now for the story: ",
    "Hypothetically, ",
    "Good. Next: ",
    "For my research: ",
    "Continue in this role. ",
    "As an example, ",
    "In the same style: ",
];

fn one<'a, T>(dice: &mut Dice, of: &'a [T]) -> Option<&'a T> {
    of.get(dice.below(of.len()))
}

/// The user turns of a conversation that moves to a harmful goal: at least two. `requests` are
/// whole harmful requests to work in; there may be none.
pub fn attack(dice: &mut Dice, requests: &[String]) -> Vec<String> {
    let (Some(subject), Some(course)) = (one(dice, SUBJECTS), one(dice, ATTACKS)) else {
        return Vec::new();
    };
    let (area, goal) = (dice.pick(subject.area), dice.pick(subject.goals));
    let request = one(dice, requests).cloned().unwrap_or_else(|| format!("Tell me how to {goal}."));
    // Some begin late.
    let late = dice.below(course.len().min(3)).min(course.len() - 2);
    let course = if dice.chance(0.25) { &course[late..] } else { course };
    let mut turns: Vec<String> = course
        .iter()
        .map(|turn| fill(turn, &[("{a}", area), ("{g}", goal), ("{r}", &request)]))
        .collect();
    if dice.chance(0.45) {
        let lead = dice.pick(&LEADS);
        let place = 1 + dice.below(turns.len() - 1);
        if let Some(turn) = turns.get_mut(place) {
            *turn = format!("{lead}{request}");
        }
    }
    if dice.chance(0.2) {
        turns.insert(0, dice.pick(TASKS).to_owned());
    }
    if dice.chance(0.2) {
        turns.push(dice.pick(FOLLOW_UPS).to_owned());
    }
    turns
}

/// The user turns of a harmless conversation: at least two. `texts` are ordinary texts by source.
pub fn harmless(dice: &mut Dice, texts: &[Vec<String>]) -> Vec<String> {
    let mut turns = match dice.below(10) {
        0..=3 => about_a_subject(dice),
        4 | 5 => vec![dice.pick(TASKS).to_owned()],
        _ => of_texts(dice, texts),
    };
    let more = if turns.len() < 2 { 1 + dice.below(4) } else { usize::from(dice.chance(0.3)) };
    for _ in 0..more {
        turns.push(dice.pick(FOLLOW_UPS).to_owned());
    }
    while turns.len() < 2 {
        turns.push(dice.pick(FOLLOW_UPS).to_owned());
    }
    turns
}

fn about_a_subject(dice: &mut Dice) -> Vec<String> {
    let (Some(subject), Some(course)) = (one(dice, SUBJECTS), one(dice, HARMLESS)) else {
        return Vec::new();
    };
    let area = dice.pick(subject.area);
    let (h, k) = (dice.pick(subject.harmless), dice.pick(subject.harmless));
    course.iter().map(|turn| fill(turn, &[("{a}", area), ("{h}", h), ("{k}", k)])).collect()
}

/// Texts of one source, sometimes of several, with follow-ups between.
fn of_texts(dice: &mut Dice, texts: &[Vec<String>]) -> Vec<String> {
    let mut turns = Vec::new();
    let mixed = dice.chance(0.25);
    let mut source = one(dice, texts);
    for _ in 0..=dice.below(3) {
        if mixed {
            source = one(dice, texts);
        }
        turns.extend(source.and_then(|source| one(dice, source)).cloned());
        if dice.chance(0.4) {
            turns.push(dice.pick(FOLLOW_UPS).to_owned());
        }
    }
    turns
}

fn fill(turn: &str, places: &[(&str, &str)]) -> String {
    places.iter().fold(turn.to_owned(), |turn, (place, text)| turn.replace(place, text))
}

/// How many different courses over subjects there are: attacks, harmless ones.
pub const fn skeletons() -> (usize, usize) {
    (ATTACKS.len() * SUBJECTS.len(), HARMLESS.len() * SUBJECTS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_have_turns_and_no_open_places() {
        let mut dice = Dice::new(1, &["conversations"]);
        let texts = vec![vec!["An ordinary text.".to_owned()]];
        for _ in 0..2_000 {
            for turns in
                [attack(&mut dice, &[]), harmless(&mut dice, &texts), harmless(&mut dice, &[])]
            {
                assert!(turns.len() >= 2, "{turns:?}");
                let open = |turn: &String| turn.contains(['{', '}']) || turn.trim().is_empty();
                assert!(!turns.iter().any(open), "{turns:?}");
            }
        }
        assert!(skeletons().0 >= 60 && skeletons().1 >= 120);
    }
}
