//! Decisions by entitled people, each bound to one exact action.

use jiff::Timestamp;
use quell_domain::{Actor, ApprovalId, IncidentId, MeasureId};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{docs, guarded, micros, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApprovalDecision {
    /// The action may run, once.
    Approved,
    /// It may not.
    Rejected,
}

/// A request for a decision, and the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Approval {
    /// Identity.
    pub id: ApprovalId,
    /// The incident concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The action and its parameters as canonical JSON.
    pub action: String,
    /// SHA-256 of `action`.
    pub sha256: String,
    /// The measure it is about, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<MeasureId>,
    /// The action in words.
    #[serde(default)]
    pub summary: String,
    /// Who asks.
    pub requester: Actor,
    /// Why.
    #[serde(default)]
    pub request_reason: String,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<ApprovalDecision>,
    /// Who decided; never the requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Actor>,
    /// The approver's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When the action ran on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Raised on every stored change.
    pub version: i64,
}

impl Approval {
    const fn is_pending(&self) -> bool {
        self.decision.is_none()
    }
}

impl Read {
    /// One approval.
    pub async fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        let query = sqlx::query("SELECT doc FROM approvals WHERE id = $1").bind(id.to_string());
        optional_doc(query, self.connection()).await
    }

    /// A page of approvals, newest first; only undecided ones (lapsed included) if `pending`.
    pub async fn approvals(
        &mut self,
        pending: bool,
        incident: Option<IncidentId>,
        page: &PageRequest,
    ) -> Result<Page<Approval>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM approvals WHERE is_pending >= $1 \
             AND (CAST($2 AS TEXT) IS NULL OR incident = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        )
        .bind(i64::from(pending))
        .bind(incident.map(|id| id.to_string()))
        .bind(&page.cursor)
        .bind(page.fetch());
        let items = docs(query, self.connection()).await?;
        Ok(Page::cut(items, page, |approval: &Approval| approval.id.to_string()))
    }
}

impl Tx {
    /// Stores a new request.
    pub async fn insert_approval(&mut self, approval: &Approval) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO approvals (id, incident, is_pending, sha256, expires_at, version, doc) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(approval.id.to_string())
        .bind(approval.incident.map(|id| id.to_string()))
        .bind(i64::from(approval.is_pending()))
        .bind(&approval.sha256)
        .bind(micros(approval.expires_at))
        .bind(approval.version)
        .bind(to_doc(approval)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Stores a changed approval over the version it carries, and raises that. The guard makes
    /// "used once" hold: of two who use it, one gets a conflict.
    pub async fn update_approval(&mut self, approval: &mut Approval) -> Result<(), StoreError> {
        let stored = Approval { version: approval.version + 1, ..approval.clone() };
        let update = sqlx::query(
            "UPDATE approvals SET is_pending = $1, version = $2, doc = $3 \
             WHERE id = $4 AND version = $5",
        )
        .bind(i64::from(stored.is_pending()))
        .bind(stored.version)
        .bind(to_doc(&stored)?)
        .bind(approval.id.to_string())
        .bind(approval.version);
        guarded(update, "the approval", self.connection()).await?;
        *approval = stored;
        Ok(())
    }
}
