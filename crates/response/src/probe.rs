//! How enforcement is proved: which requests a gateway sends itself about a measure, what each
//! must meet, and what the answers say.
//!
//! Every surface a client could come in on is probed, streamed and not, so that enforcement that
//! works on one endpoint, on one path or in one direction only is found out; a control request
//! beside each target shows that nobody else is hit. Judging looks at what left the gateway (the
//! delivered text, the request the sink saw), not only at what the gateway says it did.

mod judge;
mod plan;

use quell_domain::interaction::{Cause, Endpoint, Outcome};
use quell_domain::measure::Degradation;
use quell_domain::{Measure, MeasureId, Principal};

pub use judge::{Judgement, judge};
pub use plan::{plan, plan_lift};

/// Most probes in one plan.
pub const PROBES_MAX: usize = 64;
/// What a control request says.
pub const CONTROL_TEXT: &str = "Please confirm that this line of the service is open.";
/// What the sink answers unless the probe says otherwise.
pub const SINK_REPLY: &str = "The line is open.";
/// The user, session and model of control requests.
pub const CONTROL_NAME: &str = "quell-probe-control";
/// The address of probes: documentation range, never a client's.
pub const PROBE_ADDRESS: &str = "192.0.2.77";
/// A tool that no application has.
pub const CONTROL_TOOL: &str = "quell_probe_tool";

/// Everything to be sent about one measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbePlan {
    /// The measure.
    pub measure: MeasureId,
    /// The application the probes are sent to.
    pub application: String,
    /// Answers from a table older than this prove nothing.
    pub epoch: u64,
    /// The probes, in order.
    pub probes: Vec<Probe>,
}

/// One request and what it must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is sent.
    pub request: ProbeRequest,
    /// What must happen.
    pub expect: Expectation,
}

/// One request a gateway makes to itself. Executing it, the gateway takes principal, model and
/// tools from here after identification, and binds forwarding to a sink that answers `reply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// Who it pretends to be.
    pub principal: Principal,
    /// The model it asks for.
    pub model: String,
    /// The surface.
    pub endpoint: Endpoint,
    /// The path, for [`Endpoint::Forwarded`] only.
    pub path: Option<String>,
    /// Whether it asks for a stream.
    pub stream: bool,
    /// The last user turn (or the embedding input).
    pub text: String,
    /// How many earlier turns stand before it, alternating, ending with the assistant's.
    pub earlier_turns: u32,
    /// `max_tokens` as the client would set it.
    pub max_tokens: Option<u32>,
    /// Names of the tools it offers.
    pub tools: Vec<String>,
    /// The upstream to prefer, when the measure is about one.
    pub upstream: Option<String>,
    /// What the sink answers.
    pub reply: String,
}

/// What a probe must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// Refused by the measure before anything reached the upstream.
    Refused,
    /// Answered by the fallback, in the wire's own shape, without the upstream. On surfaces that
    /// have no text to answer with, a refusal will do.
    FallbackText,
    /// Refused because the target is offline, without the upstream.
    ShutDown,
    /// Forwarded with no more than these capabilities.
    Degraded(Degradation),
    /// Forwarded without this tool, and with the other one.
    ToolAbsent(String),
    /// Not sent over this upstream.
    NotVia(String),
    /// Forwarded, but this text of the reply does not come out.
    OutputWithheld(String),
    /// Not touched by the measure; passes unless another measure stops it.
    Untouched,
}

/// What became of one probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The epoch of the table it was treated by.
    pub epoch: u64,
    /// HTTP status.
    pub status: u16,
    /// What the gateway says became of it.
    pub outcome: Outcome,
    /// Every reason the gateway lists.
    pub causes: Vec<Cause>,
    /// What the sink saw; none when nothing was forwarded.
    pub sink: Option<SinkSaw>,
    /// All text the client received, over every event of a stream; the raw body when there is
    /// no text in the wire's shape.
    pub delivered: String,
    /// Why it could not be carried out at all.
    pub error: Option<String>,
}

/// The request as it would have reached the upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkSaw {
    /// The upstream it was meant for.
    pub upstream: String,
    /// Names of the tools.
    pub tools: Vec<String>,
    /// The output limit.
    pub max_tokens: Option<u32>,
    /// Messages that are not system text.
    pub messages: u32,
    /// All system text.
    pub system: String,
}

impl Observed {
    /// Whether the measure is among the reasons.
    fn names(&self, measure: MeasureId) -> bool {
        self.causes.iter().any(|cause| is_by(cause, measure))
    }

    /// The strongest reason that is not the measure.
    fn other_stop(&self, measure: MeasureId) -> Option<&Cause> {
        let stops = |cause: &&Cause| cause.outcome >= Outcome::Blocked && !is_by(cause, measure);
        self.causes.iter().filter(stops).max_by_key(|cause| cause.outcome)
    }
}

fn is_by(cause: &Cause, measure: MeasureId) -> bool {
    cause.by.strip_prefix("measure:").is_some_and(|id| id == measure.to_string())
}

/// Whether requests that meet the measure never reach the upstream.
fn stops_before_upstream(measure: &Measure) -> bool {
    use quell_domain::measure::{Effect, Target};
    !matches!(measure.effect, Effect::Degrade { .. })
        && !matches!(measure.target, Target::Tool { .. } | Target::Upstream { .. })
}

#[cfg(test)]
mod tests;
