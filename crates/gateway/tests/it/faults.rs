//! `verified` cannot be had by accident: enforcement broken in any of these ways is found out.

use quell_domain::interaction::Endpoint;
use quell_domain::measure::{Degradation, Effect, Target, TextPattern};
use quell_gateway::faults::Fault;

use crate::support::Rig;

fn user() -> Target {
    Target::User { user: "mallory".into() }
}

fn pattern() -> Target {
    Target::Pattern {
        pattern: TextPattern {
            text: "blue falcon".into(),
            regex: false,
            directions: Vec::new(),
            sample: None,
        },
    }
}

#[tokio::test]
async fn every_injected_fault_turns_into_not_verified() {
    let degrade = Effect::Degrade { limits: Degradation::default() };
    let tool = Target::Tool { tool: "send_email".into() };
    let cases = [
        (Fault::SkipAdmit, user(), Effect::Restrict),
        (Fault::StaleTable, user(), Effect::Restrict),
        (Fault::EverybodyHit, user(), Effect::Restrict),
        (Fault::StreamsOnly, user(), Effect::Restrict),
        (Fault::WholeOnly, user(), Effect::Restrict),
        (Fault::OneEndpointOnly(Endpoint::ChatCompletions), user(), Effect::Restrict),
        (Fault::AllButOneEndpoint(Endpoint::Messages), user(), Effect::Restrict),
        (Fault::AllButOneEndpoint(Endpoint::Responses), Target::Application, Effect::Shutdown),
        (Fault::AllButOneEndpoint(Endpoint::Embeddings), user(), Effect::Restrict),
        (Fault::CauseMissing, user(), Effect::Restrict),
        (Fault::ToolsKept, Target::Application, degrade.clone()),
        (Fault::TokensKept, Target::Application, degrade.clone()),
        (Fault::ContextKept, Target::Application, degrade.clone()),
        (Fault::PreambleMissing, Target::Application, degrade),
        (Fault::FallbackForwarded, Target::Application, Effect::Fallback),
        (Fault::ShutdownForwarded, Target::Application, Effect::Shutdown),
        (Fault::BlockedToolKept, tool, Effect::Restrict),
        (Fault::InputPatternsMissing, pattern(), Effect::Restrict),
        (Fault::OutputPatternsMissing, pattern(), Effect::Restrict),
        (Fault::StreamPatternsMissing, pattern(), Effect::Restrict),
    ];
    let rig = Rig::start().await;
    for (fault, target, effect) in cases {
        rig.gateway.inject(Some(fault));
        let measure = rig.measure(target, effect);
        let id = measure.id;
        rig.enforce(vec![measure]).await;
        let result = rig
            .control
            .wait_for(|reports| {
                reports.iter().flat_map(|r| &r.probes).find(|probe| probe.measure == id).cloned()
            })
            .await;
        assert!(!result.met, "{fault:?} went unnoticed: {}", result.detail);
    }
}
