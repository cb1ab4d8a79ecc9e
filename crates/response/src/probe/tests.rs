//! A pretend gateway that enforces as it should, and every way of breaking it we could think of:
//! each one must turn the judgement.

use quell_domain::application::Application;
use quell_domain::interaction::{Cause, Endpoint, Outcome};
use quell_domain::measure::{Degradation, Effect, Target, TextPattern};
use quell_domain::rule::Direction;
use quell_domain::{Graded, Measure, TrustGrade};

use super::*;
use crate::table::{Subject, Table, Treatment};
use crate::testing::{approval, at, key, measure};

/// A way of breaking enforcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    None,
    SkipsThePhase,
    StaleTable,
    WrongScope,
    StreamPathOnly,
    PlainPathOnly,
    OneEndpointOnly,
    OtherApplication,
    RecordsButForwards,
    RefusesButClaimsAllowed,
    OutputNotCovered,
    InputNotCovered,
    KeepsTools,
    KeepsTokens,
    KeepsMessages,
    NoPreamble,
    RefusesInsteadOfFallback,
    EmptyFallback,
    RemovesEveryTool,
    BreaksEverything,
    CountsOnly,
}

fn shop() -> Application {
    let mut application = Application::new("shop", vec!["primary".into(), "second".into()]);
    application.forward_paths = vec!["/v1/audio/speech".into()];
    application
}

/// What the pretend gateway does with one probe.
fn execute(table: &Table, probe: &ProbeRequest, mutation: Mutation) -> Observed {
    use Mutation as M;
    let mut principal = probe.principal.clone();
    if mutation == M::WrongScope {
        principal.user = Some(Graded { value: "mallory".into(), grade: TrustGrade::Asserted });
    }
    let application = if mutation == M::OtherApplication { "bank" } else { "shop" };
    let subject = Subject {
        application,
        principal: &principal,
        model: Some(&probe.model),
        tools: &probe.tools,
    };
    let skipped = match mutation {
        M::SkipsThePhase => true,
        M::StreamPathOnly => !probe.stream,
        M::PlainPathOnly => probe.stream,
        M::OneEndpointOnly => probe.endpoint != Endpoint::ChatCompletions,
        _ => false,
    };
    let mut met = if skipped { Treatment::default() } else { table.treatment(&subject, at(0)) };
    patterns(table, probe, mutation, skipped, &mut met);
    let epoch = if mutation == M::StaleTable { 0 } else { table.epoch() };
    let causes = met.causes.clone();
    let outcome = causes.iter().map(|cause| cause.outcome).max().unwrap_or_default();
    let blank = Observed { epoch, outcome, causes, ..Observed::default() };
    if mutation == M::BreaksEverything {
        return Observed { epoch, status: 500, ..Observed::default() };
    }
    let input_hit = met.causes.iter().any(|cause| cause.by.ends_with("#input"));
    if mutation == M::CountsOnly || mutation == M::RecordsButForwards {
        let sink = Some(SinkSaw { tools: probe.tools.clone(), ..SinkSaw::default() });
        return clean(Observed { status: 200, sink, delivered: probe.reply.clone(), ..blank });
    }
    let claimed = |observed: Observed| {
        let lies = mutation == M::RefusesButClaimsAllowed;
        clean(if lies { Observed { outcome: Outcome::Allowed, ..observed } } else { observed })
    };
    if met.shutdown.is_some() || (met.restrict.is_some() && met.fallback.is_none()) || input_hit {
        return claimed(Observed { status: 403, ..blank });
    }
    if met.fallback.is_some() {
        let delivered = if mutation == M::EmptyFallback { "" } else { "Please try later." };
        let status = if mutation == M::RefusesInsteadOfFallback { 403 } else { 200 };
        return claimed(Observed { status, delivered: delivered.into(), ..blank });
    }
    let sink = shape(probe, &met, mutation);
    let cut = met.causes.iter().any(|cause| cause.by.ends_with("#output"));
    let delivered = if cut { String::new() } else { probe.reply.clone() };
    claimed(Observed { status: 200, sink: Some(sink), delivered, ..blank })
}

