//! Text conditions become patterns when rules load: the gateway matches text in one place only.
//! A rule whose text conditions cannot become patterns runs after the exchange.

use quell_domain::rule::Direction;
use rsigma_parser::{
    Detection, DetectionItem, FieldSpec, Modifier, SigmaRule, SigmaString, SigmaValue, StringPart,
};

use crate::event::{FACT_FIELDS, LATE_FIELDS, TEXT_FIELDS};
use crate::patterns::{Found, MAX_LEN, PatternSpec, keywords_of, parse_regex};

/// What became of a rule.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    /// Patterns that stand for its text conditions.
    pub(super) patterns: Vec<PatternSpec>,
    /// Facts it rests on, some with a trailing `*`.
    pub(super) facts: Vec<String>,
    /// Why it can only run after the exchange.
    pub(super) late: Vec<String>,
    /// What is wrong with it.
    pub(super) errors: Vec<String>,
}

/// Lowers the text conditions of `rule`, which is named `name`.
pub(super) fn lower(rule: &mut SigmaRule, name: &str, direction: Direction) -> Lowered {
    let mut out = Lowered::default();
    let mut lowerer = Lowerer { name, direction, out: &mut out };
    for detection in rule.detection.named.values_mut() {
        lowerer.detection(detection);
    }
    out
}

struct Lowerer<'a> {
    name: &'a str,
    direction: Direction,
    out: &'a mut Lowered,
}

impl Lowerer<'_> {
    fn detection(&mut self, detection: &mut Detection) {
        match detection {
            Detection::AllOf(items) => {
                *items =
                    std::mem::take(items).into_iter().flat_map(|item| self.item(item)).collect();
            }
            Detection::AnyOf(parts) | Detection::And(parts) => {
                for part in parts {
                    self.detection(part);
                }
            }
            Detection::Keywords(_) => {
                self.out.errors.push("words without a field are not supported".into());
            }
            Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
                self.out.errors.push("array blocks are not supported".into());
            }
        }
    }

    fn item(&mut self, item: DetectionItem) -> Vec<DetectionItem> {
        let field = item.field.name.clone().unwrap_or_default();
        if FACT_FIELDS.contains(&field.as_str()) {
            return self.facts(&field, item);
        }
        if LATE_FIELDS.contains(&field.as_str()) {
            self.out.late.push(format!("`{field}` is known only then"));
        }
        if TEXT_FIELDS.contains(&field.as_str()) {
            return self.text(&field, item);
        }
        vec![item]
    }

    /// `|all` over facts becomes one condition a fact: a list field is matched value by value.
    fn facts(&mut self, field: &str, item: DetectionItem) -> Vec<DetectionItem> {
        self.out.facts.extend(item.values.iter().filter_map(plain_or_prefix));
        if !item.field.has_modifier(Modifier::All) {
            return vec![item];
        }
        let spec = FieldSpec::new(Some(field.to_owned()), Vec::new());
        item.values
            .into_iter()
            .map(|value| DetectionItem { field: spec.clone(), values: vec![value] })
            .collect()
    }

    fn text(&mut self, field: &str, item: DetectionItem) -> Vec<DetectionItem> {
        let expected = match self.direction {
            Direction::Input => TEXT_FIELDS[0],
            Direction::Output => TEXT_FIELDS[1],
        };
        if field != expected {
            let direction = self.direction;
            self.out.errors.push(format!(
                "`{field}` is never seen by a rule with `direction: {direction}`; use `{expected}`"
            ));
            return vec![item];
        }
        let groups: Vec<Vec<SigmaValue>> = if item.field.has_modifier(Modifier::All) {
            item.values.iter().map(|value| vec![value.clone()]).collect()
        } else {
            vec![item.values.clone()]
        };
        let mut lowered = Vec::new();
        for values in &groups {
            match self.patterns(&item.field, values) {
                Ok(patterns) => lowered.push(patterns),
                Err(reason) => {
                    self.out.late.push(format!("`{field}`: {reason}"));
                    return vec![item];
                }
            }
        }
        let fact_field = FieldSpec::new(Some(FACT_FIELDS[0].to_owned()), Vec::new());
        lowered
            .into_iter()
            .map(|mut patterns| {
                let fact = format!("text.{}.{}", self.name, self.out.facts.len());
                for pattern in &mut patterns {
                    pattern.fact.clone_from(&fact);
                }
                self.out.patterns.extend(patterns);
                self.out.facts.push(fact.clone());
                DetectionItem {
                    field: fact_field.clone(),
                    values: vec![SigmaValue::String(SigmaString::new(&fact))],
                }
            })
            .collect()
    }

    fn patterns(
        &self,
        field: &FieldSpec,
        values: &[SigmaValue],
    ) -> Result<Vec<PatternSpec>, String> {
        let mut found = Vec::new();
        for value in values {
            let SigmaValue::String(text) = value else {
                return Err("only text can be looked for in text".into());
            };
            let id = format!("rule.{}.{}.{}", self.name, self.out.facts.len(), found.len());
            let mut spec = PatternSpec::literal(&id, "", &text.original);
            spec.directions = vec![self.direction];
            spec.exact = field.has_modifier(Modifier::Cased);
            if field.has_modifier(Modifier::Re) {
                regex(&mut spec, &text.original)?;
            } else if field.has_modifier(Modifier::Contains) {
                let plain = plain(text).ok_or("wildcards cannot become a pattern; use |re")?;
                spec.keywords = vec![plain];
            } else {
                return Err("only |contains and |re can become patterns".into());
            }
            found.push(spec);
        }
        Ok(found)
    }
}

fn regex(spec: &mut PatternSpec, source: &str) -> Result<(), String> {
    let hir = parse_regex(&spec.id, source, true).map_err(|error| error.message)?;
    let found = keywords_of(&hir, false).ok_or("the regex has no fixed part of three letters")?;
    spec.regex = Some(source.to_owned());
    spec.max_len = MAX_LEN / 4;
    (spec.keywords, spec.hold) = match found {
        Found::Prefix(words) => (words, true),
        Found::Inside(words) => (words, false),
    };
    Ok(())
}

fn plain(text: &SigmaString) -> Option<String> {
    match text.parts.as_slice() {
        [StringPart::Plain(plain)] => Some(plain.clone()),
        _ => None,
    }
}

fn plain_or_prefix(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => Some(text.original.clone()),
        _ => None,
    }
}
