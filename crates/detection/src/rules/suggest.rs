//! What an author may have meant.

/// A list of what would do.
pub(super) fn one_of(names: &[&str]) -> String {
    format!("use one of {}", names.join(", "))
}

/// The nearest known name, or the whole list if nothing is near.
pub(super) fn suggest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|name| (distance(wrong, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 4));
    match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.len() <= 32 => one_of(&known),
        None => "the facts are those of the pattern packs and analyzers; see docs/rules.md".into(),
    }
}

/// Edit distance, cut at 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
