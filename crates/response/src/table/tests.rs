use super::*;
use crate::testing::{approval, at, key, measure, measure_id, principal};
use proptest::prelude::*;
use quell_domain::measure::TextPattern;
use quell_domain::{Actor, Graded, TrustGrade};

fn subject<'a>(principal: &'a Principal, tools: &'a [String]) -> Subject<'a> {
    Subject { application: "shop", principal, model: Some("large"), tools }
}

fn compile(measures: &[Measure]) -> Table {
    Table::compile(7, measures).unwrap()
}

fn degrade(max_tokens: Option<u32>, keep_messages: Option<u32>, remove_tools: bool) -> Effect {
    let limits = Degradation { remove_tools, max_tokens, keep_messages, strict_preamble: false };
    Effect::Degrade { limits }
}

#[test]
fn each_target_touches_its_own_and_nobody_else() {
    let hit = principal("mallory");
    let other = Principal {
        user: Some(Graded { value: "alice".into(), grade: TrustGrade::Authenticated }),
        session: Some(Graded { value: "other".into(), grade: TrustGrade::Asserted }),
        address: Some("198.51.100.1".into()),
        key: Some(key(2)),
    };
    let targets = [
        Target::User { user: "mallory".into() },
        Target::Session { session: "mallory-session".into() },
        Target::Address { address: "::ffff:203.0.113.9".into() },
        Target::ApiKey { key: key(1).to_string() },
    ];
    for target in targets {
        for effect in [Effect::Restrict, degrade(Some(9), None, false), Effect::Fallback] {
            let table = compile(&[measure(1, target.clone(), effect.clone())]);
            let met = table.treatment(&subject(&hit, &[]), at(0));
            assert_eq!(met.causes.len(), 1, "{target:?}");
            assert_eq!(met.causes[0].by, format!("measure:{}", measure_id(1)));
            let spared = table.treatment(&subject(&other, &[]), at(0));
            assert_eq!(spared, Treatment::default(), "{target:?} {effect:?}");
        }
    }
}

#[test]
fn another_application_is_not_touched() {
    let table = compile(&[measure(1, Target::Application, Effect::Fallback)]);
    let who = principal("u");
    let elsewhere = Subject { application: "bank", ..subject(&who, &[]) };
    assert!(table.treatment(&elsewhere, at(0)).is_untouched());
    assert_eq!(table.forbids_running(&elsewhere, 1, at(0)), None);
}

#[test]
fn a_model_offline_leaves_the_others() {
    let mut offline = measure(1, Target::Model { model: "large".into() }, Effect::Shutdown);
    offline.approval = Some(approval(1));
    let table = compile(&[offline]);
    let who = principal("u");
    assert_eq!(table.treatment(&subject(&who, &[]), at(0)).outcome(), Outcome::ShutDown);
    let small = Subject { model: Some("small"), ..subject(&who, &[]) };
    assert_eq!(table.treatment(&small, at(0)).outcome(), Outcome::Allowed);
}

#[test]
fn the_strongest_outcome_wins_and_all_causes_are_listed() {
    use Outcome as O;
    let user = || Target::User { user: "mallory".into() };
    let mut offline = measure(4, Target::Application, Effect::Shutdown);
    offline.approval = Some(approval(1));
    let table = compile(&[
        measure(1, user(), degrade(Some(100), Some(6), false)),
        measure(2, Target::Application, degrade(Some(300), Some(2), true)),
        measure(3, user(), Effect::Restrict),
        offline,
        measure(5, user(), Effect::Fallback),
    ]);
    let who = principal("mallory");
    let met = table.treatment(&subject(&who, &[]), at(0));
    assert_eq!(met.outcome(), Outcome::ShutDown);
    let outcomes: Vec<Outcome> = met.causes.iter().map(|cause| cause.outcome).collect();
    assert_eq!(outcomes, [O::ShutDown, O::Fallback, O::Blocked, O::Degraded, O::Degraded]);
    let limits = met.degrade.unwrap();
    assert_eq!((limits.max_tokens, limits.keep_messages), (Some(100), Some(2)));
    assert!(limits.remove_tools && !limits.strict_preamble);
    assert_eq!(met.degraded_by.len(), 2);
}

#[test]
fn expiry_is_applied_here() {
    let mut brief = measure(1, Target::User { user: "mallory".into() }, Effect::Restrict);
    brief.expires_at = Some(at(10));
    let table = compile(&[brief]);
    let who = principal("mallory");
    assert_eq!(table.treatment(&subject(&who, &[]), at(9)).outcome(), Outcome::Blocked);
    assert!(table.in_force(measure_id(1), at(9)));
    assert_eq!(table.treatment(&subject(&who, &[]), at(10)).outcome(), Outcome::Allowed);
    assert!(!table.in_force(measure_id(1), at(10)));
    assert_eq!(table.forbids_running(&subject(&who, &[]), 1, at(10)), None);
}