/// Input and output patterns, marked so that the caller knows which side hit.
fn patterns(
    table: &Table,
    probe: &ProbeRequest,
    mutation: Mutation,
    skipped: bool,
    met: &mut Treatment,
) {
    for measure in table.pattern_measures("shop") {
        let Target::Pattern { pattern } = &measure.target else { continue };
        let sides = [
            (Direction::Input, &probe.text, "#input", Mutation::InputNotCovered),
            (Direction::Output, &probe.reply, "#output", Mutation::OutputNotCovered),
        ];
        for (direction, text, mark, gap) in sides {
            let covered = pattern.directions.is_empty() || pattern.directions.contains(&direction);
            let hits = text.contains(pattern.sample.as_deref().unwrap_or(&pattern.text));
            if covered && hits && !skipped && mutation != gap {
                let by = format!("measure:{}{mark}", measure.id);
                met.causes.push(Cause { outcome: Outcome::Blocked, by });
            }
        }
    }
}

fn clean(mut observed: Observed) -> Observed {
    for cause in &mut observed.causes {
        cause.by = cause.by.split('#').next().unwrap_or_default().to_owned();
    }
    observed
}

fn shape(probe: &ProbeRequest, met: &Treatment, mutation: Mutation) -> SinkSaw {
    use Mutation as M;
    let mut sink = SinkSaw {
        upstream: probe.upstream.clone().unwrap_or_else(|| "primary".into()),
        tools: probe.tools.clone(),
        max_tokens: probe.max_tokens,
        messages: probe.earlier_turns + 1,
        system: String::new(),
    };
    if let Some(limits) = &met.degrade {
        if limits.remove_tools && mutation != M::KeepsTools {
            sink.tools.clear();
        }
        if mutation != M::KeepsTokens {
            sink.max_tokens = limits.max_tokens.or(sink.max_tokens);
        }
        if let Some(most) = limits.keep_messages.filter(|_| mutation != M::KeepsMessages) {
            sink.messages = sink.messages.min(most);
        }
        if limits.strict_preamble && mutation != M::NoPreamble {
            sink.system = "Answer briefly.".into();
        }
    }
    if mutation == M::RemovesEveryTool && !met.blocked_tools.is_empty() {
        sink.tools.clear();
    }
    sink.tools.retain(|tool| !met.blocked_tools.contains(tool));
    sink
}

fn verdict(measure: &Measure, beside: &[Measure], mutation: Mutation) -> Judgement {
    let mut all = vec![measure.clone()];
    all.extend_from_slice(beside);
    let table = Table::compile(1, &all).unwrap();
    let plan = plan(measure, &shop());
    let observed: Vec<Observed> =
        plan.probes.iter().map(|probe| execute(&table, &probe.request, mutation)).collect();
    judge(&plan, &observed)
}

fn user(effect: Effect) -> Measure {
    measure(1, Target::User { user: "mallory".into() }, effect)
}

fn pattern(directions: Vec<Direction>) -> Measure {
    let pattern = TextPattern {
        text: "blue (falcon|heron)".into(),
        regex: true,
        directions,
        sample: Some("blue falcon".into()),
    };
    measure(1, Target::Pattern { pattern }, Effect::Restrict)
}

fn offline(target: Target) -> Measure {
    Measure { approval: Some(approval(1)), ..measure(1, target, Effect::Shutdown) }
}

fn degrade() -> Effect {
    Effect::Degrade { limits: Degradation::default() }
}

#[test]
fn right_enforcement_is_met_for_every_sort_of_measure() {
    let measures = [
        user(Effect::Restrict),
        user(degrade()),
        user(Effect::Fallback),
        measure(1, Target::Session { session: "s".into() }, Effect::Restrict),
        measure(1, Target::Address { address: "203.0.113.9".into() }, Effect::Restrict),
        measure(1, Target::ApiKey { key: key(1).to_string() }, Effect::Restrict),
        measure(1, Target::Tool { tool: "refund".into() }, Effect::Restrict),
        measure(1, Target::Model { model: "large".into() }, Effect::Fallback),
        measure(1, Target::Application, degrade()),
        measure(1, Target::Application, Effect::Fallback),
        offline(Target::Application),
        offline(Target::Model { model: "large".into() }),
        pattern(vec![]),
        pattern(vec![Direction::Output]),
    ];
    for measure in measures {
        let judged = verdict(&measure, &[], Mutation::None);
        assert!(judged.met, "{:?}: {}", measure.target, judged.detail);
    }
}

