//! What is measured, and how each measure is judged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One measure of one scope, one value per cell of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Exchanges.
    Requests,
    /// Different users, sessions, keys or addresses; estimated.
    Principals,
    /// Mean input tokens of an exchange.
    InputTokens,
    /// Mean output tokens of an exchange.
    OutputTokens,
    /// Input and output tokens per minute.
    TokensPerMinute,
    /// Cost per minute by the application's prices, in their currency; absent without a price.
    CostPerMinute,
    /// Median time to the last byte, milliseconds.
    LatencyP50,
    /// 95th percentile of it.
    LatencyP95,
    /// 99th percentile of it.
    LatencyP99,
    /// Median time to the first byte, milliseconds; streams only.
    FirstByteP50,
    /// 95th percentile of it.
    FirstByteP95,
    /// 99th percentile of it.
    FirstByteP99,
    /// Mean characters of an answer.
    OutputChars,
    /// Share of forwarded exchanges that ended in a server error.
    ServerErrors,
    /// Share of forwarded exchanges that the model endpoint refused as wrong.
    ClientErrors,
    /// Share of forwarded exchanges that met a rate limit.
    RateLimited,
    /// Share of forwarded exchanges that the model refused to answer.
    Refusals,
    /// Share of exchanges in which a detection rule matched.
    GuardHits,
    /// Share of forwarded exchanges with a tool call.
    ToolUse,
    /// Share of forwarded exchanges cut at the token limit.
    FinishLength,
    /// Share of forwarded exchanges cut by the provider's filter.
    FinishFiltered,
    /// Share of texts in another script than the application's usual one.
    OtherScript,
    /// Share of exchanges whose prompt was seen before within the hour.
    Duplicates,
}

/// How many there are.
pub const METRICS: usize = Metric::ALL.len();
/// Where rates begin in [`Metric::ALL`].
pub(crate) const FIRST_RATE: usize = Metric::ServerErrors as usize;
/// How many are rates.
pub(crate) const RATES: usize = METRICS - FIRST_RATE;

impl Metric {
    /// Every metric: positive ones, then rates.
    pub const ALL: [Self; 23] = [
        Self::Requests,
        Self::Principals,
        Self::InputTokens,
        Self::OutputTokens,
        Self::TokensPerMinute,
        Self::CostPerMinute,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::LatencyP99,
        Self::FirstByteP50,
        Self::FirstByteP95,
        Self::FirstByteP99,
        Self::OutputChars,
        Self::ServerErrors,
        Self::ClientErrors,
        Self::RateLimited,
        Self::Refusals,
        Self::GuardHits,
        Self::ToolUse,
        Self::FinishLength,
        Self::FinishFiltered,
        Self::OtherScript,
        Self::Duplicates,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Principals => "principals",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::TokensPerMinute => "tokens_per_minute",
            Self::CostPerMinute => "cost_per_minute",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP95 => "latency_p95",
            Self::LatencyP99 => "latency_p99",
            Self::FirstByteP50 => "first_byte_p50",
            Self::FirstByteP95 => "first_byte_p95",
            Self::FirstByteP99 => "first_byte_p99",
            Self::OutputChars => "output_chars",
            Self::ServerErrors => "server_errors",
            Self::ClientErrors => "client_errors",
            Self::RateLimited => "rate_limited",
            Self::Refusals => "refusals",
            Self::GuardHits => "guard_hits",
            Self::ToolUse => "tool_use",
            Self::FinishLength => "finish_length",
            Self::FinishFiltered => "finish_filtered",
            Self::OtherScript => "other_script",
            Self::Duplicates => "duplicates",
        }
    }

    /// The name people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Requests => "Requests",
            Self::Principals => "Different principals",
            Self::InputTokens => "Input tokens per request",
            Self::OutputTokens => "Output tokens per request",
            Self::TokensPerMinute => "Tokens per minute",
            Self::CostPerMinute => "Cost per minute",
            Self::LatencyP50 => "Latency, median",
            Self::LatencyP95 => "Latency, 95th percentile",
            Self::LatencyP99 => "Latency, 99th percentile",
            Self::FirstByteP50 => "Time to first byte, median",
            Self::FirstByteP95 => "Time to first byte, 95th percentile",
            Self::FirstByteP99 => "Time to first byte, 99th percentile",
            Self::OutputChars => "Characters of an answer",
            Self::ServerErrors => "Server errors",
            Self::ClientErrors => "Client errors",
            Self::RateLimited => "Rate-limited",
            Self::Refusals => "Refusals by the model",
            Self::GuardHits => "Exchanges with a rule match",
            Self::ToolUse => "Exchanges with a tool call",
            Self::FinishLength => "Cut at the token limit",
            Self::FinishFiltered => "Cut by the provider's filter",
            Self::OtherScript => "Texts in another script",
            Self::Duplicates => "Repeated prompts",
        }
    }

    /// What its values count: a number, milliseconds, or a share of one.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::LatencyP50
            | Self::LatencyP95
            | Self::LatencyP99
            | Self::FirstByteP50
            | Self::FirstByteP95
            | Self::FirstByteP99 => "ms",
            _ if self.is_rate() => "share",
            _ => "",
        }
    }

    /// A share, judged by Bernoulli CUSUM; else a positive value, judged by seasonal level and
    /// CUSUM.
    pub const fn is_rate(self) -> bool {
        self as usize >= FIRST_RATE
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether a cell without traffic has the value zero; else it has none.
    pub(crate) const fn counts_silence(self) -> bool {
        matches!(self, Self::Requests | Self::Principals | Self::TokensPerMinute)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No metric has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no metric {0:?}")]
pub struct UnknownMetric(String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        let found = Self::ALL.into_iter().find(|metric| metric.as_str() == text);
        found.ok_or_else(|| UnknownMetric(text.chars().take(64).collect()))
    }
}

/// Which way a metric left its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// More than normal.
    Up,
    /// Less than normal.
    Down,
}

impl Change {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}
