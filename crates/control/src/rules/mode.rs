//! Gives one rule of a pack another mode by changing that one word in its file. Gateways then get
//! the changed file like any other override, and its digest says what was in force.

use quell_detection::content;
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;

use crate::refused::Refused;

/// Changes the mode of `rule` in `stored`, taking the shipped file in if it is not there yet. A
/// rule that no longer exists is left alone.
pub(super) fn apply(
    stored: &mut Vec<ContentFile>,
    rule: &str,
    mode: RuleMode,
) -> Result<(), Refused> {
    let own = stored.iter().position(|file| find(&file.text, rule).is_some());
    let index = if let Some(index) = own {
        index
    } else {
        let replaced = |file: &ContentFile| stored.iter().any(|s| s.path == file.path);
        let shipped = content::embedded()
            .into_iter()
            .find(|file| find(&file.text, rule).is_some() && !replaced(file));
        let Some(file) = shipped else { return Ok(()) };
        stored.push(file);
        stored.len() - 1
    };
    let file = &mut stored[index];
    file.text = with_mode(&file.text, rule, mode).ok_or_else(|| {
        let message = format!("rule {rule} in {} has no `quell:` section", file.path);
        Refused::invalid("content.rules", message)
    })?;
    Ok(())
}

/// The line range of the document that names `rule`.
fn find(text: &str, rule: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    let mut named = false;
    let mut lines = 0;
    for (index, line) in text.lines().enumerate() {
        lines = index + 1;
        if line.starts_with("---") {
            if named {
                return Some((start, index));
            }
            start = index + 1;
        } else if let Some(name) = line.strip_prefix("name:") {
            named |= unquoted(name) == rule;
        }
    }
    named.then_some((start, lines))
}

fn unquoted(value: &str) -> &str {
    let value = value.split(" #").next().unwrap_or(value);
    value.trim().trim_matches(|c| c == '"' || c == '\'')
}

fn with_mode(text: &str, rule: &str, mode: RuleMode) -> Option<String> {
    let (start, end) = find(text, rule)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let section = (start..end).find(|index| lines[*index].trim_end() == "quell:")?;
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = (section + 1..end)
        .take_while(|index| lines[*index].trim().is_empty() || indent(&lines[*index]) > 0)
        .find(|index| lines[*index].trim_start().starts_with("mode:"));
    if let Some(index) = own {
        let width = indent(&lines[index]);
        lines[index] = format!("{}mode: {mode}", " ".repeat(width));
    } else {
        let width = lines.get(section + 1).map_or(2, |line| indent(line).max(1));
        lines.insert(section + 1, format!("{}mode: {mode}", " ".repeat(width)));
    }
    lines.push(String::new());
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_detection::RuleSet;

    #[test]
    fn every_shipped_rule_can_be_given_either_mode() {
        let plain = RuleSet::embedded().unwrap();
        let wanted = |index: usize, turn: usize| RuleMode::ALL[(index + turn) % 2];
        for turn in 0..2 {
            let mut stored = Vec::new();
            for (index, info) in plain.rules().iter().enumerate() {
                apply(&mut stored, &info.id, wanted(index, turn)).unwrap();
            }
            let changed = RuleSet::with_overrides(&stored).unwrap();
            for (index, info) in plain.rules().iter().enumerate() {
                let mode = changed.rule(&info.id).unwrap().mode;
                assert_eq!(mode, wanted(index, turn), "{}", info.id);
            }
        }
    }

    #[test]
    fn only_the_one_line_changes() {
        let text = "name: a\nquell:\n  kind: jailbreak\n---\nname: b # second\nquell:\n  \
                    kind: jailbreak\n  mode: shadow\n";
        let changed = with_mode(text, "b", RuleMode::Enforce).unwrap();
        assert_eq!(changed, text.replace("shadow", "enforce"));
        let added = with_mode(text, "a", RuleMode::Enforce).unwrap();
        assert_eq!(added, text.replacen("quell:\n", "quell:\n  mode: enforce\n", 1));
        assert_eq!(with_mode(text, "c", RuleMode::Enforce), None);
    }
}