#[test]
fn every_mutation_is_found_out() {
    use Mutation as M;
    let always = [
        M::SkipsThePhase,
        M::StaleTable,
        M::StreamPathOnly,
        M::PlainPathOnly,
        M::OneEndpointOnly,
        M::RecordsButForwards,
        M::BreaksEverything,
        M::CountsOnly,
    ];
    let cases = [
        (user(Effect::Restrict), vec![M::WrongScope, M::OtherApplication]),
        (user(Effect::Restrict), vec![M::RefusesButClaimsAllowed]),
        (user(degrade()), vec![M::WrongScope, M::KeepsTools, M::KeepsTokens]),
        (user(degrade()), vec![M::KeepsMessages, M::NoPreamble]),
        (user(Effect::Fallback), vec![M::RefusesInsteadOfFallback, M::EmptyFallback]),
        (pattern(vec![]), vec![M::InputNotCovered, M::OutputNotCovered]),
        (pattern(vec![Direction::Output]), vec![M::OutputNotCovered]),
        (
            measure(1, Target::Tool { tool: "refund".into() }, Effect::Restrict),
            vec![M::RemovesEveryTool],
        ),
        (offline(Target::Application), vec![M::OtherApplication]),
    ];
    for (measure, special) in cases {
        for mutation in always.into_iter().chain(special) {
            let judged = verdict(&measure, &[], mutation);
            assert!(!judged.met, "{mutation:?} on {:?}: {}", measure.target, judged.detail);
        }
    }
}

#[test]
fn a_target_already_stopped_is_reported_as_such() {
    let mut whole = measure(2, Target::Application, Effect::Fallback);
    whole.id = crate::testing::measure_id(2);
    let judged = verdict(&user(Effect::Restrict), &[whole], Mutation::None);
    assert!(judged.met, "{}", judged.detail);
    assert!(judged.detail.contains("already stopped by measure:"), "{}", judged.detail);
}

#[test]
fn missing_answers_prove_nothing() {
    let plan = plan(&user(Effect::Restrict), &shop());
    assert!(!judge(&plan, &[]).met);
    let errors: Vec<Observed> = plan
        .probes
        .iter()
        .map(|_| Observed { epoch: 9, error: Some("refused".into()), ..Observed::default() })
        .collect();
    assert!(!judge(&plan, &errors).met);
}

#[test]
fn a_lift_is_met_only_when_the_measure_is_gone() {
    let restrict = user(Effect::Restrict);
    let plan = plan_lift(&restrict, &shop());
    assert!(
        plan.probes.iter().any(|p| p.request.principal.user.as_ref().unwrap().value == "mallory")
    );
    let run = |table: &Table| -> Judgement {
        let observed: Vec<Observed> =
            plan.probes.iter().map(|p| execute(table, &p.request, Mutation::None)).collect();
        judge(&plan, &observed)
    };
    assert!(run(&Table::compile(1, &[]).unwrap()).met);
    assert!(!run(&Table::compile(1, std::slice::from_ref(&restrict)).unwrap()).met);
}

#[test]
fn a_forbidden_upstream_is_avoided() {
    let target = Target::Upstream { upstream: "primary".into() };
    let plan = plan(&measure(1, target, Effect::Restrict), &shop());
    let answer = |upstream: &str| -> Vec<Observed> {
        let sink = Some(SinkSaw { upstream: upstream.into(), ..SinkSaw::default() });
        let all = plan.probes.iter();
        all.map(|probe| Observed {
            epoch: 1,
            status: 200,
            sink: sink.clone(),
            delivered: probe.request.reply.clone(),
            ..Observed::default()
        })
        .collect()
    };
    assert!(judge(&plan, &answer("second")).met);
    assert!(!judge(&plan, &answer("primary")).met);
}

#[test]
fn every_surface_is_probed_streamed_and_not() {
    let plan = plan(&user(Effect::Restrict), &shop());
    for endpoint in Endpoint::ALL {
        let mut ways = plan.probes.iter().filter(|p| p.request.endpoint == endpoint);
        assert!(ways.any(|p| p.expect == Expectation::Refused), "{endpoint}");
    }
    assert!(plan.probes.iter().filter(|p| p.request.stream).count() >= 8);
    assert!(plan.probes.len() <= PROBES_MAX);
}
