//! The roles people take in an incident.

use serde::{Deserialize, Serialize};

const SHIPPED: &str = include_str!("../../../content/triage/roles.yaml");

/// One incident role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentRole {
    /// Stored name, e.g. `incident_commander`.
    pub id: String,
    /// The name people read.
    pub title: String,
    /// What the role is for.
    pub purpose: String,
    /// What its holder does.
    pub responsibilities: Vec<String>,
    /// What its holder should know.
    pub skills: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    roles: Vec<IncidentRole>,
}

/// The roles that come with the product.
///
/// # Panics
/// Never: a test parses the embedded content.
#[expect(clippy::expect_used, reason = "the embedded content is parsed by a test")]
pub fn shipped() -> Vec<IncidentRole> {
    let file: File =
        serde_saphyr::from_str(SHIPPED).expect("the embedded incident roles are well-formed");
    file.roles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_says_what_it_does() {
        let roles = shipped();
        assert!(roles.iter().any(|role| role.id == "incident_commander"));
        for role in &roles {
            assert!(role.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", role.id);
            assert!(!role.responsibilities.is_empty() && !role.skills.is_empty(), "{}", role.id);
            assert_eq!(roles.iter().filter(|other| other.id == role.id).count(), 1);
        }
    }
}
