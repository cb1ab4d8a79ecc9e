//! Ways to break enforcement on purpose. Compiled for tests only: they show that a probe turns
//! every one of these into *not verified*.

use std::sync::Arc;

use quell_domain::interaction::Endpoint;
use quell_domain::rule::Direction;
use quell_response::Treatment;

use crate::active::Active;
use crate::exchange::Exchange;
use crate::shared::Shared;

/// One way enforcement can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The admit phase is skipped.
    SkipAdmit,
    /// Requests are treated by the table before.
    StaleTable,
    /// The measure hits everybody.
    EverybodyHit,
    /// Only streams are treated.
    StreamsOnly,
    /// Streams are not treated.
    WholeOnly,
    /// Only one surface is treated.
    OneEndpointOnly(Endpoint),
    /// One surface is not treated.
    AllButOneEndpoint(Endpoint),
    /// Degraded requests keep their tools.
    ToolsKept,
    /// Degraded requests keep their token limit.
    TokensKept,
    /// Degraded requests keep their context.
    ContextKept,
    /// Degraded requests get no preamble.
    PreambleMissing,
    /// The fallback is recorded, but the model answers.
    FallbackForwarded,
    /// The shutdown is recorded, but the model answers.
    ShutdownForwarded,
    /// A blocked tool is recorded and stays.
    BlockedToolKept,
    /// Patterns are not looked for in requests.
    InputPatternsMissing,
    /// Patterns are not looked for in responses.
    OutputPatternsMissing,
    /// Patterns are not looked for in streams.
    StreamPatternsMissing,
    /// Refused without saying by what.
    CauseMissing,
}

/// The table a request is treated by.
pub(crate) fn table(shared: &Shared, active: Option<Arc<Active>>) -> Option<Arc<Active>> {
    match *shared.fault.lock() {
        Some(Fault::StaleTable) => shared.previous.load_full().or(active),
        _ => active,
    }
}

/// The treatment, bent.
pub(crate) fn treatment(exchange: &Exchange, mut treatment: Treatment) -> Treatment {
    let Some(fault) = *exchange.shared.fault.lock() else { return treatment };
    let endpoint = exchange.record.endpoint;
    let missed = match fault {
        Fault::SkipAdmit => true,
        Fault::StreamsOnly => !exchange.record.stream,
        Fault::WholeOnly => exchange.record.stream,
        Fault::OneEndpointOnly(only) => endpoint != only,
        Fault::AllButOneEndpoint(missed) => endpoint == missed,
        _ => false,
    };
    if missed {
        return Treatment::default();
    }
    if let Some(limits) = treatment.degrade.as_mut() {
        match fault {
            Fault::ToolsKept => limits.remove_tools = false,
            Fault::TokensKept => limits.max_tokens = None,
            Fault::ContextKept => limits.keep_messages = None,
            Fault::PreambleMissing => limits.strict_preamble = false,
            _ => {}
        }
    }
    match fault {
        Fault::EverybodyHit => {
            let measure = exchange.active.snapshot.content.measures.first();
            treatment.restrict = measure.map(|measure| measure.id);
        }
        Fault::FallbackForwarded => treatment.fallback = None,
        Fault::ShutdownForwarded => treatment.shutdown = None,
        Fault::BlockedToolKept => treatment.blocked_tools.clear(),
        Fault::CauseMissing => treatment.causes.clear(),
        _ => {}
    }
    treatment
}

/// Whether patterns are hidden from this inspection.
pub(crate) fn hides_patterns(exchange: &Exchange, direction: Direction) -> bool {
    match *exchange.shared.fault.lock() {
        Some(Fault::InputPatternsMissing) => direction == Direction::Input,
        Some(Fault::OutputPatternsMissing) => direction == Direction::Output,
        Some(Fault::StreamPatternsMissing) => {
            exchange.record.stream && direction == Direction::Output
        }
        _ => false,
    }
}
