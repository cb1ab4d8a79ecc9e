//! What control compiles and gateways run on.

use serde::{Deserialize, Serialize};

use crate::application::{Application, KeyBinding, Upstream};
use crate::budget::SpendReport;
use crate::canonical::sha256_hex;
use crate::measure::Measure;

/// One document of detection content: a rule or pattern pack, by name and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ContentFile {
    /// Path inside the content tree, e.g. `rules/injection.yaml`, `patterns/secrets.yaml`.
    pub path: String,
    /// The YAML.
    pub text: String,
}

/// Everything a gateway needs, except secrets (it resolves the references itself).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SnapshotContent {
    /// Applications.
    pub applications: Vec<Application>,
    /// Upstreams.
    pub upstreams: Vec<Upstream>,
    /// Keys.
    pub keys: Vec<KeyBinding>,
    /// Detection content that overrides or extends what is embedded in the binary.
    pub content: Vec<ContentFile>,
    /// Measures in force.
    pub measures: Vec<Measure>,
    /// Measures being lifted: absent from the table, probed until traffic passes again.
    pub lifting: Vec<Measure>,
    /// SHA-256 of the classifier to judge with; none for the one that ships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// SHA-256 of the classifier to try beside it; it decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_model: Option<String>,
}

/// One epoch of [`SnapshotContent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Only rises, also after a restore.
    pub epoch: u64,
    /// SHA-256 of the content's JSON.
    pub hash: String,
    /// The content.
    pub content: SnapshotContent,
}

impl Snapshot {
    /// Stamps `content` with `epoch` and its hash.
    pub fn new(epoch: u64, content: SnapshotContent) -> Self {
        let hash = content.hash();
        Self { epoch, hash, content }
    }

    /// Whether the stated hash is the content's.
    pub fn is_intact(&self) -> bool {
        self.content.hash() == self.hash
    }
}

impl SnapshotContent {
    /// SHA-256 over the serialised content; field order is fixed by the types.
    pub fn hash(&self) -> String {
        sha256_hex(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// What one gateway reports to control after taking a snapshot or probing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GatewayReport {
    /// The gateway's name.
    pub gateway: String,
    /// The epoch it runs on.
    pub epoch: u64,
    /// The hash of that snapshot.
    pub hash: String,
    /// Results of probes made since the last report.
    #[serde(default)]
    pub probes: Vec<ProbeResult>,
    /// Why the newest snapshot could not be taken, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Requests running now.
    #[serde(default)]
    pub in_flight: u64,
    /// Exchanges recorded since start.
    #[serde(default)]
    pub recorded: u64,
    /// Open breakers, by upstream.
    #[serde(default)]
    pub open_breakers: Vec<String>,
    /// SHA-256 of the classifier it judges with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the classifier in shadow would have flagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowCounts>,
    /// What is spent of budgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<SpendReport>,
}

/// What a classifier in shadow would have flagged, beside the one in force. Requests only, since
/// the gateway began to try it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ShadowCounts {
    /// SHA-256 of the classifier in shadow.
    pub sha256: String,
    /// Requests judged by both.
    pub judged: u64,
    /// Of those, flagged by the one in force.
    pub flagged_now: u64,
    /// Of those, flagged by the one in shadow.
    pub flagged_then: u64,
    /// Of those, flagged by both.
    pub flagged_both: u64,
    /// Requests the shadow did not judge, because it was still busy with others.
    pub skipped: u64,
}

/// What a probe through a gateway's own data path met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProbeResult {
    /// The measure probed.
    pub measure: crate::id::MeasureId,
    /// The epoch probed under.
    pub epoch: u64,
    /// Whether every probe met what was intended.
    pub met: bool,
    /// What was tried and met, in words, for people.
    pub detail: String,
    /// When the probe ended.
    pub at: jiff::Timestamp,
}
