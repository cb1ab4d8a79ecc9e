//! What rules would have found in recorded exchanges.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::InteractionId;
use crate::interaction::Outcome;
use crate::rule::RuleEffect;

/// What a backtest found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestReport {
    /// Exchanges judged.
    pub judged: u64,
    /// Exchanges whose text was not recorded: they say nothing.
    pub without_text: u64,
    /// Exchanges judged in part, because the work budget ran out.
    pub not_evaluated: u64,
    /// Exchanges a tested rule matched.
    pub matched: u64,
    /// Of those, exchanges a tested rule would have refused or cut, were it enforced.
    pub would_block: u64,
    /// Of those, exchanges of which text would have been replaced.
    pub would_redact: u64,
    /// Of the matched, exchanges that were stopped anyway.
    pub already_stopped: u64,
    /// Matches that a filter keeps from counting.
    pub suppressed: u64,
    /// Principals seen.
    pub principals: u64,
    /// Principals a tested rule matched.
    pub affected: u64,
    /// Whether the counts of principals are lower bounds.
    pub principals_capped: bool,
    /// By rule.
    pub rules: Vec<RuleHits>,
    /// Over time, oldest first, without empty stretches.
    pub series: Vec<BacktestBucket>,
    /// Some of the matched exchanges, oldest first.
    pub examples: Vec<BacktestExample>,
}

impl BacktestReport {
    /// Matched exchanges that were not stopped anyway, as a share of those judged: 0 to 1. Where
    /// attacks are rare this is close to the share of false alarms.
    pub fn share(&self) -> f64 {
        let new = self.matched.saturating_sub(self.already_stopped);
        if self.judged == 0 { 0.0 } else { new as f64 / self.judged as f64 }
    }
}

/// What one rule found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleHits {
    /// The rule.
    pub rule: String,
    /// What the rule would do if enforced.
    pub effect: Option<RuleEffect>,
    /// SHA-256 of what the rule says, so that a result is not taken for another version's.
    pub digest: String,
    /// Exchanges it matched.
    pub matched: u64,
    /// Of those, exchanges that were stopped anyway.
    pub already_stopped: u64,
    /// Matches that a filter keeps from counting.
    pub suppressed: u64,
    /// Principals it matched.
    pub affected: u64,
}

/// One stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestBucket {
    /// Where it begins.
    pub from: Timestamp,
    /// Exchanges judged.
    pub judged: u64,
    /// Exchanges matched.
    pub matched: u64,
}

/// A matched exchange, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestExample {
    /// The exchange.
    pub interaction: InteractionId,
    /// When it began.
    pub at: Timestamp,
    /// The application.
    pub application: String,
    /// Tested rules that matched.
    pub rules: Vec<String>,
    /// What had become of it.
    pub outcome: Outcome,
}
