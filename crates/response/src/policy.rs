//! What an application's response policy does about an incident: apply a measure, or propose it.
//!
//! A policy never applies level 4, never acts on a user whose identity the client merely claims,
//! and past its collateral cap it only proposes. What it applies always expires.

use quell_domain::application::{PolicyAction, PolicyRule, PolicyTarget, ResponsePolicy};
use quell_domain::measure::{Degradation, Effect, Target};
use quell_domain::{IncidentKind, Principal, Severity, TrustGrade};

use crate::validate::check_scope;

/// Longest a policy's measure lasts: two weeks.
pub const MINUTES_MAX: u32 = 14 * 24 * 60;
/// How long a proposal without a policy line would last once a person applies it.
const DEFAULT_MINUTES: u32 = 60;

/// What the policy is asked about.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// What sort of incident.
    pub kind: IncidentKind,
    /// How bad.
    pub severity: Severity,
    /// Who the signals came from.
    pub principal: &'a Principal,
    /// Whom a measure would touch.
    pub reach: Reach,
}

/// How many principals of the application a measure would touch, over the last hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// Principals seen.
    pub seen: u32,
    /// Of those, already touched by automatic measures in force.
    pub touched: u32,
    /// Of those, behind the key.
    pub behind_key: u32,
    /// Of those, behind the session.
    pub behind_session: u32,
    /// Of those, behind the address.
    pub behind_address: u32,
}

/// A measure the policy wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMeasure {
    /// Whether it happens at once.
    pub action: PolicyAction,
    /// What it acts on.
    pub target: Target,
    /// What it does.
    pub effect: Effect,
    /// How long it lasts, from the moment it takes effect.
    pub minutes: u32,
    /// Why, in words.
    pub rationale: String,
}

/// A policy line that can never do what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy rule {index} (from 1): {why}")]
pub struct PolicyFault {
    index: usize,
    why: String,
}

/// Whether every line of `policy` can do what it says; asked before an application is stored.
pub fn check(policy: &ResponsePolicy) -> Result<(), PolicyFault> {
    for (index, rule) in policy.rules.iter().enumerate() {
        let fault = |why: String| Err(PolicyFault { index: index + 1, why });
        let Some(effect) = effect_of(rule.level) else {
            return fault(format!("level must be 1 to 4, not {}", rule.level));
        };
        if rule.minutes == 0 || rule.minutes > MINUTES_MAX {
            return fault(format!("minutes must be 1 to {MINUTES_MAX}, not {}", rule.minutes));
        }
        let sample = match rule.target {
            PolicyTarget::Application => Target::Application,
            PolicyTarget::Principal => Target::Session { session: "any".into() },
        };
        if let Err(invalid) = check_scope(&sample, &effect) {
            return fault(invalid.to_string());
        }
        if rule.level == 4 && rule.action == PolicyAction::Apply {
            return fault("level 4 can only be proposed; set action = \"propose\"".into());
        }
    }
    Ok(())
}

/// What the policy does about `situation`. Nothing when there is nobody to act on.
pub fn plan(policy: &ResponsePolicy, situation: &Situation<'_>) -> Option<PlannedMeasure> {
    if let Some(rule) = policy.rules.iter().find(|rule| applies(rule, situation)) {
        return by_rule(policy, rule, situation);
    }
    let (target, who, _) = candidates(situation).into_iter().next()?;
    Some(PlannedMeasure {
        action: PolicyAction::Propose,
        target,
        effect: Effect::Restrict,
        minutes: DEFAULT_MINUTES,
        rationale: format!("No policy line covers this; restricting {who} is suggested."),
    })
}

fn applies(rule: &PolicyRule, situation: &Situation<'_>) -> bool {
    let kind_fits = rule.kinds.is_empty() || rule.kinds.contains(&situation.kind);
    kind_fits && situation.severity >= rule.min_severity
}

