//! An approval: a decision by somebody entitled, bound to the exact action, good for one use.

use std::time::Duration;

use jiff::Timestamp;
use quell_domain::canonical::{canonical_json, sha256_hex};
use quell_domain::{AccessRole, Actor, ApprovalId, Measure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// How long a request for approval, and the approval itself, stay good.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// A request for approval and what was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Identity; what a measure refers to.
    pub id: ApprovalId,
    /// The RFC 8785 text of the action.
    pub action: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Who asks.
    pub requester: Actor,
    /// When.
    pub requested_at: Timestamp,
    /// When request and decision lapse.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Actor>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Yes or no.
    pub grant: bool,
    /// Why.
    pub reason: String,
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

// === impl Approval ===

impl Approval {
    /// Asks for approval of `action`.
    pub fn request(
        id: ApprovalId,
        action: &Value,
        requester: Actor,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, ApprovalRefused> {
        let bytes = canonical_json(action)?;
        let lifetime =
            jiff::SignedDuration::try_from(lifetime).unwrap_or(jiff::SignedDuration::ZERO);
        Ok(Self {
            id,
            sha256: sha256_hex(&bytes),
            action: String::from_utf8_lossy(&bytes).into_owned(),
            requester,
            requested_at: now,
            expires_at: now.saturating_add(lifetime).unwrap_or(now),
            state: ApprovalState::Pending,
            approver: None,
            decided_at: None,
            reason: None,
            used_at: None,
        })
    }

    /// The approval after a decision.
    pub fn decide(&self, decision: Decision, now: Timestamp) -> Result<Self, ApprovalRefused> {
        if !decision.approver.is_person() {
            return Err(ApprovalRefused::NotAPerson);
        }
        if decision.role < AccessRole::Approver {
            return Err(ApprovalRefused::Role(decision.role));
        }
        if person(&decision.approver) == person(&self.requester) {
            return Err(ApprovalRefused::OwnRequest);
        }
        if self.state != ApprovalState::Pending {
            return Err(ApprovalRefused::Decided(self.state));
        }
        self.check_time(now)?;
        Ok(Self {
            state: if decision.grant { ApprovalState::Granted } else { ApprovalState::Denied },
            approver: Some(decision.approver),
            decided_at: Some(now),
            reason: Some(decision.reason),
            ..self.clone()
        })
    }

    /// Spends the approval on `action`, once.
    pub fn spend(&self, action: &Value, now: Timestamp) -> Result<Self, ApprovalRefused> {
        if self.state != ApprovalState::Granted {
            return Err(ApprovalRefused::NotGranted(self.state));
        }
        self.check_time(now)?;
        let asked = sha256_hex(&canonical_json(action)?);
        if !bool::from(asked.as_bytes().ct_eq(self.sha256.as_bytes())) {
            return Err(ApprovalRefused::OtherAction);
        }
        Ok(Self { state: ApprovalState::Used, used_at: Some(now), ..self.clone() })
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
    use crate::testing::{approval, at, measure};
    use quell_domain::measure::{Effect, Target};

    fn requested() -> (Approval, Value) {
        let action = measure_action(&measure(1, Target::Application, Effect::Shutdown));
        let asked = Approval::request(
            approval(1),
            &action,
            Actor::User("ada".into()),
            at(0),
            DEFAULT_LIFETIME,
        );
        (asked.unwrap(), action)
    }

    fn yes(actor: &str, role: AccessRole) -> Decision {
        let approver = actor.parse().unwrap();
        Decision { approver, role, grant: true, reason: "needed".into() }
    }

    #[test]
    fn only_somebody_else_with_the_role_may_grant_in_time() {
        use AccessRole as R;
        let (asked, _) = requested();
        let cases = [
            ("user:ada", R::Admin, 1, Some(ApprovalRefused::OwnRequest)),
            ("token:ada/laptop", R::Admin, 1, Some(ApprovalRefused::OwnRequest)),
            ("user:bob", R::Responder, 1, Some(ApprovalRefused::Role(R::Responder))),
            ("policy:shop", R::Admin, 1, Some(ApprovalRefused::NotAPerson)),
            ("user:bob", R::Approver, 3_600, Some(ApprovalRefused::Lapsed(at(3_600)))),
            ("user:bob", R::Approver, 3_599, None),
            ("token:bob/laptop", R::Admin, 1, None),
        ];
        for (actor, role, second, refused) in cases {
            assert_eq!(asked.decide(yes(actor, role), at(second)).err(), refused, "{actor}");
        }
    }

    #[test]
    fn it_is_spent_once_and_only_on_its_action() {
        let (asked, action) = requested();
        let refused = asked.spend(&action, at(1)).err();
        assert_eq!(refused, Some(ApprovalRefused::NotGranted(ApprovalState::Pending)));
        let granted = asked.decide(yes("user:bob", AccessRole::Approver), at(1)).unwrap();
        let other =
            measure_action(&measure(2, Target::Model { model: "m".into() }, Effect::Shutdown));
        assert_eq!(granted.spend(&other, at(2)).err(), Some(ApprovalRefused::OtherAction));
        assert!(matches!(granted.spend(&action, at(3_600)), Err(ApprovalRefused::Lapsed(_))));
        let used = granted.spend(&action, at(2)).unwrap();
        let again = used.spend(&action, at(3)).err();
        assert_eq!(again, Some(ApprovalRefused::NotGranted(ApprovalState::Used)));
    }

    #[test]
    fn a_denial_is_final() {
        let (asked, action) = requested();
        let no = Decision { grant: false, ..yes("user:bob", AccessRole::Approver) };
        let denied = asked.decide(no, at(1)).unwrap();
        assert!(denied.spend(&action, at(2)).is_err());
        let changed = denied.decide(yes("user:eve", AccessRole::Approver), at(2)).err();
        assert_eq!(changed, Some(ApprovalRefused::Decided(ApprovalState::Denied)));
    }
}
