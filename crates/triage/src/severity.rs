//! How bad an incident is, by written rules with a rationale.

use quell_domain::{IncidentKind, Severity};
use serde::Deserialize;

use crate::impact::Impact;

const SHIPPED: &str = include_str!("../../../content/triage/severity.yaml");

/// The severity rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeverityRules {
    /// From this severity on an incident is declared by itself.
    declare_from: Severity,
    rules: Vec<SeverityRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeverityRule {
    id: String,
    #[serde(default)]
    when: Condition,
    severity: Level,
    because: String,
}

/// All of it must hold; each part is an "at least".
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Condition {
    kinds: Vec<IncidentKind>,
    took_effect: bool,
    leaked_chars: u64,
    principals: u64,
    interactions: u64,
    criticality: Option<Severity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Low,
    Medium,
    High,
    Critical,
    Signal,
    SignalMinusOne,
}

/// What the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How bad.
    pub severity: Severity,
    /// The rule that decided.
    pub rule: String,
    /// Why, in words: every rule that led to this severity.
    pub rationale: String,
    /// Whether an incident this bad is declared by itself.
    pub declare: bool,
}

/// Severity rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("severity rules: {0}")]
pub struct SeverityRulesError(String);

// === impl SeverityRules ===

impl SeverityRules {
    /// Reads rules in the form of `content/triage/severity.yaml`.
    pub fn parse(text: &str) -> Result<Self, SeverityRulesError> {
        let rules: Self =
            serde_saphyr::from_str(text).map_err(|error| SeverityRulesError(error.to_string()))?;
        if rules.rules.is_empty() {
            return Err(SeverityRulesError("there is not a single rule".into()));
        }
        let mut seen = std::collections::BTreeSet::new();
        match rules.rules.iter().find(|rule| !seen.insert(&rule.id)) {
            Some(twice) => Err(SeverityRulesError(format!("the id {} is used twice", twice.id))),
            None => Ok(rules),
        }
    }

    /// The rules that come with the product.
    ///
    /// # Panics
    /// Never: a test parses the embedded content.
    #[expect(clippy::expect_used, reason = "the embedded content is parsed by a test")]
    pub fn shipped() -> Self {
        Self::parse(SHIPPED).expect("the embedded severity rules are well-formed")
    }

    /// How bad `impact` is, for this kind, in an application of this criticality.
    pub fn judge(&self, kind: IncidentKind, impact: &Impact, criticality: Severity) -> Verdict {
        let applies = |rule: &&SeverityRule| rule.when.holds(kind, impact, criticality);
        let found: Vec<(Severity, &SeverityRule)> = self
            .rules
            .iter()
            .filter(applies)
            .map(|rule| (rule.severity.resolve(impact), rule))
            .collect();
        let severity = found.iter().map(|(level, _)| *level).max().unwrap_or(Severity::Low);
        let deciding: Vec<&SeverityRule> =
            found.iter().filter(|(level, _)| *level == severity).map(|(_, rule)| *rule).collect();
        let reasons: Vec<&str> = deciding.iter().map(|rule| rule.because.as_str()).collect();
        Verdict {
            severity,
            rule: deciding.first().map_or_else(|| "none".to_owned(), |rule| rule.id.clone()),
            rationale: reasons.join(" "),
            declare: severity >= self.declare_from,
        }
    }
}

// === impl Condition ===

impl Condition {
    fn holds(&self, kind: IncidentKind, impact: &Impact, criticality: Severity) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (!self.took_effect || impact.took_effect)
            && impact.leaked_chars >= self.leaked_chars
            && impact.principals >= self.principals
            && impact.interactions >= self.interactions
            && self.criticality.is_none_or(|least| criticality >= least)
    }
}

// === impl Level ===

impl Level {
    fn resolve(self, impact: &Impact) -> Severity {
        let signal = impact.signal_severity.unwrap_or(Severity::Low);
        match (self, signal) {
            (Self::Low, _) | (Self::SignalMinusOne, Severity::Medium | Severity::Low) => {
                Severity::Low
            }
            (Self::Medium, _) | (Self::SignalMinusOne, Severity::High) => Severity::Medium,
            (Self::High, _) | (Self::SignalMinusOne, Severity::Critical) => Severity::High,
            (Self::Critical, _) => Severity::Critical,
            (Self::Signal, signal) => signal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IncidentKind as K;
    use Severity as S;
    use proptest::prelude::*;

    fn impact(severity: S, took_effect: bool, leaked_chars: u64, principals: u64) -> Impact {
        let signal_severity = Some(severity);
        Impact { signal_severity, took_effect, leaked_chars, principals, interactions: principals }
    }

    #[test]
    fn severity_follows_what_happened() {
        let rules = SeverityRules::shipped();
        let cases = [
            (K::Jailbreak, impact(S::High, false, 0, 1), S::Medium, S::Medium, "attempt"),
            (K::Jailbreak, impact(S::High, true, 0, 1), S::Medium, S::High, "took-effect"),
            (K::Jailbreak, impact(S::Medium, false, 0, 3), S::Medium, S::High, "spread"),
            (K::Jailbreak, impact(S::Medium, true, 0, 10), S::Medium, S::Critical, "wide-spread"),
            (K::DataExfiltration, impact(S::Medium, true, 4, 1), S::Low, S::High, "data-left"),
            (
                K::DataExfiltration,
                impact(S::Medium, true, 5_000, 1),
                S::Low,
                S::Critical,
                "much-data-left",
            ),
            (K::Hallucination, impact(S::Low, true, 0, 1), S::Critical, S::High, "critical-app"),
        ];
        for (kind, impact, criticality, expected, rule) in cases {
            let verdict = rules.judge(kind, &impact, criticality);
            assert_eq!(verdict.severity, expected, "{kind} {impact:?}: {verdict:?}");
            assert!(verdict.rule.starts_with(rule), "{verdict:?}");
            assert!(!verdict.rationale.is_empty());
            assert_eq!(verdict.declare, expected >= S::High);
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = "declare_from: high\nrules:\n  - id: a\n    severity: low\n    becuase: x\n";
        assert!(SeverityRules::parse(text).is_err());
    }

    proptest! {
        #[test]
        fn more_of_anything_never_lowers_it(
            kind in 0_usize..16, severity in 0_usize..4, criticality in 0_usize..4,
            a in (any::<bool>(), 0_u64..3_000, 1_u64..20, 1_u64..200),
            more in (any::<bool>(), 0_u64..3_000, 0_u64..20, 0_u64..200),
        ) {
            let rules = SeverityRules::shipped();
            let (kind, criticality) = (K::ALL[kind], S::ALL[criticality]);
            let less = Impact {
                signal_severity: Some(S::ALL[severity]), took_effect: a.0, leaked_chars: a.1,
                principals: a.2, interactions: a.3,
            };
            let worse = Impact {
                took_effect: less.took_effect || more.0, leaked_chars: less.leaked_chars + more.1,
                principals: less.principals + more.2, interactions: less.interactions + more.3,
                ..less
            };
            let before = rules.judge(kind, &less, criticality).severity;
            prop_assert!(rules.judge(kind, &worse, criticality).severity >= before);
        }
    }
}
