//! Preserved items. Their bytes lie in the evidence store under their SHA-256.

use jiff::Timestamp;
use quell_domain::{Actor, EvidenceId, IncidentId};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{docs, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// One preserved item. Never changed once stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceItem {
    /// Identity.
    pub id: EvidenceId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// What sort of bytes.
    pub media_type: String,
    /// A file name for people.
    pub name: String,
    /// Where it was taken from.
    pub source: String,
    /// When it was taken.
    pub collected_at: Timestamp,
    /// By whom.
    pub actor: Actor,
}

impl Read {
    /// One item.
    pub async fn evidence_item(
        &mut self,
        id: EvidenceId,
    ) -> Result<Option<EvidenceItem>, StoreError> {
        let query =
            sqlx::query("SELECT doc FROM evidence_items WHERE id = $1").bind(id.to_string());
        optional_doc(query, self.connection()).await
    }

    /// A page of items, oldest first; of one incident if given.
    pub async fn evidence_items(
        &mut self,
        incident: Option<IncidentId>,
        page: &PageRequest,
    ) -> Result<Page<EvidenceItem>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM evidence_items WHERE \
             (CAST($1 AS TEXT) IS NULL OR incident = $1) \
             AND (CAST($2 AS TEXT) IS NULL OR id > $2) ORDER BY id LIMIT $3",
        );
        let query =
            query.bind(incident.map(|id| id.to_string())).bind(&page.cursor).bind(page.fetch());
        let items = docs(query, self.connection()).await?;
        Ok(Page::cut(items, page, |item: &EvidenceItem| item.id.to_string()))
    }
}

impl Tx {
    /// Stores a new item.
    pub async fn insert_evidence_item(&mut self, item: &EvidenceItem) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO evidence_items (id, incident, sha256, doc) VALUES ($1, $2, $3, $4)",
        )
        .bind(item.id.to_string())
        .bind(item.incident.to_string())
        .bind(&item.sha256)
        .bind(to_doc(item)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }
}
