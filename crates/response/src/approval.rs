//! An approval: a decision by somebody entitled, bound to the exact action, good for one use.

use std::time::Duration;

use jiff::Timestamp;
use quell_domain::canonical::{canonical_json, sha256_hex};
use quell_domain::{AccessRole, Actor, Measure};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// How long a request for approval, and the approval itself, stay good.
pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);

/// What decides whether an approval counts. The record itself is the store's.
#[derive(Debug, Clone, Copy)]
pub struct Approval<'a> {
    /// SHA-256 of the action's RFC 8785 text.
    pub sha256: &'a str,
    /// Who asks.
    pub requester: &'a Actor,
    /// When request and decision lapse.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: ApprovalState,
}

/// An action in the one form that is approved, stored and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundAction {
    /// Its RFC 8785 text.
    pub canonical: String,
    /// The SHA-256 of that.
    pub sha256: String,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalState {
    /// Asked for.
    Pending,
    /// Given, not yet spent.
    Granted,
    /// Refused.
    Denied,
    /// Spent.
    Used,
}

impl ApprovalState {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Used => "used",
        }
    }
}

/// Who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub approver: Actor,
    /// What the approver may do.
    pub role: AccessRole,
}

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalRefused {
    /// Product parts do not approve.
    #[error("only a person can approve")]
    NotAPerson,
    /// The approver lacks the access role.
    #[error("approving needs the access role approver or admin, not {0}")]
    Role(AccessRole),
    /// One person, both sides.
    #[error("the person who asked cannot approve; somebody else must")]
    OwnRequest,
    /// Too late.
    #[error("the approval lapsed at {0}; ask again")]
    Lapsed(Timestamp),
    /// No decision is open.
    #[error("the approval is already {}", .0.as_str())]
    Decided(ApprovalState),
    /// Not (or no longer) granted.
    #[error("the approval is {}, so the action cannot run", .0.as_str())]
    NotGranted(ApprovalState),
    /// Granted for something else.
    #[error("the approval was given for another action; every parameter must be the same")]
    OtherAction,
    /// The action has no canonical form.
    #[error("the action cannot be bound: {0}")]
    Unbindable(#[from] quell_domain::canonical::FloatFound),
}

// === impl BoundAction ===

impl BoundAction {
    /// Binds `action`.
    pub fn new(action: &Value) -> Result<Self, ApprovalRefused> {
        let bytes = canonical_json(action)?;
        let canonical = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { sha256: sha256_hex(&bytes), canonical })
    }
}

// === impl Approval ===

impl Approval<'_> {
    /// Whether `decision` may be taken at `now`.
    pub fn may_decide(&self, decision: &Decision, now: Timestamp) -> Result<(), ApprovalRefused> {
        if !decision.approver.is_person() {
            return Err(ApprovalRefused::NotAPerson);
        }
        if decision.role < AccessRole::Approver {
            return Err(ApprovalRefused::Role(decision.role));
        }
        if person(&decision.approver) == person(self.requester) {
            return Err(ApprovalRefused::OwnRequest);
        }
        if self.state != ApprovalState::Pending {
            return Err(ApprovalRefused::Decided(self.state));
        }
        self.check_time(now)
    }

    /// Whether it may be spent on `action` at `now`.
    pub fn may_spend(&self, action: &BoundAction, now: Timestamp) -> Result<(), ApprovalRefused> {
        if self.state != ApprovalState::Granted {
            return Err(ApprovalRefused::NotGranted(self.state));
        }
        self.check_time(now)?;
        if bool::from(action.sha256.as_bytes().ct_eq(self.sha256.as_bytes())) {
            Ok(())
        } else {
            Err(ApprovalRefused::OtherAction)
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), ApprovalRefused> {
        if now >= self.expires_at { Err(ApprovalRefused::Lapsed(self.expires_at)) } else { Ok(()) }
    }
}

/// The account behind an actor: a token is named `<account>/<token>` and acts for its account.
fn person(actor: &Actor) -> Option<&str> {
    match actor {
        Actor::User(name) => Some(name),
        Actor::Token(name) => Some(name.split_once('/').map_or(name.as_str(), |(who, _)| who)),
        Actor::Policy(_) | Actor::Rule(_) | Actor::System => None,
    }
}

/// What an approval of `measure` binds: everything that decides what happens to traffic.
pub fn measure_action(measure: &Measure) -> Value {
    json!({
        "action": "measure.apply",
        "application": measure.application,
        "target": measure.target,
        "effect": measure.effect,
        "incident": measure.incident.map(|id| id.to_string()),
        "reason": measure.reason,
        "expires_at_us": measure.expires_at.map(Timestamp::as_microsecond),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, measure};
    use quell_domain::measure::{Effect, Target};

    fn bound(target: Target) -> BoundAction {
        BoundAction::new(&measure_action(&measure(1, target, Effect::Shutdown))).unwrap()
    }

    fn approval<'a>(
        action: &'a BoundAction,
        requester: &'a Actor,
        state: ApprovalState,
    ) -> Approval<'a> {
        Approval { sha256: &action.sha256, requester, expires_at: at(3_600), state }
    }

    #[test]
    fn only_somebody_else_with_the_role_may_decide_in_time_and_once() {
        use AccessRole as R;
        use ApprovalRefused as A;
        use ApprovalState as S;
        let action = bound(Target::Application);
        let ada = Actor::User("ada".into());
        let cases = [
            (S::Pending, "user:ada", R::Admin, 1, Some(A::OwnRequest)),
            (S::Pending, "token:ada/laptop", R::Admin, 1, Some(A::OwnRequest)),
            (S::Pending, "user:bob", R::Responder, 1, Some(A::Role(R::Responder))),
            (S::Pending, "policy:shop", R::Admin, 1, Some(A::NotAPerson)),
            (S::Pending, "user:bob", R::Approver, 3_600, Some(A::Lapsed(at(3_600)))),
            (S::Denied, "user:bob", R::Approver, 1, Some(A::Decided(S::Denied))),
            (S::Used, "user:bob", R::Approver, 1, Some(A::Decided(S::Used))),
            (S::Pending, "user:bob", R::Approver, 3_599, None),
            (S::Pending, "token:bob/laptop", R::Admin, 1, None),
        ];
        for (state, actor, role, second, refused) in cases {
            let decision = Decision { approver: actor.parse().unwrap(), role };
            let asked = approval(&action, &ada, state);
            assert_eq!(asked.may_decide(&decision, at(second)).err(), refused, "{actor}");
        }
    }

    #[test]
    fn it_is_spent_once_in_time_and_only_on_its_action() {
        use ApprovalRefused as A;
        use ApprovalState as S;
        let (action, other) =
            (bound(Target::Application), bound(Target::Model { model: "m".into() }));
        let ada = Actor::User("ada".into());
        let cases = [
            (S::Pending, &action, 1, Some(A::NotGranted(S::Pending))),
            (S::Denied, &action, 1, Some(A::NotGranted(S::Denied))),
            (S::Used, &action, 1, Some(A::NotGranted(S::Used))),
            (S::Granted, &other, 1, Some(A::OtherAction)),
            (S::Granted, &action, 3_600, Some(A::Lapsed(at(3_600)))),
            (S::Granted, &action, 3_599, None),
        ];
        for (state, asked, second, refused) in cases {
            let granted = approval(&action, &ada, state);
            assert_eq!(granted.may_spend(asked, at(second)).err(), refused, "{state:?}");
        }
    }
}
