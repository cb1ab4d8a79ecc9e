//! How a measure moves: proposed → approved → requested → acknowledged → verified | failed →
//! lifting → lifted | expired; or rejected.

use jiff::Timestamp;
use quell_domain::measure::Effect;
use quell_domain::{ApprovalId, Measure, MeasureState};

use crate::validate::{Invalid, validate};

/// What can happen to a measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasureEvent {
    /// Somebody entitled approved it.
    Approve {
        /// The decision.
        approval: ApprovalId,
    },
    /// Nobody wants it.
    Reject {
        /// Why.
        reason: String,
    },
    /// It enters the snapshot that becomes this epoch.
    Request {
        /// The epoch.
        epoch: u64,
    },
    /// Every live gateway holds the epoch.
    Acknowledge {
        /// Which gateways, in words.
        detail: String,
    },
    /// Every live gateway's probe met the intended treatment.
    Verify {
        /// What was met, in words.
        detail: String,
    },
    /// A probe met something else, or a gateway refused the epoch.
    Fail {
        /// What went wrong, in words.
        detail: String,
    },
    /// It is withdrawn with the snapshot that becomes this epoch.
    Lift {
        /// The epoch.
        epoch: u64,
    },
    /// A probe passed again everywhere.
    ConfirmLift {
        /// What was met, in words.
        detail: String,
    },
    /// Its time ran out.
    Expire,
}

impl MeasureEvent {
    /// The verb, as used in timeline events: `measure.<verb>`.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approved",
            Self::Reject { .. } => "rejected",
            Self::Request { .. } => "requested",
            Self::Acknowledge { .. } => "acknowledged",
            Self::Verify { .. } => "verified",
            Self::Fail { .. } => "failed",
            Self::Lift { .. } => "lifting",
            Self::ConfirmLift { .. } => "lifted",
            Self::Expire => "expired",
        }
    }
}

/// Why an event does not apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not from this state.
    #[error("a measure that is {state} cannot become {event}")]
    State {
        /// Where it stands.
        state: MeasureState,
        /// The verb of the event.
        event: &'static str,
    },
    /// Its expiry is not over.
    #[error("the measure has not run out yet")]
    NotYet,
    /// Its expiry is over.
    #[error("the measure ran out before it could take effect; make a new one")]
    RanOut,
    /// It must not take effect as it is.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// The measure after `event` at `now`.
pub fn apply(measure: &Measure, event: &MeasureEvent, now: Timestamp) -> Result<Measure, Refused> {
    use MeasureState as S;
    let state = measure.state;
    let mut next = measure.clone();
    next.state = match (event, state) {
        (MeasureEvent::Approve { approval }, S::Proposed) => {
            next.approval = Some(*approval);
            S::Approved
        }
        (MeasureEvent::Reject { reason }, S::Proposed | S::Approved) => {
            next.detail = Some(reason.clone());
            S::Rejected
        }
        (MeasureEvent::Request { epoch }, S::Proposed | S::Approved) => {
            if has_run_out(measure, now) {
                return Err(Refused::RanOut);
            }
            validate(measure)?;
            next.epoch = *epoch;
            next.requested_at = Some(now);
            S::Requested
        }
        (MeasureEvent::Acknowledge { detail }, S::Requested | S::Failed) => {
            next.acknowledged_at = Some(now);
            next.detail = Some(detail.clone());
            S::Acknowledged
        }
        (MeasureEvent::Verify { detail }, S::Acknowledged) => {
            next.verified_at = Some(now);
            next.detail = Some(detail.clone());
            S::Verified
        }
        (MeasureEvent::Fail { detail }, S::Requested | S::Acknowledged | S::Verified) => {
            next.verified_at = None;
            next.detail = Some(detail.clone());
            S::Failed
        }
        (MeasureEvent::Lift { epoch }, in_force) if in_force.in_force() => {
            next.epoch = *epoch;
            S::Lifting
        }
        (MeasureEvent::ConfirmLift { detail }, S::Lifting) => {
            next.detail = Some(detail.clone());
            S::Lifted
        }
        (MeasureEvent::Expire, S::Proposed | S::Approved) => S::Expired,
        (MeasureEvent::Expire, in_force) if in_force.in_force() => {
            if !has_run_out(measure, now) {
                return Err(Refused::NotYet);
            }
            S::Expired
        }
        (_, state) => return Err(Refused::State { state, event: event.verb() }),
    };
    if is_final(next.state) {
        next.ended_at = Some(now);
    }
    Ok(next)
}

/// Whether nothing more can happen to a measure in `state`.
pub const fn is_final(state: MeasureState) -> bool {
    use MeasureState as S;
    match state {
        S::Lifted | S::Expired | S::Rejected => true,
        S::Proposed
        | S::Approved
        | S::Requested
        | S::Acknowledged
        | S::Verified
        | S::Failed
        | S::Lifting => false,
    }
}

