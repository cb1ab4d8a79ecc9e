//! The facts that patterns and analyzers state about a sample, as the gateway would hear them.

use quell_detection::{Budget, Context, Findings, PatternSet, RuleSet};
use quell_domain::id::InteractionId;
use quell_domain::interaction::{Endpoint, Role, TextField};
use quell_domain::principal::Principal;

use crate::sample::Sample;

/// Bytes × passes that a single text may cost here.
const WORK: u64 = 64 << 20;

/// Judges one text alone, as the gateway would: as a request's, or as the answer to `system`.
pub fn inspect(
    rules: &RuleSet,
    role: Role,
    text: &str,
    system: &str,
    interaction: InteractionId,
) -> Findings {
    inspect_turns(rules, &[(role, text)], system, interaction)
}

/// Judges several turns of one request together.
pub fn inspect_turns(
    rules: &RuleSet,
    turns: &[(Role, &str)],
    system: &str,
    interaction: InteractionId,
) -> Findings {
    let principal = Principal::default();
    let parameters = serde_json::Map::new();
    let context = Context {
        application: "training",
        endpoint: Endpoint::ChatCompletions,
        model: None,
        principal: &principal,
        system_text: system,
        canaries: &[],
        tools_offered: &[],
        review: quell_detection::Review::default(),
        stream: false,
        parameters: &parameters,
    };
    let field = |(place, (role, text)): (usize, &(Role, &str))| TextField {
        field: format!("/messages/{place}/content"),
        role: *role,
        part: "content".into(),
        text: (*text).to_owned(),
    };
    let fields: Vec<TextField> = turns.iter().enumerate().map(field).collect();
    let (mut budget, none) = (Budget::new(WORK), PatternSet::empty());
    if turns.iter().any(|(role, _)| *role == Role::Assistant) {
        rules.inspect_response(&context, &none, &fields, &mut budget, interaction, &[])
    } else {
        rules.inspect_request(&context, &none, &fields, &mut budget, interaction, None)
    }
}

/// States the facts of `sample`, sorted; those of the classifier are left out, for it learns here.
pub fn state(rules: &RuleSet, sample: &mut Sample, interaction: InteractionId) {
    let found = inspect(rules, sample.role, &sample.text, "", interaction);
    let plain = |fact: String| match fact.strip_prefix("tool.") {
        Some(rest) if rest.contains('.') => rest.to_owned(),
        _ => fact,
    };
    sample.facts = found.facts.into_iter().map(plain).collect();
    sample
        .facts
        .retain(|fact| !fact.starts_with("classifier.") && !fact.starts_with("conversation."));
    sample.facts.sort_unstable();
    sample.facts.dedup();
}
