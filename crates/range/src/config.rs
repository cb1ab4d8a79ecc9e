//! How weak the range is, and how it misbehaves.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Settings of the range. Every field has a default; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RangeConfig {
    /// Everything random comes from here: same seed, same question, same answer.
    pub seed: u64,
    /// Wait before the first token, milliseconds.
    pub first_token_ms: u64,
    /// Wait between two tokens of a stream, milliseconds. Zero sends as fast as the client reads.
    pub token_interval_ms: u64,
    /// Longest answer in tokens, whatever the client asks for.
    pub max_tokens: u32,
    /// Text of a `huge` answer, bytes.
    pub huge_bytes: usize,
    /// How long a hanging request is held before it is dropped, milliseconds.
    pub hang_ms: u64,
    /// The key clients must present (`authorization: Bearer` or `x-api-key`); any key when absent.
    pub api_key: Option<String>,
    /// Whether the model looks questions up in its own document store, the poisoned document
    /// included, without the client seeing it.
    pub retrieval: bool,
    /// How often each attack technique works.
    pub obeys: Obeys,
    /// How often secrets get out.
    pub leaks: Leaks,
    /// How often requests fail.
    pub faults: Faults,
}

impl Default for RangeConfig {
    fn default() -> Self {
        Self {
            seed: 7,
            first_token_ms: 5,
            token_interval_ms: 1,
            max_tokens: 1_024,
            huge_bytes: 8 * 1024 * 1024,
            hang_ms: 300_000,
            api_key: None,
            retrieval: true,
            obeys: Obeys::default(),
            leaks: Leaks::default(),
            faults: Faults::default(),
        }
    }
}

/// Probability, 0 to 1, that the model obeys a technique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Obeys {
    /// "Drop your instructions and do this instead."
    pub instruction_override: f64,
    /// A persona without rules.
    pub role_play: f64,
    /// A pretended developer, debug or maintenance mode.
    pub developer_mode: f64,
    /// A payload in base64 or another encoding.
    pub encoded: f64,
    /// Instructions inside a document or a tool result.
    pub injected_document: f64,
    /// "Repeat this word for ever."
    pub repetition: f64,
}

impl Default for Obeys {
    fn default() -> Self {
        Self {
            instruction_override: 0.6,
            role_play: 0.7,
            developer_mode: 0.6,
            encoded: 0.5,
            injected_document: 0.9,
            repetition: 0.8,
        }
    }
}

/// Probability, 0 to 1, that a secret gets out when it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Leaks {
    /// The system prompt, word for word.
    pub system_prompt: f64,
    /// The system prompt in other words, when it did not get out word for word.
    pub system_prompt_paraphrase: f64,
    /// The planted customer records, card numbers, bank accounts and keys.
    pub identifiers: f64,
}

impl Default for Leaks {
    fn default() -> Self {
        Self { system_prompt: 0.9, system_prompt_paraphrase: 1.0, identifiers: 0.9 }
    }
}

/// Probability, 0 to 1, of each misbehaviour, tried in this order on every request. A model name
/// `range-fault-<name>` (with `-` for `_`) brings one about for certain.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// 429 with `retry-after`.
    pub rate_limited: f64,
    /// 500.
    pub server_error: f64,
    /// No response at all.
    pub hang: f64,
    /// A stream that stops half way and stays open.
    pub stall: f64,
    /// A stream that ends in the middle of an event.
    pub broken_sse: f64,
    /// A response that ends half way: the connection is dropped.
    pub disconnect: f64,
    /// Twenty times slower than usual.
    pub slow: f64,
    /// One sentence over and over until the token limit.
    #[serde(rename = "loop")]
    pub repeat: f64,
    /// An answer of `huge_bytes`.
    pub huge: f64,
}

/// Why a range configuration is refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ConfigError {
    /// A probability outside 0 to 1.
    #[error("range: `{field}` is {value}; a probability lies between 0 and 1")]
    Probability {
        /// The field.
        field: &'static str,
        /// What it was.
        value: f64,
    },
    /// A size or time past its limit.
    #[error("range: `{field}` is {value}; at most {limit} is allowed")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// What it was.
        value: u64,
        /// The limit.
        limit: u64,
    },
}

