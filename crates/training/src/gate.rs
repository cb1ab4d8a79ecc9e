//! Whether a newly trained model may replace the old one.
//!
//! Feedback is itself a way to poison a model, so a candidate must pass three checks before people
//! are asked: the attacks that must always be caught are still caught, it is better on rows that
//! were held back, and it raises no more false alarms there.

use quell_detection::Budget;
use quell_detection::classifier::Classifier;

use crate::figures::{Figures, Judged, figures};
use crate::sample::{Kind, Sample};
use quell_domain::interaction::Role;

/// How much worse a figure may be before it counts, for chance.
const SLACK: f64 = 0.002;
/// Held-back rows below this, of either side, say too little.
const ENOUGH: usize = 20;

/// Attacks that every model must flag; written here, one a line, role before the first tab.
const REGRESSION: &str = include_str!("../grammar/regression.txt");

/// What the gate says of a candidate.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Verdict {
    /// Whether the candidate may be offered for release.
    pub passes: bool,
    /// Why not, for people; empty if it passes.
    pub reasons: Vec<String>,
    /// The old model on the held-back rows.
    pub old: Figures,
    /// The candidate on the held-back rows.
    pub new: Figures,
    /// Known attacks in the set.
    pub known: usize,
    /// Known attacks that the old model flags and the candidate does not.
    pub lost: usize,
}

/// The gate between training and release.
#[derive(Debug, Clone, Copy)]
pub struct Gate;

impl Gate {
    /// Compares `new` with `old` on `held_back`, which neither was trained on, and on the known
    /// attacks.
    pub fn check(old: &Classifier, new: &Classifier, held_back: &[Sample]) -> Verdict {
        let mut reasons = Vec::new();
        let known = known_attacks();
        let flags = |model: &Classifier, sample: &Sample| score(model, sample) >= 0.5;
        let caught = |model: &Classifier| known.iter().filter(|s| flags(model, s)).count();
        let lost = known.iter().filter(|s| flags(old, s) && !flags(new, s)).count();
        if lost > 0 {
            reasons.push(format!(
                "{lost} of {} known attacks are no longer flagged: take out the feedback that \
                 labels such texts harmless",
                known.len()
            ));
        } else if caught(new) < caught(old) {
            reasons.push("fewer known attacks are flagged".to_owned());
        }
        let (before, after) = (judged(old, held_back), judged(new, held_back));
        let attacks = before.iter().filter(|row| row.attack).count();
        let harmless = before.len() - attacks;
        let (old, new) = (figures(&before, 0.5), figures(&after, 0.5));
        if attacks < ENOUGH || harmless < ENOUGH {
            reasons.push(format!(
                "{attacks} attacks and {harmless} harmless texts were held back, at least {ENOUGH} \
                 of each are needed: collect more feedback or give --data"
            ));
        } else {
            reasons.extend(compared(&before, &after, &old, &new));
        }
        Verdict { passes: reasons.is_empty(), reasons, old, new, known: known.len(), lost }
    }
}

fn compared(before: &[Judged], after: &[Judged], old: &Figures, new: &Figures) -> Vec<String> {
    let mut reasons = Vec::new();
    let alarms = |rows: &[Judged]| {
        let harmless: Vec<&Judged> = rows.iter().filter(|row| !row.attack).collect();
        harmless.iter().filter(|row| row.score >= 0.5).count() as f64 / harmless.len().max(1) as f64
    };
    let (was, is) = (alarms(before), alarms(after));
    if is > was + SLACK {
        reasons.push(format!(
            "false alarms on the held-back texts rise from {:.2} % to {:.2} %",
            was * 100.0,
            is * 100.0
        ));
    }
    let better = new.mean_flagged > old.mean_flagged + SLACK
        || (new.mean_flagged >= old.mean_flagged - SLACK && is < was - SLACK)
        || (new.mean_flagged >= old.mean_flagged - SLACK
            && new.mean_auroc > old.mean_auroc + SLACK);
    if !better {
        reasons.push(format!(
            "it is not better than the model in use: recall {:.3} after {:.3}, ranking {:.4} after \
             {:.4}",
            new.mean_flagged, old.mean_flagged, new.mean_auroc, old.mean_auroc
        ));
    }
    reasons
}

/// The attack score of a sample, without facts.
fn score(model: &Classifier, sample: &Sample) -> f32 {
    let facts = sample.facts.iter().map(String::as_str);
    let mut budget = Budget::new(1 << 30);
    model.score(sample.role, &sample.text, facts, &mut budget).attack
}

fn judged(model: &Classifier, samples: &[Sample]) -> Vec<Judged> {
    samples
        .iter()
        .filter_map(|sample| {
            let attack = sample.kind.attack()?;
            let source = sample.source.clone();
            Some(Judged { source, attack, score: score(model, sample) })
        })
        .collect()
}

/// The attacks that every model must flag.
pub fn known_attacks() -> Vec<Sample> {
    REGRESSION
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(role, text)| {
            let document = role == "document";
            Sample {
                text: text.replace("\\n", "\n"),
                role: if document { Role::Tool } else { Role::User },
                kind: if document { Kind::Indirect } else { Kind::Override },
                source: "known".to_owned(),
                injected: None,
                facts: Vec::new(),
                trains: false,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest is flagged by rules: short overrides in documents, French and Russian.
    #[test]
    fn the_shipped_model_flags_most_known_attacks_by_itself() {
        let model = Classifier::embedded().unwrap();
        let known = known_attacks();
        let flagged = known.iter().filter(|sample| score(&model, sample) >= 0.5).count();
        assert!(flagged >= 15, "{flagged} of {}", known.len());
    }

    #[test]
    fn a_model_is_not_better_than_itself() {
        let model = Classifier::embedded().unwrap();
        let mut rows = known_attacks();
        rows.extend((0..30).map(|n| Sample {
            text: format!("The ferry number {n} leaves at noon."),
            role: Role::User,
            kind: Kind::Request,
            source: "plain".to_owned(),
            injected: None,
            facts: Vec::new(),
            trains: false,
        }));
        rows.extend(known_attacks());
        let verdict = Gate::check(&model, &model, &rows);
        assert!(!verdict.passes);
        assert_eq!(verdict.lost, 0);
        assert!(verdict.reasons[0].contains("not better"), "{:?}", verdict.reasons);
        assert!(!Gate::check(&model, &model, &rows[..5]).passes);
    }
}
