//! What a bundle of evidence contains, who collected it, and what happened to it since.

use std::collections::BTreeSet;

use jiff::Timestamp;
use quell_domain::canonical::canonical_json;
use quell_domain::{Actor, IncidentId, InteractionId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::Sha256Digest;

/// The file in a bundle that holds the manifest's canonical bytes.
pub const MANIFEST_NAME: &str = "manifest.json";

const FORMAT: &str = "quell-evidence";
const MOST_ITEMS: usize = 100_000;
const LARGEST_MANIFEST: usize = 256 * 1024 * 1024;
/// With the folder before it, a name fits the name field of a tar header.
const LONGEST_NAME: usize = 90;

/// A manifest of any version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// Version 1.
    V1(ManifestV1),
}

/// Version 1 of the manifest. Its fields never change; a change is a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestV1 {
    /// The incident.
    pub incident: IncidentId,
    /// Its number for people, `INC-YYYY-NNNN`.
    pub number: String,
    /// When the manifest was made.
    pub created_at: Timestamp,
    /// The items.
    pub items: Vec<Item>,
    /// What happened to them.
    pub custody: Vec<CustodyEvent>,
}

/// One preserved thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its name in the bundle: one to four parts of `A-Z a-z 0-9 . _ -` between slashes.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
    /// How many there are.
    pub size: u64,
    /// What they are, e.g. `application/json`.
    pub media_type: String,
    /// Where they came from, e.g. `lake:gateway-1`, `snapshot:42`.
    pub source: String,
    /// When they were collected.
    pub collected_at: Timestamp,
    /// Who collected them.
    pub actor: Actor,
    /// The interactions they show.
    #[serde(default)]
    pub interactions: Vec<InteractionId>,
}

/// One thing that happened to evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyEvent {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: CustodyAction,
    /// The item's name; none: all of them.
    pub item: Option<String>,
    /// Why.
    pub reason: String,
}

/// What happened to evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustodyAction {
    /// Copied from where it arose.
    Collected,
    /// Read by somebody.
    Viewed,
    /// Written to a bundle.
    Exported,
    /// Given to somebody else.
    Transferred,
}

/// Why bytes are no manifest, or a manifest cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of the right shape.
    #[error("the manifest is not JSON of the expected shape")]
    Shape(#[source] serde_json::Error),
    /// Not a manifest, or of a version this build does not know.
    #[error(
        "the manifest is of format {format:?} version {version}; this build reads quell-evidence 1"
    )]
    Version {
        /// What it calls itself.
        format: String,
        /// The version it states.
        version: u64,
    },
    /// Readable, but not the canonical bytes: somebody wrote it again.
    #[error("the manifest's bytes are not canonical: they were not written by Quell")]
    NotCanonical,
    /// A name that does not fit a bundle.
    #[error(
        "item name {0:?} does not fit a bundle: use one to four parts of letters, digits, '.', '_' \
         and '-', none starting with a dot, 90 characters in all"
    )]
    Name(String),
    /// Two items of one name.
    #[error("two items are named {0:?}")]
    DuplicateName(String),
    /// Too many items or bytes.
    #[error("the manifest is too large: at most {MOST_ITEMS} items and {LARGEST_MANIFEST} bytes")]
    TooLarge,
}

impl Manifest {
    /// The bytes whose digest stands for the bundle: RFC 8785, so anybody can make them again.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let Self::V1(manifest) = self;
        let mut value = serde_json::to_value(manifest).map_err(ManifestError::Shape)?;
        if let Value::Object(map) = &mut value {
            map.insert("format".into(), json!(FORMAT));
            map.insert("version".into(), json!(1));
        }
        canonical_json(&value)
            .map_err(|error| ManifestError::Shape(serde::ser::Error::custom(error)))
    }

    /// The digest of the canonical bytes.
    pub fn sha256(&self) -> Result<Sha256Digest, ManifestError> {
        Ok(Sha256Digest::of(&self.canonical_bytes()?))
    }

    /// Reads a manifest of any known version; nothing but its canonical bytes will do.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > LARGEST_MANIFEST {
            return Err(ManifestError::TooLarge);
        }
        let mut value: Value = serde_json::from_slice(bytes).map_err(ManifestError::Shape)?;
        let (format, version) = match &mut value {
            Value::Object(map) => (map.remove("format"), map.remove("version")),
            _ => (None, None),
        };
        let format = format.as_ref().and_then(Value::as_str).unwrap_or_default();
        let manifest = match version.and_then(|version| version.as_u64()) {
            Some(1) if format == FORMAT => {
                Self::V1(serde_json::from_value(value).map_err(ManifestError::Shape)?)
            }
            version => {
                let format = format.chars().take(32).collect();
                return Err(ManifestError::Version { format, version: version.unwrap_or(0) });
            }
        };
        if manifest.canonical_bytes()? != bytes {
            return Err(ManifestError::NotCanonical);
        }
        Ok(manifest)
    }

    /// Brings a manifest of any version to the newest.
    pub fn upgrade(self) -> ManifestV1 {
        let Self::V1(manifest) = self;
        manifest
    }

    /// The items.
    pub fn items(&self) -> &[Item] {
        let Self::V1(manifest) = self;
        &manifest.items
    }

    fn check(&self) -> Result<(), ManifestError> {
        let items = self.items();
        if items.len() > MOST_ITEMS {
            return Err(ManifestError::TooLarge);
        }
        let mut names = BTreeSet::new();
        for item in items {
            if !is_item_name(&item.name) {
                return Err(ManifestError::Name(item.name.chars().take(100).collect()));
            }
            // Some file systems do not tell case apart.
            if !names.insert(item.name.to_ascii_lowercase()) {
                return Err(ManifestError::DuplicateName(item.name.clone()));
            }
        }
        Ok(())
    }
}

fn is_item_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    name.len() <= LONGEST_NAME && name.split('/').count() <= 4 && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_bundle() {
        for good in ["a", "interactions/int_1.json", "a/b/c/d", &"x".repeat(90)] {
            assert!(is_item_name(good), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "..",
            "../a",
            "a/../b",
            ".a",
            "a/.b",
            "a\\b",
            "a b",
            "a:b",
            "ä",
            "a/b/c/d/e",
            "a\0",
            &"x".repeat(91),
        ] {
            assert!(!is_item_name(bad), "{bad}");
        }
    }

    #[test]
    fn other_formats_and_versions_are_named() {
        for (text, expected) in [
            (r#"{"format":"quell-evidence","version":2}"#, "version 2"),
            (r#"{"format":"other","version":1}"#, "\"other\""),
            ("{}", "version 0"),
            ("[]", "version 0"),
            ("{", "not JSON"),
            (r#"{"format":"quell-evidence","version":1}"#, "not JSON of the expected shape"),
        ] {
            let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
