//! Which incident a finding belongs to.
//!
//! Findings of one exchange belong together. They join an open incident of the same application
//! when it is about the same principal and kind, or about the same technique: one technique used
//! by several people is one incident that spreads, not several incidents.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_domain::rule::RuleEffect;
use quell_domain::{IncidentKind, IncidentRecord, Principal, Severity, Signal};

/// How long after its last finding an incident still takes findings of the same principal.
pub const PRINCIPAL_WINDOW: Duration = Duration::from_hours(1);
/// How long after its last finding an incident still takes findings of the same technique.
pub const TECHNIQUE_WINDOW: Duration = Duration::from_hours(24);

/// The findings of one exchange, or of one correlation.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The application.
    pub application: &'a str,
    /// What sort.
    pub kind: IncidentKind,
    /// The rules that matched.
    pub rules: BTreeSet<&'a str>,
    /// Who.
    pub principal: &'a Principal,
    /// When it happened, by the record's own time.
    pub at: Timestamp,
}

/// An open incident and the rules its findings came from.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// The incident.
    pub incident: &'a IncidentRecord,
    /// The rules.
    pub rules: &'a BTreeSet<String>,
}

/// Why findings join an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JoinReason {
    /// The same technique, used by somebody the incident did not know: it spreads.
    Spread,
    /// The same technique and principal.
    Repetition,
    /// The same principal with another technique of the same kind.
    SamePrincipal,
}

/// Whether live findings are worth an incident of their own: something was stopped, or a rule says
/// that it is of medium severity at least. Lesser ones stay signals until they belong to an incident
/// or a correlation counts them: people on call are woken for what somebody has to act on.
pub fn opens(live: &[Signal]) -> bool {
    live.iter()
        .any(|signal| signal.effect != RuleEffect::Signal || signal.severity >= Severity::Medium)
}

/// The stored key of an incident opened for `candidate`: application, kind and technique.
pub fn group_key(candidate: &Candidate<'_>) -> String {
    let rule = candidate.rules.first().copied().unwrap_or("none");
    format!("{}/{}/{rule}", candidate.application, candidate.kind)
}

/// Whether `candidate` belongs to `group`, and why.
pub fn joins(group: &Group<'_>, candidate: &Candidate<'_>) -> Option<JoinReason> {
    let incident = group.incident;
    if !incident.state.is_open() || incident.application != candidate.application {
        return None;
    }
    let knows = knows(incident, candidate.principal);
    let same_technique = candidate.rules.iter().any(|rule| group.rules.contains(*rule));
    if same_technique && is_within(incident, candidate.at, TECHNIQUE_WINDOW) {
        return Some(if knows { JoinReason::Repetition } else { JoinReason::Spread });
    }
    let same_kind = incident.kind == candidate.kind;
    let joined = knows && same_kind && is_within(incident, candidate.at, PRINCIPAL_WINDOW);
    joined.then_some(JoinReason::SamePrincipal)
}

/// Records may arrive late and out of order, so the window reaches both ways.
fn is_within(incident: &IncidentRecord, at: Timestamp, window: Duration) -> bool {
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    let first = incident.first_signal_at.unwrap_or(incident.opened_at);
    let last = incident.last_signal_at.unwrap_or(incident.opened_at);
    at.duration_since(last) <= window && first.duration_since(at) <= window
}

/// Whether the incident already concerns the principal. The narrowest claim decides: many users
/// share one key or one address, and that does not make them one.
fn knows(incident: &IncidentRecord, principal: &Principal) -> bool {
    let affected = &incident.affected;
    if let Some(user) = &principal.user {
        affected.users.contains(&user.value)
    } else if let Some(session) = &principal.session {
        affected.sessions.contains(&session.value)
    } else if let Some(address) = &principal.address {
        affected.addresses.contains(address)
    } else if let Some(key) = principal.key {
        affected.keys.contains(&key.to_string())
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, incident, signal, user};

    fn candidate<'a>(
        rule: &'a str,
        kind: IncidentKind,
        principal: &'a Principal,
        second: i64,
    ) -> Candidate<'a> {
        let (rules, at) = (BTreeSet::from([rule]), at(second));
        Candidate { application: "shop", kind, rules, principal, at }
    }

    #[test]
    fn findings_join_by_technique_or_by_principal_within_their_windows() {
        use IncidentKind as K;
        use JoinReason as J;
        let mut case = incident(1);
        let (mallory, alice) = (user("mallory"), user("alice"));
        case.affected.add(&mallory);
        let rules = BTreeSet::from(["roleplay".to_owned()]);
        let group = Group { incident: &case, rules: &rules };
        let hour = 3_600;
        let cases = [
            ("roleplay", K::Jailbreak, &mallory, 10, Some(J::Repetition)),
            ("roleplay", K::Jailbreak, &alice, 10, Some(J::Spread)),
            ("roleplay", K::Jailbreak, &alice, 24 * hour, Some(J::Spread)),
            ("roleplay", K::Jailbreak, &alice, 24 * hour + 1, None),
            ("encoded", K::Jailbreak, &mallory, hour, Some(J::SamePrincipal)),
            ("encoded", K::Jailbreak, &mallory, hour + 1, None),
            ("encoded", K::Jailbreak, &alice, 10, None),
            ("leak", K::DataExfiltration, &mallory, 10, None),
        ];
        for (rule, kind, who, second, expected) in cases {
            let found = joins(&group, &candidate(rule, kind, who, second));
            assert_eq!(found, expected, "{rule} {second}");
        }
    }

    #[test]
    fn lesser_findings_alone_open_no_incident() {
        let low = signal("key_pasted", IncidentKind::CredentialCompromise, Severity::Low);
        let medium = signal("roleplay", IncidentKind::Jailbreak, Severity::Medium);
        let stopped = Signal { effect: RuleEffect::Redact, ..low.clone() };
        assert!(!opens(&[]));
        assert!(!opens(&[low.clone(), low.clone()]));
        assert!(opens(&[low.clone(), medium]));
        assert!(opens(&[low, stopped]));
    }

    #[test]
    fn closed_incidents_and_other_applications_take_nothing() {
        let mallory = user("mallory");
        let rules = BTreeSet::from(["roleplay".to_owned()]);
        let mut case = incident(1);
        let asked = candidate("roleplay", IncidentKind::Jailbreak, &mallory, 1);
        case.state = quell_domain::IncidentState::Closed;
        assert_eq!(joins(&Group { incident: &case, rules: &rules }, &asked), None);
        case.state = quell_domain::IncidentState::Active;
        case.application = "bank".into();
        assert_eq!(joins(&Group { incident: &case, rules: &rules }, &asked), None);
    }

    #[test]
    fn a_shared_address_does_not_make_two_users_one() {
        let mut case = incident(1);
        let address = Some("203.0.113.9".to_owned());
        case.affected.add(&Principal { address: address.clone(), ..user("mallory") });
        let alice = Principal { address, ..user("alice") };
        let rules = BTreeSet::new();
        let group = Group { incident: &case, rules: &rules };
        assert_eq!(joins(&group, &candidate("x", IncidentKind::Jailbreak, &alice, 1)), None);
    }
}