/// Whether `measure` must not be enforced any more at `now`.
pub fn has_run_out(measure: &Measure, now: Timestamp) -> bool {
    measure.expires_at.is_some_and(|end| end <= now)
}

/// Whether it needs an approval before it may be requested.
pub const fn needs_approval(measure: &Measure) -> bool {
    matches!(measure.effect, Effect::Shutdown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{approval, at, measure};
    use proptest::prelude::*;
    use quell_domain::measure::Target;

    fn event(choice: u8, epoch: u64) -> MeasureEvent {
        let detail = String::from("gateway-1");
        match choice % 9 {
            0 => MeasureEvent::Approve { approval: approval(1) },
            1 => MeasureEvent::Reject { reason: detail },
            2 => MeasureEvent::Request { epoch },
            3 => MeasureEvent::Acknowledge { detail },
            4 => MeasureEvent::Verify { detail },
            5 => MeasureEvent::Fail { detail },
            6 => MeasureEvent::Lift { epoch },
            7 => MeasureEvent::ConfirmLift { detail },
            _ => MeasureEvent::Expire,
        }
    }

    /// The whole table of the contract, written down a second time.
    fn allowed(from: MeasureState, verb: &str) -> bool {
        use MeasureState as S;
        match verb {
            "approved" => matches!(from, S::Proposed),
            "rejected" | "requested" => matches!(from, S::Proposed | S::Approved),
            "acknowledged" => matches!(from, S::Requested | S::Failed),
            "verified" => matches!(from, S::Acknowledged),
            "failed" => matches!(from, S::Requested | S::Acknowledged | S::Verified),
            "lifting" => from.in_force(),
            "lifted" => matches!(from, S::Lifting),
            "expired" => from.in_force() || matches!(from, S::Proposed | S::Approved),
            _ => false,
        }
    }

    #[test]
    fn level_four_is_never_requested_without_an_approval() {
        let mut shutdown = measure(1, Target::Application, Effect::Shutdown);
        shutdown.state = MeasureState::Proposed;
        let request = MeasureEvent::Request { epoch: 2 };
        assert_eq!(apply(&shutdown, &request, at(1)), Err(Refused::Invalid(Invalid::Unapproved)));
        let approve = MeasureEvent::Approve { approval: approval(7) };
        let approved = apply(&shutdown, &approve, at(1)).unwrap();
        assert_eq!(apply(&approved, &request, at(2)).unwrap().state, MeasureState::Requested);
    }

    #[test]
    fn what_ran_out_cannot_take_effect() {
        let mut late = measure(1, Target::User { user: "u".into() }, Effect::Restrict);
        late.state = MeasureState::Proposed;
        late.expires_at = Some(at(10));
        let refused = apply(&late, &MeasureEvent::Request { epoch: 2 }, at(10));
        assert_eq!(refused, Err(Refused::RanOut));
    }

    proptest! {
        #[test]
        fn every_path_follows_the_contract(
            shutdown in any::<bool>(),
            steps in proptest::collection::vec((any::<u8>(), 1_i64..50), 0..40)
        ) {
            let effect = if shutdown { Effect::Shutdown } else { Effect::Fallback };
            let mut start = measure(1, Target::Application, effect);
            start.state = MeasureState::Proposed;
            start.expires_at = Some(at(400));
            let (mut now, mut current, mut taken) = (0, start.clone(), Vec::new());
            for (epoch, (choice, pause)) in steps.into_iter().enumerate() {
                now += pause;
                let event = event(choice, epoch as u64);
                match apply(&current, &event, at(now)) {
                    Ok(next) => {
                        prop_assert!(allowed(current.state, event.verb()));
                        prop_assert_eq!(next.state.as_str(), event.verb());
                        prop_assert!(!is_final(current.state));
                        taken.push((event, now));
                        current = next;
                    }
                    Err(Refused::State { .. }) => {
                        prop_assert!(!allowed(current.state, event.verb()));
                    }
                    Err(_) => {}
                }
                if current.state.in_force() {
                    prop_assert!(current.requested_at.is_some());
                    prop_assert!(!needs_approval(&current) || current.approval.is_some());
                }
                if current.state == MeasureState::Verified {
                    prop_assert!(current.acknowledged_at.is_some());
                    prop_assert!(current.verified_at.is_some());
                }
                prop_assert_eq!(is_final(current.state), current.ended_at.is_some());
            }
            let mut replayed = start;
            for (event, when) in &taken {
                replayed = apply(&replayed, event, at(*when)).unwrap();
            }
            prop_assert_eq!(replayed, current);
        }
    }
}