fn by_rule(
    policy: &ResponsePolicy,
    rule: &PolicyRule,
    situation: &Situation<'_>,
) -> Option<PlannedMeasure> {
    let effect = effect_of(rule.level)?;
    let reach = situation.reach;
    let targets = match rule.target {
        PolicyTarget::Principal => candidates(situation),
        PolicyTarget::Application => {
            vec![(Target::Application, "the whole application".to_owned(), reach.seen)]
        }
    };
    let allowed = cap(policy, reach.seen);
    let fits = |touches: u32| reach.touched.saturating_add(touches) <= allowed;
    let wanted = rule.action == PolicyAction::Apply && rule.level < 4;
    // A session that the client only claims may be somebody else's: a person decides about it.
    let claimed = |target: &Target| {
        let session = situation.principal.session.as_ref();
        matches!(target, Target::Session { .. })
            && session.is_some_and(|session| session.grade != TrustGrade::Authenticated)
    };
    let may_apply =
        |(target, _, touches): &(Target, String, u32)| fits(*touches) && !claimed(target);
    let narrow = targets.iter().position(may_apply).filter(|_| wanted);
    let only_claimed = targets.first().is_some_and(|(target, _, _)| claimed(target));
    let (target, who, touches) = targets.into_iter().nth(narrow.unwrap_or(0))?;
    check_scope(&target, &effect).ok()?;

    let because = format!(
        "The policy answers {} of severity {} with {} (level {}) on {who}",
        situation.kind,
        situation.severity,
        effect.name(),
        rule.level
    );
    let (action, rationale) = match (narrow, rule.action) {
        (Some(_), _) => (PolicyAction::Apply, format!("{because}.")),
        (None, PolicyAction::Propose) => {
            (PolicyAction::Propose, format!("{because}; a person applies it."))
        }
        (None, PolicyAction::Apply) if rule.level >= 4 => (
            PolicyAction::Propose,
            format!("{because}; level 4 needs an approval, so it is only proposed."),
        ),
        (None, PolicyAction::Apply) if only_claimed => (
            PolicyAction::Propose,
            format!("{because}, which the client only claims, so it is only proposed."),
        ),
        (None, PolicyAction::Apply) => (
            PolicyAction::Propose,
            format!(
                "{because}; it would bring the principals touched to {} of {}, and {allowed} is \
                 the cap, so it is only proposed.",
                reach.touched.saturating_add(touches),
                reach.seen
            ),
        ),
    };
    let minutes = rule.minutes.clamp(1, MINUTES_MAX);
    Some(PlannedMeasure { action, target, effect, minutes, rationale })
}

/// How many principals automatic measures may touch.
fn cap(policy: &ResponsePolicy, seen: u32) -> u32 {
    let share = u64::from(seen) * u64::from(policy.collateral_per_mille.min(1_000)) / 1_000;
    policy.collateral_floor.max(u32::try_from(share).unwrap_or(u32::MAX))
}

/// Whom a measure on the principal can act on, best first, with words and reach. An asserted
/// user is never among them: anybody could write somebody else's name in that header.
fn candidates(situation: &Situation<'_>) -> Vec<(Target, String, u32)> {
    let Principal { user, session, address, key } = situation.principal;
    let reach = situation.reach;
    let mut found = Vec::with_capacity(4);
    if let Some(user) = user.as_ref().filter(|user| user.grade == TrustGrade::Authenticated) {
        let target = Target::User { user: user.value.clone() };
        found.push((target, "the authenticated user".to_owned(), 1));
    }
    if let Some(key) = key {
        let target = Target::ApiKey { key: key.to_string() };
        found.push((target, "the key".to_owned(), reach.behind_key.max(1)));
    }
    if let Some(session) = session {
        let target = Target::Session { session: session.value.clone() };
        found.push((target, "the session".to_owned(), reach.behind_session.max(1)));
    }
    if let Some(address) = address {
        let target = Target::Address { address: address.clone() };
        found.push((target, "the address".to_owned(), reach.behind_address.max(1)));
    }
    found
}

