//! What really happened in an exchange: whether the attack reached the model, and whether its
//! result reached the client.

use quell_domain::interaction::Outcome;
use quell_domain::rule::Direction;
use quell_domain::{Interaction, Severity, Signal};

/// What severity rules look at. More of anything is worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impact {
    /// The worst severity a detection rule states.
    pub signal_severity: Option<Severity>,
    /// The attack reached the model, or its result reached the client.
    pub took_effect: bool,
    /// Characters of matched output that were delivered.
    pub leaked_chars: u64,
    /// Distinct principals involved.
    pub principals: u64,
    /// Interactions involved.
    pub interactions: u64,
}

impl Impact {
    /// What the exchange and the findings in it amount to.
    pub fn of(interaction: &Interaction, signals: &[Signal]) -> Self {
        let stopped = interaction.outcome >= Outcome::Blocked;
        let reached_model = interaction.upstream.is_some();
        let mut impact = Self { principals: 1, interactions: 1, ..Self::default() };
        for signal in signals {
            impact.signal_severity = impact.signal_severity.max(Some(signal.severity));
            match signal.direction {
                Direction::Input => impact.took_effect |= reached_model && !stopped,
                Direction::Output => {
                    let leaked = leaked_chars(interaction, signal);
                    impact.leaked_chars = impact.leaked_chars.max(leaked);
                    impact.took_effect |= leaked > 0;
                }
            }
        }
        impact
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            signal_severity: self.signal_severity.max(other.signal_severity),
            took_effect: self.took_effect || other.took_effect,
            leaked_chars: self.leaked_chars.saturating_add(other.leaked_chars),
            principals: self.principals.max(other.principals),
            interactions: self.interactions.saturating_add(other.interactions),
        }
    }
}

/// How much of what an output rule matched was delivered: what the cut let through, nothing where
/// it was replaced or refused, else the whole match.
fn leaked_chars(interaction: &Interaction, signal: &Signal) -> u64 {
    if let Some(cut) = &interaction.cut {
        return cut.leaked_chars;
    }
    if interaction.outcome >= Outcome::Redacted {
        return 0;
    }
    let matched: usize = signal.spans.iter().map(|span| span.end.saturating_sub(span.start)).sum();
    (matched as u64).max(1).min(interaction.response_chars.max(1))
}
