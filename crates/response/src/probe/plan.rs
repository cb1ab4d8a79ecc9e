//! Which probes a measure needs.

use quell_domain::application::Application;
use quell_domain::interaction::Endpoint;
use quell_domain::measure::{Degradation, Effect, Target, TextPattern};
use quell_domain::rule::Direction;
use quell_domain::{ApiKeyId, Graded, Measure, Principal, TrustGrade};

use super::{
    CONTROL_NAME, CONTROL_TEXT, CONTROL_TOOL, Expectation, PROBE_ADDRESS, PROBES_MAX, Probe,
    ProbePlan, ProbeRequest, SINK_REPLY, stops_before_upstream,
};

/// Output tokens a probe of a degradation asks for when nothing is clamped to.
const TOKENS_ASKED: u32 = 100_000;

/// The probes that prove `measure` is in force.
pub fn plan(measure: &Measure, application: &Application) -> ProbePlan {
    let mut probes = Vec::new();
    for target in target_probes(measure, application) {
        let control = control_of(measure, application, &target.request);
        probes.push(target);
        probes.extend(control);
    }
    finish(measure, application, probes)
}

/// The probes that prove `measure` is gone: the same requests, none touched by it.
pub fn plan_lift(measure: &Measure, application: &Application) -> ProbePlan {
    let mut probes = target_probes(measure, application);
    for probe in &mut probes {
        probe.expect = Expectation::Untouched;
    }
    finish(measure, application, probes)
}

fn target_probes(measure: &Measure, application: &Application) -> Vec<Probe> {
    let surfaces = surfaces(measure, application).into_iter();
    surfaces
        .flat_map(|surface| match &measure.target {
            Target::Pattern { pattern } => pattern_probes(pattern, &surface),
            _ => vec![target_probe(measure, application, &surface)],
        })
        .collect()
}

fn finish(measure: &Measure, application: &Application, mut probes: Vec<Probe>) -> ProbePlan {
    probes.truncate(PROBES_MAX);
    let (id, epoch) = (measure.id, measure.epoch);
    ProbePlan { measure: id, application: application.name.clone(), epoch, probes }
}

/// One way in.
#[derive(Debug, Clone)]
struct Surface {
    endpoint: Endpoint,
    path: Option<String>,
    stream: bool,
}

/// Every way in on which the measure has something to do.
fn surfaces(measure: &Measure, application: &Application) -> Vec<Surface> {
    let mut found = Vec::new();
    for endpoint in Endpoint::ALL {
        let (once, streamed) = match endpoint {
            Endpoint::ChatCompletions | Endpoint::Responses | Endpoint::Messages => (true, true),
            Endpoint::Completions => {
                let acts = !matches!(measure.target, Target::Tool { .. });
                (acts, acts)
            }
            Endpoint::Embeddings => (acts_on_embeddings(measure), false),
            Endpoint::Models => (acts_on_everyone_or_principal(measure), false),
            Endpoint::Forwarded => {
                let acts = acts_on_everyone_or_principal(measure);
                (acts && !application.forward_paths.is_empty(), false)
            }
        };
        let path = application.forward_paths.first().cloned();
        let path = path.filter(|_| endpoint == Endpoint::Forwarded);
        let ways = [(once, false), (streamed, true)];
        for (_, stream) in ways.into_iter().filter(|(acts, _)| *acts) {
            found.push(Surface { endpoint, path: path.clone(), stream });
        }
    }
    found
}

/// Embeddings have input text, a model and a principal, but no tools and no output to degrade.
fn acts_on_embeddings(measure: &Measure) -> bool {
    match &measure.target {
        Target::Pattern { pattern } => covers(pattern, Direction::Input),
        Target::Upstream { .. } => true,
        _ => stops_before_upstream(measure),
    }
}

/// Requests without a model or text of ours meet only what stops a principal or the application.
fn acts_on_everyone_or_principal(measure: &Measure) -> bool {
    stops_before_upstream(measure)
        && !matches!(measure.target, Target::Pattern { .. } | Target::Model { .. })
}

fn covers(pattern: &TextPattern, direction: Direction) -> bool {
    pattern.directions.is_empty() || pattern.directions.contains(&direction)
}