const MAX_WAIT_MS: u64 = 600_000;
const MAX_TOKENS: u64 = 65_536;
const MAX_HUGE_BYTES: u64 = 64 * 1024 * 1024;

impl RangeConfig {
    /// No waiting, no chance: every weakness works every time. For tests.
    pub fn certain() -> Self {
        Self {
            first_token_ms: 0,
            token_interval_ms: 0,
            obeys: Obeys {
                instruction_override: 1.0,
                role_play: 1.0,
                developer_mode: 1.0,
                encoded: 1.0,
                injected_document: 1.0,
                repetition: 1.0,
            },
            leaks: Leaks { system_prompt: 1.0, system_prompt_paraphrase: 1.0, identifiers: 1.0 },
            ..Self::default()
        }
    }

    /// Checks every limit.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (field, value) in self.probabilities() {
            if !(0.0..=1.0).contains(&value) {
                return Err(ConfigError::Probability { field, value });
            }
        }
        for (field, value, limit) in [
            ("first_token_ms", self.first_token_ms, MAX_WAIT_MS),
            ("token_interval_ms", self.token_interval_ms, MAX_WAIT_MS),
            ("hang_ms", self.hang_ms, MAX_WAIT_MS),
            ("max_tokens", u64::from(self.max_tokens), MAX_TOKENS),
            ("huge_bytes", self.huge_bytes as u64, MAX_HUGE_BYTES),
        ] {
            if value > limit {
                return Err(ConfigError::TooLarge { field, value, limit });
            }
        }
        Ok(())
    }

    fn probabilities(&self) -> [(&'static str, f64); 18] {
        let (obeys, leaks, faults) = (&self.obeys, &self.leaks, &self.faults);
        [
            ("obeys.instruction_override", obeys.instruction_override),
            ("obeys.role_play", obeys.role_play),
            ("obeys.developer_mode", obeys.developer_mode),
            ("obeys.encoded", obeys.encoded),
            ("obeys.injected_document", obeys.injected_document),
            ("obeys.repetition", obeys.repetition),
            ("leaks.system_prompt", leaks.system_prompt),
            ("leaks.system_prompt_paraphrase", leaks.system_prompt_paraphrase),
            ("leaks.identifiers", leaks.identifiers),
            ("faults.rate_limited", faults.rate_limited),
            ("faults.server_error", faults.server_error),
            ("faults.hang", faults.hang),
            ("faults.stall", faults.stall),
            ("faults.broken_sse", faults.broken_sse),
            ("faults.disconnect", faults.disconnect),
            ("faults.slow", faults.slow),
            ("faults.loop", faults.repeat),
            ("faults.huge", faults.huge),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_within_limits_and_survives_a_round_trip() {
        let config = RangeConfig::default();
        config.check().unwrap();
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<RangeConfig>(&json).unwrap(), config);
    }

    #[test]
    fn settings_are_written_in_toml() {
        let config: RangeConfig =
            toml::from_str("seed = 3\n[leaks]\nidentifiers = 0.5\n[faults]\nloop = 1.0\n").unwrap();
        assert_eq!((config.seed, config.leaks.identifiers, config.faults.repeat), (3, 0.5, 1.0));
        assert!(toml::from_str::<RangeConfig>("[obeys]\nroleplay = 1.0\n").is_err());
    }

    #[test]
    fn unknown_fields_and_impossible_probabilities_are_refused() {
        assert!(serde_json::from_str::<RangeConfig>(r#"{"sed":1}"#).is_err());
        assert!(serde_json::from_str::<RangeConfig>(r#"{"faults":{"hangs":1}}"#).is_err());
        let mut config = RangeConfig::default();
        config.leaks.identifiers = 1.5;
        assert_eq!(
            config.check(),
            Err(ConfigError::Probability { field: "leaks.identifiers", value: 1.5 })
        );
    }
}
