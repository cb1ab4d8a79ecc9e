//! How an incident moves: triage → active ↔ contained → eradicating → recovering → monitoring →
//! closed; or false_positive, or merged; and back to active when it was not over.

use jiff::Timestamp;
use quell_domain::{Actor, IncidentId, IncidentRecord, IncidentState, Severity};

/// What can happen to an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncidentEvent {
    /// It is one: people are on it.
    Declare,
    /// It was none.
    Dismiss {
        /// Why.
        reason: String,
    },
    /// It continues in another.
    Merge {
        /// The other.
        into: IncidentId,
    },
    /// Harm has stopped.
    Contain,
    /// Harm goes on after all.
    Relapse {
        /// What was seen.
        reason: String,
    },
    /// Work on the cause begins.
    Eradicate,
    /// Traffic comes back step by step.
    Recover,
    /// Back to normal, watched.
    Monitor,
    /// Done.
    Close {
        /// Why.
        reason: String,
    },
    /// It was not over.
    Reopen {
        /// What was seen.
        reason: String,
    },
}

impl IncidentEvent {
    /// The verb, as used in timeline events: `incident.<verb>`.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Declare => "declared",
            Self::Dismiss { .. } => "dismissed",
            Self::Merge { .. } => "merged",
            Self::Contain => "contained",
            Self::Relapse { .. } => "relapsed",
            Self::Eradicate => "eradicating",
            Self::Recover => "recovering",
            Self::Monitor => "monitoring",
            Self::Close { .. } => "closed",
            Self::Reopen { .. } => "reopened",
        }
    }

    /// The reason it carries.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Dismiss { reason }
            | Self::Relapse { reason }
            | Self::Close { reason }
            | Self::Reopen { reason } => Some(reason),
            _ => None,
        }
    }
}

/// Why an incident does not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not from this state.
    #[error("an incident that is {state} cannot become {event}")]
    State {
        /// Where it stands.
        state: IncidentState,
        /// The verb of the event.
        event: &'static str,
    },
    /// No reason given where one is due.
    #[error("a reason is needed")]
    NoReason,
    /// Into itself.
    #[error("an incident cannot be merged into itself")]
    Itself,
    /// Only people lower severity.
    #[error("only a person can lower severity from {from} to {to}")]
    OnlyPeopleLower {
        /// What it is.
        from: Severity,
        /// What was asked for.
        to: Severity,
    },
    /// It is over.
    #[error("the incident is {0}; reopen it first")]
    Over(IncidentState),
}

/// The incident after `event` at `now`.
pub fn apply(
    incident: &IncidentRecord,
    event: &IncidentEvent,
    now: Timestamp,
) -> Result<IncidentRecord, Refused> {
    use IncidentState as S;
    if event.reason().is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Refused::NoReason);
    }
    let mut next = incident.clone();
    next.state = match (event, incident.state) {
        (IncidentEvent::Declare, S::Triage) => {
            next.declared_at = Some(now);
            S::Active
        }
        (IncidentEvent::Dismiss { .. }, S::Triage) => S::FalsePositive,
        (IncidentEvent::Merge { into }, S::Triage) => {
            if *into == incident.id {
                return Err(Refused::Itself);
            }
            next.merged_into = Some(*into);
            S::Merged
        }
        (IncidentEvent::Contain, S::Active) => {
            next.contained_at = Some(now);
            S::Contained
        }
        (IncidentEvent::Relapse { .. }, S::Contained) => {
            next.contained_at = None;
            S::Active
        }
        (IncidentEvent::Eradicate, S::Active | S::Contained) => S::Eradicating,
        (IncidentEvent::Recover, S::Active | S::Contained | S::Eradicating) => S::Recovering,
        (IncidentEvent::Monitor, S::Recovering) => S::Monitoring,
        (IncidentEvent::Close { .. }, S::Active | S::Monitoring) => S::Closed,
        (IncidentEvent::Reopen { .. }, S::Monitoring | S::Closed) => {
            next.closed_at = None;
            next.closing_reason = None;
            next.contained_at = None;
            S::Active
        }
        (_, state) => return Err(Refused::State { state, event: event.verb() }),
    };
    if !next.state.is_open() {
        next.closed_at = Some(now);
        next.closing_reason = event.reason().map(str::to_owned);
    }
    Ok(next)
}

