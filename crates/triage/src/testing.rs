//! Samples for this crate's tests.

use jiff::Timestamp;
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::{
    AffectedPrincipals, Graded, IncidentKind, IncidentRecord, IncidentState, Principal, Severity,
    Signal, TrustGrade,
};

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn incident(number: u128) -> IncidentRecord {
    IncidentRecord {
        id: format!("inc_{number:032x}").parse().unwrap(),
        number: "INC-2027-0001".into(),
        application: "shop".into(),
        kind: IncidentKind::Jailbreak,
        severity: Severity::Low,
        severity_rationale: String::new(),
        state: IncidentState::Triage,
        title: "test".into(),
        summary: String::new(),
        reasons: Vec::new(),
        taxonomy: Vec::new(),
        grouping_key: "shop/jailbreak/roleplay".into(),
        affected: AffectedPrincipals::default(),
        first_signal_at: Some(at(0)),
        last_signal_at: Some(at(0)),
        opened_at: at(0),
        declared_at: None,
        contained_at: None,
        closed_at: None,
        closing_reason: None,
        merged_into: None,
        signal_count: 1,
        version: 1,
    }
}

pub(crate) fn signal(rule: &str, kind: IncidentKind, severity: Severity) -> Signal {
    Signal {
        id: format!("{rule}-1"),
        rule: rule.into(),
        title: format!("Rule {rule}"),
        kind,
        severity,
        effect: RuleEffect::Signal,
        mode: RuleMode::Enforce,
        direction: Direction::Input,
        facts: Vec::new(),
        spans: Vec::new(),
        taxonomy: Vec::new(),
        suppressed_by: None,
    }
}

pub(crate) fn user(name: &str) -> Principal {
    let user = Some(Graded { value: name.into(), grade: TrustGrade::Asserted });
    Principal { user, ..Principal::default() }
}
