//! What sort of incident it is.

use serde::{Deserialize, Serialize};

/// The kinds of AI incident. Stored as text; the seeds' and frameworks' own names are aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// Instructions smuggled in by a user or a document.
    PromptInjection,
    /// Safety constraints bypassed.
    Jailbreak,
    /// Personal data, secrets, prompts or retrieved content leaving.
    DataExfiltration,
    /// Model behaviour altered.
    ModelManipulation,
    /// Training, feedback or retrieval data corrupted.
    DataPoisoning,
    /// Inputs perturbed to be misjudged.
    Evasion,
    /// The model copied through its interface.
    Extraction,
    /// Quality or distribution moved.
    Drift,
    /// Resources exhausted.
    DenialOfService,
    /// Weights, data or dependencies compromised.
    SupplyChain,
    /// False statements spreading.
    Hallucination,
    /// Unequal treatment.
    BiasFairness,
    /// Tools called in ways nobody intended.
    ToolMisuse,
    /// Harmful, dangerous or unlawful content, or an ethical violation.
    SafetyViolation,
    /// Keys or agent identities in the wrong hands.
    CredentialCompromise,
    /// Not yet known.
    Unclassified,
}

impl IncidentKind {
    /// Every kind, in documentation order.
    pub const ALL: [Self; 16] = [
        Self::PromptInjection,
        Self::Jailbreak,
        Self::DataExfiltration,
        Self::ModelManipulation,
        Self::DataPoisoning,
        Self::Evasion,
        Self::Extraction,
        Self::Drift,
        Self::DenialOfService,
        Self::SupplyChain,
        Self::Hallucination,
        Self::BiasFairness,
        Self::ToolMisuse,
        Self::SafetyViolation,
        Self::CredentialCompromise,
        Self::Unclassified,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PromptInjection => "prompt_injection",
            Self::Jailbreak => "jailbreak",
            Self::DataExfiltration => "data_exfiltration",
            Self::ModelManipulation => "model_manipulation",
            Self::DataPoisoning => "data_poisoning",
            Self::Evasion => "evasion",
            Self::Extraction => "extraction",
            Self::Drift => "drift",
            Self::DenialOfService => "denial_of_service",
            Self::SupplyChain => "supply_chain",
            Self::Hallucination => "hallucination",
            Self::BiasFairness => "bias_fairness",
            Self::ToolMisuse => "tool_misuse",
            Self::SafetyViolation => "safety_violation",
            Self::CredentialCompromise => "credential_compromise",
            Self::Unclassified => "unclassified",
        }
    }

    /// The name people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::PromptInjection => "Prompt injection",
            Self::Jailbreak => "Jailbreak",
            Self::DataExfiltration => "Data exfiltration",
            Self::ModelManipulation => "Model manipulation",
            Self::DataPoisoning => "Data poisoning",
            Self::Evasion => "Evasion",
            Self::Extraction => "Model extraction",
            Self::Drift => "Drift",
            Self::DenialOfService => "Denial of service",
            Self::SupplyChain => "Supply chain",
            Self::Hallucination => "Hallucination",
            Self::BiasFairness => "Bias and fairness",
            Self::ToolMisuse => "Tool misuse",
            Self::SafetyViolation => "Safety violation",
            Self::CredentialCompromise => "Credential compromise",
            Self::Unclassified => "Unclassified",
        }
    }
}

crate::incident::text_enum!(IncidentKind);
