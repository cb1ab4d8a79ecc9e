//! What the answers to a plan's probes say.

use std::fmt::Write as _;

use quell_domain::MeasureId;
use quell_domain::interaction::{Endpoint, Outcome};
use quell_domain::measure::Degradation;

use super::{CONTROL_TOOL, Expectation, Observed, Probe, ProbePlan, ProbeRequest, SinkSaw};

/// Most faults spelled out; the rest are counted.
const FAULTS_SHOWN_MAX: usize = 4;

/// Whether a measure does what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Every probe met what it must.
    pub met: bool,
    /// What was tried and met, in words, for people.
    pub detail: String,
}

/// How one probe went, when it went well.
enum Fine {
    /// As intended, by this measure.
    Met,
    /// Stopped already by something else; this measure is listed, or not touching, as it should.
    Hidden(String),
}

/// Judges `observed`, one per probe of `plan`, in order.
pub fn judge(plan: &ProbePlan, observed: &[Observed]) -> Judgement {
    if plan.probes.is_empty() {
        return Judgement { met: false, detail: "nothing could be probed".into() };
    }
    if observed.len() != plan.probes.len() {
        let (sent, planned) = (observed.len(), plan.probes.len());
        return Judgement { met: false, detail: format!("{sent} of {planned} probes were made") };
    }
    let mut faults = Vec::new();
    let mut hidden: Option<String> = None;
    for (probe, seen) in plan.probes.iter().zip(observed) {
        match judge_one(plan, probe, seen) {
            Ok(Fine::Met) => {}
            Ok(Fine::Hidden(by)) => hidden = hidden.or(Some(by)),
            Err(fault) => faults.push(format!("{}: {fault}", name(&probe.request, &probe.expect))),
        }
    }
    Judgement { met: faults.is_empty(), detail: words(plan, &faults, hidden) }
}

fn words(plan: &ProbePlan, faults: &[String], hidden: Option<String>) -> String {
    let controls = plan.probes.iter().filter(|p| p.expect == Expectation::Untouched).count();
    let targets = plan.probes.len() - controls;
    let mut text = if faults.is_empty() {
        format!("{targets} target and {controls} control probes met what was intended")
    } else {
        format!("{} of {} probes did not: ", faults.len(), plan.probes.len())
    };
    let shown = faults.len().min(FAULTS_SHOWN_MAX);
    text.push_str(&faults[..shown].join("; "));
    if faults.len() > shown {
        let _ = write!(text, "; and {} more", faults.len() - shown);
    }
    if let Some(by) = hidden {
        let _ = write!(text, "; part of it was already stopped by {by}");
    }
    text
}

fn name(request: &ProbeRequest, expect: &Expectation) -> String {
    let part = match expect {
        Expectation::Untouched => "control",
        Expectation::OutputWithheld(_) => "output",
        _ => "target",
    };
    let stream = if request.stream { " stream" } else { "" };
    format!("{}{stream} {part}", request.endpoint)
}

fn judge_one(plan: &ProbePlan, probe: &Probe, seen: &Observed) -> Result<Fine, String> {
    if let Some(error) = &seen.error {
        return Err(format!("could not be made: {error}"));
    }
    if seen.epoch < plan.epoch {
        return Err(format!("treated by table {} instead of {}", seen.epoch, plan.epoch));
    }
    let measure = plan.measure;
    if probe.expect == Expectation::Untouched {
        return untouched(measure, probe, seen);
    }
    if matches!(probe.expect, Expectation::NotVia(_)) {
        return not_via(measure, probe, seen);
    }
    // The target meets the measure, whatever else it meets.
    if !seen.names(measure) {
        return Err(match seen.other_stop(measure) {
            Some(cause) => format!("stopped by {} and not by this measure", cause.by),
            None if seen.sink.is_some() => format!("{}, and forwarded", seen.outcome),
            None => format!("{} with status {}, not by this measure", seen.outcome, seen.status),
        });
    }
    match &probe.expect {
        Expectation::Refused => stopped(measure, seen, Outcome::Blocked),
        Expectation::ShutDown => stopped(measure, seen, Outcome::ShutDown),
        Expectation::FallbackText => fallback(measure, probe, seen),
        Expectation::Degraded(limits) => degraded(measure, probe, seen, limits),
        Expectation::ToolAbsent(tool) => tool_absent(measure, seen, tool),
        Expectation::OutputWithheld(text) => withheld(measure, seen, text),
        Expectation::NotVia(_) | Expectation::Untouched => Ok(Fine::Met),
    }
}

fn untouched(measure: MeasureId, probe: &Probe, seen: &Observed) -> Result<Fine, String> {
    if seen.names(measure) {
        return Err(format!("{} by this measure", seen.outcome));
    }
    if let Some(cause) = seen.other_stop(measure) {
        return Ok(Fine::Hidden(cause.by.clone()));
    }
    if seen.sink.is_none() {
        return Err(format!("{} with status {}, not forwarded", seen.outcome, seen.status));
    }
    if !(200..300).contains(&seen.status) {
        return Err(format!("status {}", seen.status));
    }
    if has_text(probe.request.endpoint) && !seen.delivered.contains(&probe.request.reply) {
        return Err("the reply did not come through".into());
    }
    Ok(Fine::Met)
}

