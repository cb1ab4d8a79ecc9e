//! What facts about identifiers, secrets and leaks are worth as scores.

use crate::score::Scores;

/// A fact's weight in one family.
enum Family {
    Identifiers,
    Secrets,
    Leak,
}

/// By beginning of a fact: its family and weight. The first that fits counts. An identifier that
/// carries a check digit is surer than one that is only a format.
const WEIGHTS: &[(&str, Family, f32)] = &[
    ("identifier.email", Family::Identifiers, 0.60),
    ("identifier.phone", Family::Identifiers, 0.60),
    ("identifier.ip", Family::Identifiers, 0.55),
    ("identifier.mac", Family::Identifiers, 0.55),
    ("identifier.", Family::Identifiers, 0.90),
    ("secret.", Family::Secrets, 0.95),
    ("credential.", Family::Secrets, 0.80),
    ("masked.secret", Family::Secrets, 0.45),
    ("output.canary", Family::Leak, 0.99),
    ("output.encoded_canary", Family::Leak, 0.95),
    ("output.encoded_secret", Family::Secrets, 0.90),
    ("output.encoded_identifier", Family::Identifiers, 0.80),
    ("output.system_secret", Family::Leak, 0.95),
    ("output.system_prompt_echo", Family::Leak, 0.90),
    ("output.system_prompt_encoded", Family::Leak, 0.90),
];

/// The scores that `facts` amount to.
pub(crate) fn scores<'f>(facts: impl Iterator<Item = &'f str>) -> Scores {
    let mut scores = Scores::default();
    for fact in facts {
        let found = WEIGHTS.iter().find(|(beginning, ..)| fact.starts_with(beginning));
        if let Some((_, family, weight)) = found {
            let score = match family {
                Family::Identifiers => &mut scores.identifiers,
                Family::Secrets => &mut scores.secrets,
                Family::Leak => &mut scores.leak,
            };
            *score = score.max(*weight);
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_own_score() {
        let facts = ["identifier.phone", "secret.github_token", "tokens.input.gt_8k"];
        let found = scores(facts.into_iter());
        assert!(found.identifiers > Scores::THRESHOLD && found.identifiers < 0.7);
        assert!(found.secrets > 0.9);
        assert!(found.leak < Scores::THRESHOLD && found.attack < Scores::THRESHOLD);
    }
}
