//! Which misbehaviour a request meets.

use crate::config::RangeConfig;
use crate::dice::Dice;

/// A misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    RateLimited,
    ServerError,
    Hang,
    Stall,
    BrokenSse,
    Disconnect,
    Slow,
    Repeat,
    Huge,
}

/// The fault of this request: the one its model name asks for, else whatever the dice say.
pub(crate) fn fault(
    config: &RangeConfig,
    model: &str,
    transcript: &str,
    nth: u64,
) -> Option<Fault> {
    let faults = &config.faults;
    let table = [
        ("rate-limited", faults.rate_limited, Fault::RateLimited),
        ("server-error", faults.server_error, Fault::ServerError),
        ("hang", faults.hang, Fault::Hang),
        ("stall", faults.stall, Fault::Stall),
        ("broken-sse", faults.broken_sse, Fault::BrokenSse),
        ("disconnect", faults.disconnect, Fault::Disconnect),
        ("slow", faults.slow, Fault::Slow),
        ("loop", faults.repeat, Fault::Repeat),
        ("huge", faults.huge, Fault::Huge),
    ];
    if let Some(name) = model.strip_prefix("range-fault-") {
        return table.iter().find(|(known, ..)| *known == name).map(|(.., fault)| *fault);
    }
    let mut dice = Dice::new(config.seed, &["fault", transcript, &nth.to_string()]);
    table.into_iter().find(|(_, chance, _)| dice.chance(*chance)).map(|(.., fault)| fault)
}
