//! What sort of incident a set of findings is, with the reasons.

use std::collections::BTreeMap;

use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::taxonomy::TaxonomyRef;
use quell_domain::{IncidentKind, Severity, Signal};

/// Most reasons kept.
pub const REASONS_MAX: usize = 20;

/// What the findings are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classification {
    /// What sort.
    pub kind: IncidentKind,
    /// How sure.
    pub confidence: Confidence,
    /// Why, one sentence each, the kind's own rules first. No prompt text.
    pub reasons: Vec<String>,
    /// Framework references of every rule, sorted, each once.
    pub taxonomy: Vec<TaxonomyRef>,
}

/// How sure a classification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// One weak rule, or only rules in shadow mode.
    Possible,
    /// One rule that is trusted to signal.
    Likely,
    /// Several rules agree, or one that is trusted to block.
    Confirmed,
}

impl Confidence {
    /// The word people read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Confirmed => "confirmed",
        }
    }
}

/// Weight of one kind: worst severity first, then live rules, distinct rules, findings.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    severity: Option<Severity>,
    live: usize,
    rules: usize,
    findings: usize,
}

/// Classifies `signals`. No signals: unclassified, possible.
pub fn classify<'a>(signals: impl IntoIterator<Item = &'a Signal>) -> Classification {
    let mut by_rule: BTreeMap<&str, (&Signal, usize)> = BTreeMap::new();
    for signal in signals {
        by_rule.entry(&signal.rule).or_insert((signal, 0)).1 += 1;
    }
    let mut weights: BTreeMap<&str, (IncidentKind, Weight)> = BTreeMap::new();
    for (signal, count) in by_rule.values() {
        let (_, weight) =
            weights.entry(signal.kind.as_str()).or_insert_with(|| (signal.kind, Weight::default()));
        weight.severity = weight.severity.max(Some(signal.severity));
        weight.live += usize::from(signal.mode == RuleMode::Enforce);
        weight.rules += 1;
        weight.findings += count;
    }
    // A named kind beats "unclassified" whatever its weight; equal weights go by name.
    let named = |kind: IncidentKind| kind != IncidentKind::Unclassified;
    let kind = weights
        .values()
        .max_by(|(a, x), (b, y)| named(*a).cmp(&named(*b)).then(x.cmp(y)))
        .map_or(IncidentKind::Unclassified, |(kind, _)| *kind);

    let mut ranked: Vec<(&Signal, usize)> = by_rule.into_values().collect();
    ranked.sort_by_key(|(signal, _)| (signal.kind != kind, std::cmp::Reverse(signal.severity)));
    let confidence = confidence(kind, &ranked);
    let mut taxonomy: Vec<TaxonomyRef> =
        ranked.iter().flat_map(|(signal, _)| signal.taxonomy.iter().cloned()).collect();
    taxonomy.sort();
    taxonomy.dedup();
    let reasons = ranked.iter().take(REASONS_MAX).map(|(s, count)| reason(s, *count)).collect();
    Classification { kind, confidence, reasons, taxonomy }
}

fn confidence(kind: IncidentKind, ranked: &[(&Signal, usize)]) -> Confidence {
    let live: Vec<&Signal> = ranked
        .iter()
        .map(|(signal, _)| *signal)
        .filter(|signal| signal.kind == kind && signal.mode == RuleMode::Enforce)
        .collect();
    let trusted = live.iter().any(|signal| signal.effect != RuleEffect::Signal);
    if live.len() > 1 || trusted {
        Confidence::Confirmed
    } else if live.iter().any(|signal| signal.severity > Severity::Low) {
        Confidence::Likely
    } else {
        Confidence::Possible
    }
}

fn reason(signal: &Signal, count: usize) -> String {
    let side = match signal.direction {
        Direction::Input => "input",
        Direction::Output => "output",
    };
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let mut text = format!("Rule {} ({}) matched the {side} {times}", signal.rule, signal.title);
    if !signal.facts.is_empty() {
        let facts: Vec<&str> = signal.facts.iter().take(5).map(String::as_str).collect();
        text.push_str(": ");
        text.push_str(&facts.join(", "));
    }
    if signal.mode == RuleMode::Shadow {
        text.push_str("; it is in shadow mode");
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::signal;
    use IncidentKind as K;
    use Severity as S;

    #[test]
    fn the_worst_kind_wins_whatever_the_order() {
        let leak = signal("leak", K::DataExfiltration, S::High);
        let tries = [
            signal("a", K::Jailbreak, S::Medium),
            signal("b", K::Jailbreak, S::Medium),
            signal("c", K::Unclassified, S::Critical),
        ];
        let forward = classify(tries.iter().chain([&leak]));
        let backward = classify([&leak].into_iter().chain(tries.iter().rev()));
        assert_eq!(forward, backward);
        assert_eq!(forward.kind, K::DataExfiltration);
        assert!(forward.reasons[0].contains("Rule leak"), "{:?}", forward.reasons);
    }

    #[test]
    fn confidence_needs_agreement_or_a_rule_trusted_to_block() {
        let one = signal("a", K::Jailbreak, S::Medium);
        assert_eq!(classify([&one]).confidence, Confidence::Likely);
        let two = signal("b", K::Jailbreak, S::Low);
        assert_eq!(classify([&one, &two]).confidence, Confidence::Confirmed);
        let block = Signal { effect: RuleEffect::Block, ..two.clone() };
        assert_eq!(classify([&block]).confidence, Confidence::Confirmed);
        let shadow = Signal { mode: RuleMode::Shadow, ..block };
        assert_eq!(classify([&shadow]).confidence, Confidence::Possible);
        assert_eq!(classify([]).kind, K::Unclassified);
    }

    #[test]
    fn repetition_is_counted_once_per_rule() {
        let one = signal("a", K::Jailbreak, S::Medium);
        let found = classify([&one, &one, &one]);
        assert_eq!(found.reasons, ["Rule a (Rule a) matched the input 3 times."]);
    }
}