fn target_probe(measure: &Measure, application: &Application, surface: &Surface) -> Probe {
    let mut request = blank(surface);
    let principal = &mut request.principal;
    let claimed =
        |value: &str| Some(Graded { value: value.to_owned(), grade: TrustGrade::Authenticated });
    match &measure.target {
        Target::Application | Target::Pattern { .. } => {}
        Target::User { user } => principal.user = claimed(user),
        Target::Session { session } => principal.session = claimed(session),
        Target::Address { address } => principal.address = Some(address.clone()),
        Target::ApiKey { key } => principal.key = key.parse::<ApiKeyId>().ok(),
        Target::Model { model } => request.model.clone_from(model),
        Target::Tool { tool } => request.tools = vec![tool.clone(), CONTROL_TOOL.to_owned()],
        Target::Upstream { upstream } => request.upstream = Some(upstream.clone()),
    }
    if let Effect::Degrade { limits } = &measure.effect {
        ask_for_more_than(limits, &mut request);
    }
    Probe { expect: expectation(measure, application), request }
}

fn expectation(measure: &Measure, application: &Application) -> Expectation {
    match (&measure.target, &measure.effect) {
        (Target::Tool { tool }, _) => Expectation::ToolAbsent(tool.clone()),
        (Target::Upstream { upstream }, Effect::Restrict | Effect::Shutdown)
            if application.upstreams.iter().any(|name| name != upstream) =>
        {
            Expectation::NotVia(upstream.clone())
        }
        (_, Effect::Restrict) => Expectation::Refused,
        (_, Effect::Degrade { limits }) => Expectation::Degraded(limits.clone()),
        (_, Effect::Fallback) => Expectation::FallbackText,
        (_, Effect::Shutdown) => Expectation::ShutDown,
    }
}

/// A probe of a clamp has to exceed it.
fn ask_for_more_than(limits: &Degradation, request: &mut ProbeRequest) {
    let has_tools = request.endpoint != Endpoint::Completions;
    if has_tools {
        request.tools = vec![CONTROL_TOOL.to_owned()];
        request.earlier_turns = limits.keep_messages.unwrap_or(2).saturating_add(2).min(400) & !1;
    }
    let asked = limits.max_tokens.map_or(TOKENS_ASKED, |most| most.saturating_mul(2).max(2));
    request.max_tokens = Some(asked);
}

/// A pattern is tried on each side it covers, the sample alone in an otherwise plain exchange.
fn pattern_probes(pattern: &TextPattern, surface: &Surface) -> Vec<Probe> {
    let sample = pattern.sample.as_deref().unwrap_or(&pattern.text);
    let mut probes = Vec::with_capacity(2);
    if covers(pattern, Direction::Input) {
        let request = ProbeRequest { text: sample.to_owned(), ..blank(surface) };
        probes.push(Probe { request, expect: Expectation::Refused });
    }
    if covers(pattern, Direction::Output) && surface.endpoint != Endpoint::Embeddings {
        let request = ProbeRequest { reply: sample.to_owned(), ..blank(surface) };
        probes.push(Probe { request, expect: Expectation::OutputWithheld(sample.to_owned()) });
    }
    probes
}

/// The same request by somebody else, or with another model or text. None where the measure
/// leaves nobody out.
fn control_of(
    measure: &Measure,
    application: &Application,
    target: &ProbeRequest,
) -> Option<Probe> {
    let surface =
        Surface { endpoint: target.endpoint, path: target.path.clone(), stream: target.stream };
    let mut request = blank(&surface);
    match &measure.target {
        Target::Application => return None,
        Target::Upstream { upstream } => {
            let other = application.upstreams.iter().find(|name| *name != upstream)?;
            request.upstream = Some(other.clone());
        }
        Target::Tool { .. } => request.tools = vec![CONTROL_TOOL.to_owned()],
        Target::Pattern { pattern } => {
            // A pattern that hits the control text itself leaves no control.
            let sample = pattern.sample.as_deref().unwrap_or(&pattern.text);
            let plain = [CONTROL_TEXT, SINK_REPLY].map(str::to_lowercase);
            if plain.iter().any(|text| text.contains(&sample.to_lowercase())) {
                return None;
            }
        }
        _ => {}
    }
    request.max_tokens = target.max_tokens;
    if !target.tools.is_empty() {
        request.tools = vec![CONTROL_TOOL.to_owned()];
    }
    Some(Probe { request, expect: Expectation::Untouched })
}

fn blank(surface: &Surface) -> ProbeRequest {
    let control = |grade| Some(Graded { value: CONTROL_NAME.to_owned(), grade });
    ProbeRequest {
        principal: Principal {
            user: control(TrustGrade::Authenticated),
            session: control(TrustGrade::Asserted),
            address: Some(PROBE_ADDRESS.to_owned()),
            key: None,
        },
        model: CONTROL_NAME.to_owned(),
        endpoint: surface.endpoint,
        path: surface.path.clone(),
        stream: surface.stream,
        text: CONTROL_TEXT.to_owned(),
        earlier_turns: 0,
        max_tokens: None,
        tools: Vec::new(),
        upstream: None,
        reply: SINK_REPLY.to_owned(),
    }
}