/// The effect of a policy's level.
fn effect_of(level: u8) -> Option<Effect> {
    match level {
        1 => Some(Effect::Restrict),
        2 => Some(Effect::Degrade { limits: Degradation::default() }),
        3 => Some(Effect::Fallback),
        4 => Some(Effect::Shutdown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::principal;
    use proptest::prelude::*;

    fn policy(action: PolicyAction, level: u8, target: PolicyTarget) -> ResponsePolicy {
        let rule = PolicyRule {
            kinds: vec![IncidentKind::Jailbreak],
            min_severity: Severity::High,
            action,
            level,
            target,
            minutes: 30,
        };
        ResponsePolicy { rules: vec![rule], ..ResponsePolicy::default() }
    }

    fn situation(principal: &Principal, reach: Reach) -> Situation<'_> {
        let (kind, severity) = (IncidentKind::Jailbreak, Severity::High);
        Situation { kind, severity, principal, reach }
    }

    const MANY: Reach =
        Reach { seen: 1_000, touched: 0, behind_key: 900, behind_session: 1, behind_address: 4 };

    #[test]
    fn what_a_client_only_claims_is_left_alone() {
        let forged = principal("somebody-else");
        let apply = policy(PolicyAction::Apply, 1, PolicyTarget::Principal);
        let planned = plan(&apply, &situation(&forged, MANY)).unwrap();
        assert_eq!(planned.action, PolicyAction::Apply);
        assert_eq!(planned.target, Target::Address { address: "203.0.113.9".into() });
        let nameless = Principal { key: None, address: None, ..forged };
        let planned = plan(&apply, &situation(&nameless, MANY)).unwrap();
        assert_eq!(planned.action, PolicyAction::Propose);
        assert!(planned.rationale.contains("only claims"), "{}", planned.rationale);
    }

    #[test]
    fn an_authenticated_user_is_restricted() {
        let mut known = principal("mallory");
        known.user.as_mut().unwrap().grade = TrustGrade::Authenticated;
        let apply = policy(PolicyAction::Apply, 1, PolicyTarget::Principal);
        let planned = plan(&apply, &situation(&known, MANY)).unwrap();
        assert_eq!(planned.target, Target::User { user: "mallory".into() });
    }

    #[test]
    fn past_the_cap_it_only_proposes() {
        let who = principal("u");
        let apply = policy(PolicyAction::Apply, 3, PolicyTarget::Application);
        let planned = plan(&apply, &situation(&who, MANY)).unwrap();
        assert_eq!(planned.action, PolicyAction::Propose);
        assert!(planned.rationale.contains("50 is the cap"), "{}", planned.rationale);
        let few = Reach { seen: 3, ..Reach::default() };
        assert_eq!(plan(&apply, &situation(&who, few)).unwrap().action, PolicyAction::Apply);
    }

    #[test]
    fn level_four_is_only_proposed() {
        let who = principal("u");
        let apply = policy(PolicyAction::Apply, 4, PolicyTarget::Application);
        assert!(check(&apply).is_err());
        let planned = plan(&apply, &situation(&who, Reach::default())).unwrap();
        assert_eq!((planned.action, planned.effect), (PolicyAction::Propose, Effect::Shutdown));
    }

    #[test]
    fn without_a_line_it_proposes() {
        let who = principal("u");
        let planned = plan(&ResponsePolicy::default(), &situation(&who, MANY)).unwrap();
        assert_eq!((planned.action, planned.effect), (PolicyAction::Propose, Effect::Restrict));
    }

    #[test]
    fn lines_that_can_never_work_are_refused() {
        let cases = [
            (policy(PolicyAction::Apply, 1, PolicyTarget::Application), "rule 1"),
            (policy(PolicyAction::Propose, 4, PolicyTarget::Principal), "shutdown"),
            (policy(PolicyAction::Propose, 5, PolicyTarget::Principal), "1 to 4"),
        ];
        for (policy, word) in cases {
            let fault = check(&policy).unwrap_err().to_string();
            assert!(fault.contains(word), "{fault}");
        }
    }

    proptest! {
        #[test]
        fn what_is_applied_is_within_the_cap_below_level_four_and_not_on_a_claimed_user(
            level in 0_u8..6, seen in 0_u32..2_000, touched in 0_u32..100,
            behind in 0_u32..200, whole in any::<bool>()
        ) {
            let target = if whole { PolicyTarget::Application } else { PolicyTarget::Principal };
            let policy = policy(PolicyAction::Apply, level, target);
            let reach = Reach { seen, touched, behind_key: behind, behind_session: behind,
                behind_address: behind };
            let who = principal("u");
            if let Some(planned) = plan(&policy, &situation(&who, reach)) {
                let is_user = matches!(planned.target, Target::User { .. });
                prop_assert!(!is_user);
                prop_assert!(planned.minutes >= 1);
                if planned.action == PolicyAction::Apply {
                    prop_assert!(planned.effect.level() < 4);
                    let touches = if whole { seen } else { behind.max(1) };
                    prop_assert!(touched + touches <= cap(&policy, seen));
                }
            }
        }
    }
}
