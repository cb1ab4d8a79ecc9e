//! Other names of the incident kinds, and the framework entries that stand for each.

use quell_domain::kind::IncidentKind;
use quell_domain::taxonomy::TaxonomyRef;
use serde::Deserialize;

/// One kind's other names and references.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindEntry {
    /// The kind.
    pub kind: IncidentKind,
    /// What else it is called.
    pub aliases: Vec<String>,
    /// The framework entries that stand for it.
    pub references: Vec<TaxonomyRef>,
}

/// The names of all kinds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taxonomy {
    kinds: Vec<KindEntry>,
}

/// Why a taxonomy file was refused.
#[derive(Debug, thiserror::Error)]
#[error("the taxonomy file cannot be read: {0}")]
pub struct TaxonomyError(String);

impl Taxonomy {
    /// The shipped taxonomy.
    pub fn embedded() -> Result<Self, TaxonomyError> {
        Self::read(include_str!("../../../content/taxonomy/kinds.yaml"))
    }

    /// Reads a taxonomy file.
    pub fn read(yaml: &str) -> Result<Self, TaxonomyError> {
        serde_saphyr::from_str(yaml)
            .map_err(|error| TaxonomyError(error.without_snippet().to_string()))
    }

    /// The kind that `name` stands for, by its own name or an alias, whatever the case.
    pub fn kind(&self, name: &str) -> Option<IncidentKind> {
        let name = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        let entry = self
            .kinds
            .iter()
            .find(|entry| entry.kind.as_str() == name || entry.aliases.contains(&name))?;
        Some(entry.kind)
    }

    /// The framework entries that stand for a kind.
    pub fn references(&self, kind: IncidentKind) -> &[TaxonomyRef] {
        let entry = self.kinds.iter().find(|entry| entry.kind == kind);
        entry.map_or(&[], |entry| entry.references.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_there_and_aliases_are_unique() {
        let taxonomy = Taxonomy::embedded().unwrap();
        let mut names: Vec<String> = Vec::new();
        for entry in &taxonomy.kinds {
            names.push(entry.kind.to_string());
            names.extend(entry.aliases.iter().cloned());
        }
        for kind in IncidentKind::ALL {
            assert_eq!(taxonomy.kind(kind.as_str()), Some(kind));
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn other_names_lead_to_kinds() {
        let taxonomy = Taxonomy::embedded().unwrap();
        for (name, kind) in [
            ("adversarial_attack", IncidentKind::Evasion),
            ("Model Extraction", IncidentKind::Extraction),
            ("jailbreak-attempt", IncidentKind::Jailbreak),
            ("hallucination_cascade", IncidentKind::Hallucination),
            ("unknown_ai_incident", IncidentKind::Unclassified),
        ] {
            assert_eq!(taxonomy.kind(name), Some(kind), "{name}");
        }
        assert_eq!(taxonomy.kind("no such thing"), None);
    }
}