/// The events that an incident in `state` could take, by verb.
pub fn possible(state: IncidentState) -> &'static [&'static str] {
    use IncidentState as S;
    match state {
        S::Triage => &["declared", "dismissed", "merged"],
        S::Active => &["contained", "eradicating", "recovering", "closed"],
        S::Contained => &["relapsed", "eradicating", "recovering"],
        S::Eradicating => &["recovering"],
        S::Recovering => &["monitoring"],
        S::Monitoring => &["closed", "reopened"],
        S::Closed => &["reopened"],
        S::FalsePositive | S::Merged => &[],
    }
}

/// The incident with another severity. Rules and policies may only raise it; people may lower it,
/// with a reason.
pub fn set_severity(
    incident: &IncidentRecord,
    severity: Severity,
    rationale: &str,
    actor: &Actor,
) -> Result<IncidentRecord, Refused> {
    if !incident.state.is_open() {
        return Err(Refused::Over(incident.state));
    }
    if rationale.trim().is_empty() {
        return Err(Refused::NoReason);
    }
    if severity < incident.severity && !actor.is_person() {
        return Err(Refused::OnlyPeopleLower { from: incident.severity, to: severity });
    }
    let severity_rationale = rationale.to_owned();
    Ok(IncidentRecord { severity, severity_rationale, ..incident.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, incident};
    use proptest::prelude::*;

    fn event(choice: u8) -> IncidentEvent {
        let reason = String::from("because");
        match choice % 10 {
            0 => IncidentEvent::Declare,
            1 => IncidentEvent::Dismiss { reason },
            2 => IncidentEvent::Merge { into: incident(99).id },
            3 => IncidentEvent::Contain,
            4 => IncidentEvent::Relapse { reason },
            5 => IncidentEvent::Eradicate,
            6 => IncidentEvent::Recover,
            7 => IncidentEvent::Monitor,
            8 => IncidentEvent::Close { reason },
            _ => IncidentEvent::Reopen { reason },
        }
    }

    proptest! {
        #[test]
        fn every_path_follows_the_contract(choices in proptest::collection::vec(any::<u8>(), 0..60)) {
            let start = incident(1);
            let (mut current, mut taken) = (start.clone(), Vec::new());
            for (second, choice) in choices.into_iter().enumerate() {
                let (event, now) = (event(choice), at(second as i64));
                let expected = possible(current.state).contains(&event.verb());
                match apply(&current, &event, now) {
                    Ok(next) => {
                        prop_assert!(expected);
                        taken.push((event, now));
                        current = next;
                    }
                    Err(refused) => {
                        let state = current.state;
                        prop_assert!(!expected);
                        prop_assert_eq!(refused, Refused::State { state, event: event.verb() });
                    }
                }
                prop_assert_eq!(current.state.is_open(), current.closed_at.is_none());
                let is_merged = current.state == IncidentState::Merged;
                prop_assert_eq!(is_merged, current.merged_into.is_some());
                if current.state == IncidentState::Contained {
                    prop_assert!(current.contained_at.is_some());
                }
            }
            let mut replayed = start;
            for (event, now) in &taken {
                replayed = apply(&replayed, event, *now).unwrap();
            }
            prop_assert_eq!(replayed, current);
        }
    }

    #[test]
    fn rules_raise_and_people_lower_with_a_reason() {
        let mut case = incident(1);
        case.severity = Severity::Medium;
        let rule = Actor::Rule("spread".into());
        let person = Actor::User("ada".into());
        let raised = set_severity(&case, Severity::High, "spreading", &rule).unwrap();
        assert_eq!(raised.severity, Severity::High);
        let lowered = set_severity(&raised, Severity::Low, "one tester", &person).unwrap();
        assert_eq!(lowered.severity_rationale, "one tester");
        let by_rule = set_severity(&raised, Severity::Low, "less", &rule);
        assert!(matches!(by_rule, Err(Refused::OnlyPeopleLower { .. })));
        assert_eq!(set_severity(&raised, Severity::Low, " ", &person), Err(Refused::NoReason));
    }

    #[test]
    fn a_reason_is_needed_to_end_one() {
        let mut case = incident(1);
        case.state = IncidentState::Active;
        let close = IncidentEvent::Close { reason: String::new() };
        assert_eq!(apply(&case, &close, at(1)), Err(Refused::NoReason));
        let case = incident(1);
        let own = IncidentEvent::Merge { into: case.id };
        assert_eq!(apply(&case, &own, at(1)), Err(Refused::Itself));
    }
}
