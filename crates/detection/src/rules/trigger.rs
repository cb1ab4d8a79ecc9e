//! Which facts a rule cannot match without: rules whose facts are absent are never asked.

use std::collections::HashMap;

use rsigma_parser::{
    ConditionExpr, Detection, Detections, Modifier, Quantifier, SelectorPattern, SigmaValue,
};

use crate::event::FACT_FIELDS;

/// Facts of which at least one must be present before a rule can match; a trailing `*` stands for
/// any ending. `None`: the rule can match without any fact.
pub(super) type Triggers = Option<Vec<String>>;

/// The triggers of a rule.
pub(super) fn triggers(detections: &Detections) -> Triggers {
    either(detections.conditions.iter().map(|condition| of_condition(condition, detections)))
}

fn of_condition(condition: &ConditionExpr, detections: &Detections) -> Triggers {
    match condition {
        ConditionExpr::And(parts) => {
            fewest(parts.iter().map(|part| of_condition(part, detections)))
        }
        ConditionExpr::Or(parts) => either(parts.iter().map(|part| of_condition(part, detections))),
        // What must be absent says nothing about what must be present.
        ConditionExpr::Not(_) => None,
        ConditionExpr::Identifier(name) => detections.named.get(name).and_then(of_detection),
        ConditionExpr::Selector { quantifier, pattern } => {
            let named = detections.named.iter().filter(|(name, _)| selected(pattern, name));
            let each = named.map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => fewest(each),
                Quantifier::Count(0) => None,
                Quantifier::Any | Quantifier::Count(_) => either(each),
            }
        }
    }
}

fn selected(pattern: &SelectorPattern, name: &str) -> bool {
    match pattern {
        SelectorPattern::Them => !name.starts_with('_'),
        SelectorPattern::Pattern(pattern) => match pattern.strip_suffix('*') {
            Some(prefix) if !prefix.contains('*') => name.starts_with(prefix),
            // A pattern read too widely only asks the rule more often.
            _ => true,
        },
    }
}

fn of_detection(detection: &Detection) -> Triggers {
    match detection {
        Detection::AllOf(items) => fewest(items.iter().map(|item| {
            let field = item.field.name.as_deref().unwrap_or_default();
            let plain = !item.field.has_modifier(Modifier::Exists);
            (plain && FACT_FIELDS.contains(&field)).then(|| {
                let texts = item.values.iter().map(|value| match value {
                    SigmaValue::String(text) => text.original.clone(),
                    _ => "*".to_owned(),
                });
                texts.collect()
            })
        })),
        Detection::And(parts) => fewest(parts.iter().map(of_detection)),
        Detection::AnyOf(parts) => either(parts.iter().map(of_detection)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
            None
        }
    }
}

/// All must hold: the shortest list will do.
fn fewest(parts: impl Iterator<Item = Triggers>) -> Triggers {
    parts.flatten().min_by_key(Vec::len)
}

/// One must hold: every part must have a list.
fn either(parts: impl Iterator<Item = Triggers>) -> Triggers {
    let lists: Vec<Vec<String>> = parts.collect::<Option<_>>()?;
    let mut all: Vec<String> = lists.into_iter().flatten().collect();
    all.sort();
    all.dedup();
    (!all.is_empty()).then_some(all)
}

/// Rules by the facts they wait for.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<String, Vec<usize>>,
    prefixes: Vec<(String, Vec<usize>)>,
    always: Vec<usize>,
}

impl Index {
    /// Files `rule` under its triggers.
    pub(super) fn add(&mut self, rule: usize, triggers: Triggers) {
        let Some(triggers) = triggers else {
            self.always.push(rule);
            return;
        };
        for trigger in triggers {
            let Some(prefix) = trigger.strip_suffix('*') else {
                self.exact.entry(trigger).or_default().push(rule);
                continue;
            };
            match self.prefixes.iter_mut().find(|(known, _)| known == prefix) {
                Some((_, rules)) => rules.push(rule),
                None => self.prefixes.push((prefix.to_owned(), vec![rule])),
            }
        }
    }

    /// The rules that `facts` may concern, each once, in order.
    pub(super) fn asked<'f>(&self, facts: impl Iterator<Item = &'f str>) -> Vec<usize> {
        let mut asked = self.always.clone();
        for fact in facts {
            asked.extend(self.exact.get(fact).into_iter().flatten());
            let fitting = self.prefixes.iter().filter(|(prefix, _)| fact.starts_with(prefix));
            asked.extend(fitting.flat_map(|(_, rules)| rules));
        }
        asked.sort_unstable();
        asked.dedup();
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(detection: &str) -> Triggers {
        let yaml = format!("title: t\nlogsource: {{category: gen_ai}}\ndetection:\n{detection}");
        let parsed = rsigma_parser::parse_sigma_yaml(&yaml).unwrap();
        triggers(&parsed.rules[0].detection)
    }

    #[test]
    fn the_facts_a_rule_waits_for() {
        let one = "  a: {quell.fact: [x, y], quell.role: user}\n";
        let two = "  b: {quell.request.fact: 'z.*'}\n";
        let free = "  c: {quell.role: tool}\n";
        for (condition, expected) in [
            ("a", Some(vec!["x", "y"])),
            ("a and b", Some(vec!["z.*"])),
            ("a or b", Some(vec!["x", "y", "z.*"])),
            ("a and c", Some(vec!["x", "y"])),
            ("a and not b", Some(vec!["x", "y"])),
            ("a or c", None),
            ("not a", None),
            ("c", None),
            ("1 of them", None),
            ("all of them", Some(vec!["z.*"])),
        ] {
            let found = of(&format!("{one}{two}{free}  condition: {condition}\n"));
            let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!(found, expected, "{condition}");
        }
    }

    #[test]
    fn only_rules_whose_facts_are_there_are_asked() {
        let mut index = Index::default();
        index.add(0, Some(vec!["a.b".into()]));
        index.add(1, Some(vec!["a.*".into(), "c".into()]));
        assert_eq!(index.asked(["q"].into_iter()), Vec::<usize>::new());
        assert_eq!(index.asked(["a.b", "c"].into_iter()), [0, 1]);
        assert_eq!(index.asked(["a.z"].into_iter()), [1]);
        index.add(2, None);
        assert_eq!(index.asked(std::iter::empty()), [2]);
    }
}
