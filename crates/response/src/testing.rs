//! Samples for this crate's tests.

use jiff::Timestamp;
use quell_domain::measure::{Effect, Target};
use quell_domain::{Actor, ApprovalId, Graded, Id, Measure, MeasureId, MeasureState, Principal};
use quell_domain::{ApiKeyId, TrustGrade};

/// `seconds` into the test's day.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn id<K: quell_domain::id::IdKind>(number: u128) -> Id<K> {
    let hex = format!("{}_{number:032x}", K::PREFIX);
    hex.parse().unwrap()
}

pub(crate) fn measure_id(number: u128) -> MeasureId {
    id(number)
}

pub(crate) fn approval(number: u128) -> ApprovalId {
    id(number)
}

pub(crate) fn key(number: u128) -> ApiKeyId {
    id(number)
}

/// A requested measure on application `shop`, asked for by a person.
pub(crate) fn measure(number: u128, target: Target, effect: Effect) -> Measure {
    Measure {
        id: measure_id(number),
        application: "shop".into(),
        target,
        effect,
        reason: "test".into(),
        incident: None,
        actor: Actor::User("ada".into()),
        approval: None,
        expires_at: None,
        state: MeasureState::Requested,
        created_at: at(0),
        requested_at: None,
        acknowledged_at: None,
        verified_at: None,
        ended_at: None,
        epoch: 1,
        detail: None,
        version: 1,
    }
}

/// A principal with every claim set, the user asserted.
pub(crate) fn principal(user: &str) -> Principal {
    Principal {
        user: Some(Graded { value: user.into(), grade: TrustGrade::Asserted }),
        session: Some(Graded { value: format!("{user}-session"), grade: TrustGrade::Asserted }),
        address: Some("203.0.113.9".into()),
        key: Some(key(1)),
    }
}
