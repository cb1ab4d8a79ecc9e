//! References into public frameworks. A bare id is meaningless: frameworks renumber.

use serde::{Deserialize, Serialize};

/// One entry of a framework at one version, e.g. (`mitre-atlas`, `5.6`, `AML.T0051.000`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TaxonomyRef {
    /// `mitre-atlas`, `owasp-llm`, `owasp-asi`, `nist-ai-100-2`, `avid`, …
    pub framework: String,
    /// The version the id belongs to.
    pub version: String,
    /// The id inside that version.
    pub id: String,
}