#[test]
fn a_tool_is_removed_alone() {
    let table = compile(&[measure(1, Target::Tool { tool: "refund".into() }, Effect::Restrict)]);
    let who = principal("u");
    let tools = ["search".to_owned(), "refund".to_owned(), "refund".to_owned()];
    let met = table.treatment(&subject(&who, &tools), at(0));
    assert_eq!(met.blocked_tools, ["refund"]);
    assert_eq!(met.outcome(), Outcome::Degraded);
    assert!(table.tool_forbidden("shop", "refund", at(0)).is_some());
    assert!(table.tool_forbidden("shop", "search", at(0)).is_none());
}

#[test]
fn an_upstream_is_forbidden_alone() {
    let target = Target::Upstream { upstream: "primary".into() };
    let table = compile(&[measure(1, target, Effect::Restrict)]);
    let cause = table.upstream_forbidden("shop", "primary", at(0)).unwrap();
    assert_eq!(cause.outcome, Outcome::Blocked);
    assert!(table.upstream_forbidden("shop", "second", at(0)).is_none());
    assert!(table.upstream_forbidden("bank", "primary", at(0)).is_none());
}

#[test]
fn a_running_stream_is_cut_by_a_newer_table_unless_it_only_degrades() {
    let who = principal("mallory");
    let user = || Target::User { user: "mallory".into() };
    let table = compile(&[measure(1, user(), Effect::Restrict)]);
    assert!(table.forbids_running(&subject(&who, &[]), 6, at(0)).is_some());
    assert!(table.forbids_running(&subject(&who, &[]), 7, at(0)).is_none());
    let table = compile(&[measure(1, user(), degrade(Some(9), None, true))]);
    assert!(table.forbids_running(&subject(&who, &[]), 6, at(0)).is_none());
}

#[test]
fn what_cannot_be_enforced_is_refused_with_its_id() {
    let mut offline = measure(1, Target::Application, Effect::Shutdown);
    offline.expires_at = Some(at(10));
    let mut endless = measure(2, Target::User { user: "u".into() }, Effect::Restrict);
    endless.actor = Actor::Policy("shop".into());
    let pattern = |text: &str, regex: bool, sample: Option<&str>| Target::Pattern {
        pattern: TextPattern {
            text: text.into(),
            regex,
            directions: Vec::new(),
            sample: sample.map(Into::into),
        },
    };
    let restrict = |target: Target| measure(3, target, Effect::Restrict);
    let cases = [
        (offline, "needs an approval"),
        (endless, "needs an expiry"),
        (restrict(Target::Application), "fallback (level 3)"),
        (restrict(Target::Address { address: "10.0.0.1:80".into() }), "not an IP address"),
        (restrict(Target::ApiKey { key: "sk-1".into() }), "not a key id"),
        (restrict(Target::User { user: String::new() }), "1 to 512"),
        (restrict(pattern("a(b", true, Some("ab"))), "not a linear-time regex"),
        (restrict(pattern("abc|", true, Some("abc"))), "empty text"),
        (restrict(pattern("ab+c", true, None)), "needs a `sample`"),
        (restrict(pattern("ab+c", true, Some("xyz"))), "does not match"),
        (restrict(pattern("ab", false, None)), "at least 3"),
        (measure(3, pattern("abc", false, None), Effect::Fallback), "use restrict"),
        (measure(3, Target::User { user: "u".into() }, Effect::Shutdown), "restrict (level 1)"),
    ];
    for (bad, words) in cases {
        let error = Table::compile(1, std::slice::from_ref(&bad)).unwrap_err();
        assert_eq!(error.measure, bad.id);
        assert!(error.to_string().contains(words), "{error}");
    }
    let twice = measure(1, Target::Application, Effect::Fallback);
    let error = Table::compile(1, &[twice.clone(), twice]).unwrap_err();
    assert_eq!(error.why, TableFault::Twice);
}

proptest! {
    #[test]
    fn order_of_measures_never_changes_what_is_met(
        picks in proptest::collection::vec((0_u8..5, 0_u8..3, 1_u32..500), 0..12),
        seed in any::<u64>()
    ) {
        let mut measures: Vec<Measure> = picks.iter().enumerate().map(|(number, pick)| {
            let target = match pick.0 {
                0 => Target::User { user: "mallory".into() },
                1 => Target::User { user: "alice".into() },
                2 => Target::Session { session: "mallory-session".into() },
                3 => Target::Model { model: "large".into() },
                _ => Target::Address { address: "203.0.113.9".into() },
            };
            let effect = match pick.1 {
                0 => Effect::Restrict,
                1 => degrade(Some(pick.2), Some(pick.2), false),
                _ => Effect::Fallback,
            };
            measure(number as u128 + 1, target, effect)
        }).collect();
        let who = principal("mallory");
        let before = compile(&measures).treatment(&subject(&who, &[]), at(0));
        let turn = (seed as usize) % measures.len().max(1);
        measures.rotate_left(turn);
        let after = compile(&measures).treatment(&subject(&who, &[]), at(0));
        prop_assert_eq!(before.outcome(), after.outcome());
        prop_assert_eq!(before.degrade, after.degrade);
        prop_assert_eq!(before.causes.len(), after.causes.len());
        let expected = picks.iter().filter(|pick| pick.0 != 1).count();
        prop_assert_eq!(after.causes.len(), expected);
    }
}
