//! How sure the judgement is, by family of finding.

/// Calibrated scores of one direction of an exchange, each 0 to 1.
///
/// A score is comparable across texts and releases of the content: 0.5 is the shipped threshold of
/// every family, so `overall() >= THRESHOLD` means "flagged".
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Scores {
    /// Injection, jailbreak, extraction of the prompt: text that works against its instructions.
    pub attack: f32,
    /// A harmful request, or a conversation that moves towards one.
    pub harm: f32,
    /// The system prompt or a canary in the output.
    pub leak: f32,
    /// Identifiers of people.
    pub identifiers: f32,
    /// Keys, tokens and passwords.
    pub secrets: f32,
}

impl Scores {
    /// Where a family's score becomes a finding.
    pub const THRESHOLD: f32 = 0.5;

    /// The highest of all families.
    pub fn overall(&self) -> f32 {
        [self.attack, self.harm, self.leak, self.identifiers, self.secrets]
            .into_iter()
            .fold(0.0, f32::max)
    }

    /// The higher of two judgements, family by family.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            attack: self.attack.max(other.attack),
            harm: self.harm.max(other.harm),
            leak: self.leak.max(other.leak),
            identifiers: self.identifiers.max(other.identifiers),
            secrets: self.secrets.max(other.secrets),
        }
    }
}