/// Nothing was forwarded, and the client got a refusal.
fn stopped(measure: MeasureId, seen: &Observed, least: Outcome) -> Result<Fine, String> {
    not_forwarded(seen)?;
    if seen.outcome < least {
        return Err(format!("recorded as {} instead of {least}", seen.outcome));
    }
    match seen.other_stop(measure).filter(|cause| cause.outcome > least) {
        // Another measure answers with its fallback, which is no refusal to the client.
        Some(cause) => Ok(Fine::Hidden(cause.by.clone())),
        None if seen.status < 400 => Err(format!("answered with status {}", seen.status)),
        None => Ok(Fine::Met),
    }
}

fn fallback(measure: MeasureId, probe: &Probe, seen: &Observed) -> Result<Fine, String> {
    not_forwarded(seen)?;
    if let Some(cause) = seen.other_stop(measure).filter(|c| c.outcome == Outcome::ShutDown) {
        return Ok(Fine::Hidden(cause.by.clone()));
    }
    if seen.outcome < Outcome::Blocked {
        return Err(format!("recorded as {} instead of fallback", seen.outcome));
    }
    if !has_text(probe.request.endpoint) {
        return Ok(Fine::Met);
    }
    if seen.outcome != Outcome::Fallback || !(200..300).contains(&seen.status) {
        return Err(format!("{} with status {} instead of an answer", seen.outcome, seen.status));
    }
    if seen.delivered.trim().is_empty() || seen.delivered.contains(&probe.request.reply) {
        return Err("the fallback text did not come".into());
    }
    Ok(Fine::Met)
}

fn degraded(
    measure: MeasureId,
    probe: &Probe,
    seen: &Observed,
    limits: &Degradation,
) -> Result<Fine, String> {
    let sink = match forwarded(measure, seen)? {
        Ok(sink) => sink,
        Err(by) => return Ok(Fine::Hidden(by)),
    };
    if limits.remove_tools && !sink.tools.is_empty() {
        return Err(format!("tools were forwarded: {}", sink.tools.join(", ")));
    }
    if let Some(most) = limits.max_tokens
        && sink.max_tokens.is_none_or(|asked| asked > most)
    {
        let asked = sink.max_tokens.map_or("no limit".into(), |asked| asked.to_string());
        return Err(format!("max_tokens was {asked} instead of at most {most}"));
    }
    let most = limits.keep_messages.filter(|_| probe.request.endpoint != Endpoint::Completions);
    if let Some(most) = most.filter(|most| sink.messages > (*most).max(1)) {
        return Err(format!("{} messages were forwarded instead of {most}", sink.messages));
    }
    let has_system = probe.request.endpoint != Endpoint::Completions;
    if limits.strict_preamble && has_system && sink.system.trim().is_empty() {
        return Err("the strict preamble was missing".into());
    }
    Ok(Fine::Met)
}

fn tool_absent(measure: MeasureId, seen: &Observed, tool: &str) -> Result<Fine, String> {
    let sink = match forwarded(measure, seen)? {
        Ok(sink) => sink,
        Err(by) => return Ok(Fine::Hidden(by)),
    };
    if sink.tools.iter().any(|name| name == tool) {
        return Err(format!("tool {tool} was forwarded"));
    }
    let keeps_others = sink.tools.iter().any(|name| name == CONTROL_TOOL);
    // A degradation beside it may take the other tool; that is not this measure's doing.
    let degraded_too =
        seen.causes.iter().any(|c| c.outcome == Outcome::Degraded && !super::is_by(c, measure));
    if !keeps_others && !degraded_too {
        return Err("the other tool was removed as well".into());
    }
    Ok(Fine::Met)
}

fn not_via(measure: MeasureId, probe: &Probe, seen: &Observed) -> Result<Fine, String> {
    let Expectation::NotVia(upstream) = &probe.expect else { return Ok(Fine::Met) };
    match &seen.sink {
        Some(sink) if sink.upstream == *upstream => Err(format!("sent over {upstream}")),
        Some(_) => Ok(Fine::Met),
        None if seen.names(measure) => Ok(Fine::Met),
        None => match seen.other_stop(measure) {
            Some(cause) => Ok(Fine::Hidden(cause.by.clone())),
            None => Err(format!("{} with status {}", seen.outcome, seen.status)),
        },
    }
}

fn withheld(measure: MeasureId, seen: &Observed, text: &str) -> Result<Fine, String> {
    if seen.delivered.contains(text) {
        return Err("the text came out".into());
    }
    if seen.outcome < Outcome::Redacted {
        return Err(format!("recorded as {}", seen.outcome));
    }
    Ok(match seen.other_stop(measure) {
        Some(cause) if seen.sink.is_none() => Fine::Hidden(cause.by.clone()),
        _ => Fine::Met,
    })
}

fn not_forwarded(seen: &Observed) -> Result<(), String> {
    if seen.sink.is_some() { Err("it reached the upstream".into()) } else { Ok(()) }
}

/// What the sink saw; or, where another cause stopped the request first, that cause.
fn forwarded(measure: MeasureId, seen: &Observed) -> Result<Result<&SinkSaw, String>, String> {
    match (&seen.sink, seen.other_stop(measure)) {
        (Some(sink), _) => Ok(Ok(sink)),
        (None, Some(cause)) => Ok(Err(cause.by.clone())),
        (None, None) => Err(format!("{} with status {}, not forwarded", seen.outcome, seen.status)),
    }
}

const fn has_text(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::Messages
    )
}
