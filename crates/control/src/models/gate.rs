//! Whether a candidate may go on: it still catches every known attack that the model in force
//! catches, raises no alarm on known harmless texts that the other does not, and is better than it
//! on what is judged here. Known texts are the attacks that ship for this, the examples of the rules
//! in force and the labelled signals. The models are judged alone: rules that match anyway would hide what a model lost.

use quell_detection::classifier::Classifier;
use quell_detection::{Budget, Example, RuleSet, Scores};
use quell_domain::IncidentKind;
use quell_domain::interaction::Role;
use quell_domain::rule::Direction;
use quell_store::{GateResult, LabelFilter, PageRequest};

use crate::feedback::rows_of;
use crate::handle::Control;
use crate::refused::Refused;

/// Labelled signals judged: the newest.
const LABELS: u32 = 200;
/// Reasons that name a text.
const NAMED: usize = 5;

/// A text whose label is known.
struct Known {
    /// The rule or signal it comes from.
    from: String,
    role: Role,
    text: String,
    attack: bool,
    feedback: bool,
}

impl Control {
    /// Judges both models on every known text.
    pub(super) async fn gate(
        &self,
        held: Classifier,
        candidate: Classifier,
    ) -> Result<GateResult, Refused> {
        let mut read = self.read().await?;
        let rules = self.rule_book().current(&mut read).await?;
        let page = read.labels(&LabelFilter::default(), &PageRequest::first(LABELS)).await?;
        drop(read);
        let mut known = examples(&rules);
        known.extend(regression());
        for (label, record) in &page.items {
            if !learned(record.signal.kind) || record.signal.direction != Direction::Input {
                continue;
            }
            let Some(id) = record.interaction else { continue };
            let Ok((_, _, interaction)) = self.locate(id).await else { continue };
            known.extend(rows_of(label, record, &interaction).filter_map(|row| {
                let role = match row.role {
                    "user" => Role::User,
                    "document" => Role::Tool,
                    _ => return None,
                };
                let attack = row.label == "attack";
                Some(Known {
                    from: row.provenance.signal,
                    role,
                    text: row.text,
                    attack,
                    feedback: true,
                })
            }));
        }
        let judge = move || judged(&held, &candidate, &known);
        tokio::task::spawn_blocking(judge).await.map_err(Refused::files)
    }
}

/// Kinds of incident that the classifier judges.
const fn learned(kind: IncidentKind) -> bool {
    matches!(kind, IncidentKind::PromptInjection | IncidentKind::Jailbreak)
}

/// The attacks that every model must flag.
fn regression() -> impl Iterator<Item = Known> {
    quell_training::gate::known_attacks().into_iter().map(|sample| Known {
        from: "the known attacks that ship".into(),
        role: sample.role,
        text: sample.text,
        attack: true,
        feedback: false,
    })
}

fn examples(rules: &RuleSet) -> Vec<Known> {
    let mut known = Vec::new();
    let of = rules.rules().iter().filter(|rule| {
        learned(rule.kind) && rule.direction == Direction::Input && !rule.correlation
    });
    for rule in of {
        let sides = [(true, &rule.examples.positive), (false, &rule.examples.negative)];
        for (attack, examples) in sides {
            known.extend(examples.iter().filter_map(|example| {
                let (role, text) = match example {
                    Example::Text(text) => (Role::User, text.clone()),
                    Example::Turn(turn) => (turn.role.unwrap_or(Role::User), turn.text.clone()),
                    Example::Series(_) => return None,
                };
                Some(Known { from: rule.id.clone(), role, text, attack, feedback: false })
            }));
        }
    }
    known
}

fn flags(model: &Classifier, known: &Known) -> Option<bool> {
    let mut budget = Budget::new(64 * 1024 * 1024);
    let judgement =
        model.judge(known.role, &known.text, std::iter::empty::<&str>(), &mut budget)?;
    Some(judgement.scores.attack >= Scores::THRESHOLD)
}

fn judged(held: &Classifier, candidate: &Classifier, known: &[Known]) -> GateResult {
    let mut result = GateResult::default();
    let (mut lost, mut new_alarms) = (Vec::new(), Vec::new());
    for text in known {
        let (Some(before), Some(after)) = (flags(held, text), flags(candidate, text)) else {
            continue;
        };
        if text.feedback {
            result.feedback += 1;
            result.feedback_before += u64::from(before == text.attack);
            result.feedback_after += u64::from(after == text.attack);
        } else if text.attack {
            result.attacks += 1;
            result.attacks_before += u64::from(before);
            result.attacks_after += u64::from(after);
            if before && !after {
                lost.push(text.from.as_str());
            }
        } else {
            result.harmless += 1;
            result.alarms_before += u64::from(before);
            result.alarms_after += u64::from(after);
            if after && !before {
                new_alarms.push(text.from.as_str());
            }
        }
    }
    result.reasons = reasons(&result, &lost, &new_alarms);
    result.passed = result.reasons.is_empty();
    result
}

fn reasons(result: &GateResult, lost: &[&str], new_alarms: &[&str]) -> Vec<String> {
    let named = |from: &[&str]| from.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let mut reasons = Vec::new();
    if result.attacks == 0 {
        reasons.push("there is no known attack to judge it on".into());
    }
    if !lost.is_empty() {
        reasons.push(format!(
            "it loses {} known attacks that the model in force catches, of: {}",
            lost.len(),
            named(lost)
        ));
    }
    if result.alarms_after > result.alarms_before {
        reasons.push(format!(
            "it raises {} alarms on known harmless texts, the model in force {}; new ones of: {}",
            result.alarms_after,
            result.alarms_before,
            named(new_alarms)
        ));
    }
    if result.feedback_after < result.feedback_before {
        reasons.push(format!(
            "it agrees with {} labels, the model in force with {} of {}",
            result.feedback_after, result.feedback_before, result.feedback
        ));
    }
    let better = result.feedback_after > result.feedback_before
        || result.attacks_after > result.attacks_before
        || result.alarms_after < result.alarms_before;
    if reasons.is_empty() && !better {
        reasons.push("it is not better than the model in force on anything judged here".into());
    }
    reasons
}
