//! Rules that name rules: correlations and filters.

use std::collections::{BTreeMap, BTreeSet};

use super::load::{Body, Header, Loaded};

/// Correlations and filters may only name rules that exist, by name or Sigma id; correlations may
/// not count in a circle.
pub(super) fn check_references(loaded: &mut Loaded) {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for Header { id, sigma_id, .. } in loaded.rules.iter().map(|rule| &rule.header) {
        names.insert(id.clone(), id.clone());
        names.extend(sigma_id.iter().map(|sigma| (sigma.clone(), id.clone())));
    }
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in &mut loaded.rules {
        let Body::Correlation(correlation) = &mut rule.body else {
            continue;
        };
        let place = (rule.header.path.clone(), rule.header.line, rule.header.id.clone());
        for missing in resolve(&mut correlation.rules, &names) {
            wrong.push((place.clone(), format!("it counts `{missing}`, which is no rule")));
        }
        counts.insert(rule.header.id.clone(), correlation.rules.clone());
    }
    for rule in &loaded.rules {
        if matches!(rule.body, Body::Correlation(_)) && in_circle(&rule.header.id, &counts) {
            let place = (rule.header.path.clone(), rule.header.line, rule.header.id.clone());
            wrong.push((place, "it counts itself, directly or through others".to_owned()));
        }
    }
    for (info, _) in &mut loaded.filters {
        let place = (info.pack.clone(), info.line, info.id.clone());
        for missing in resolve(&mut info.rules, &names) {
            wrong.push((place.clone(), format!("it filters `{missing}`, which is no rule")));
        }
        for name in info.rules.iter().filter(|name| counts.contains_key(*name)) {
            let message = format!("`{name}` is a correlation; filter the rules it counts");
            wrong.push((place.clone(), message));
        }
    }
    for ((path, line, rule), message) in wrong {
        loaded.problem(&path, line, &rule, message, "name a rule by its `name` or Sigma `id`");
    }
}

/// Turns Sigma ids into names; gives back what is neither.
fn resolve(rules: &mut [String], names: &BTreeMap<String, String>) -> Vec<String> {
    let mut missing = Vec::new();
    for rule in rules {
        match names.get(rule) {
            Some(name) => rule.clone_from(name),
            None => missing.push(rule.clone()),
        }
    }
    missing
}

fn in_circle(start: &str, counts: &BTreeMap<String, Vec<String>>) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(name) = open.pop() {
        for counted in counts.get(name).into_iter().flatten() {
            if counted == start {
                return true;
            }
            if seen.insert(counted) {
                open.push(counted);
            }
        }
    }
    false
}
