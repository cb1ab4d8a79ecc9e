//! Classifier weights that people brought: their bytes, and how far each got towards release.

use jiff::Timestamp;
use quell_domain::{Actor, ApprovalId};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::error::StoreError;
use crate::row::{docs, guarded, inserted, micros, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// Brought, and its gate result known.
    Candidate,
    /// Judging beside the one in force; decides nothing.
    Shadow,
    /// In force.
    Released,
    /// Was in force, or was withdrawn.
    Retired,
}

impl ModelState {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Shadow => "shadow",
            Self::Released => "released",
            Self::Retired => "retired",
        }
    }
}

/// Whether a candidate may go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateResult {
    /// Whether it may.
    pub passed: bool,
    /// Why not.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Known attacks judged.
    pub attacks: u64,
    /// Of those, flagged by the model in force then.
    pub attacks_before: u64,
    /// Of those, flagged by the candidate.
    pub attacks_after: u64,
    /// Known harmless texts judged.
    pub harmless: u64,
    /// Of those, flagged by the model in force then.
    pub alarms_before: u64,
    /// Of those, flagged by the candidate.
    pub alarms_after: u64,
    /// Labelled signals judged.
    pub feedback: u64,
    /// Of those, judged as labelled by the model in force then.
    pub feedback_before: u64,
    /// Of those, judged as labelled by the candidate.
    pub feedback_after: u64,
}

/// What is known about a model besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelRecord {
    /// SHA-256 of its bytes: its identity.
    pub sha256: String,
    /// The name it carries.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Where it stands.
    pub state: ModelState,
    /// Who brought it.
    pub proposed_by: Actor,
    /// When.
    pub proposed_at: Timestamp,
    /// Why.
    pub reason: String,
    /// Whether it may go on.
    pub gate: GateResult,
    /// When it began to judge in shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_since: Option<Timestamp>,
    /// Who let it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_by: Option<Actor>,
    /// The request for its release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// Who released it: never who brought it or asked for the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_by: Option<Actor>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// The model that was in force before it; none for the one that ships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// How it went out of force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ModelEnd>,
    /// Raised by every change.
    pub version: i64,
}

/// How a model went out of force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelEnd {
    /// When.
    pub at: Timestamp,
    /// Who rolled back, or released another.
    pub by: Actor,
    /// Why it was rolled back; none where another took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
}

impl Read {
    /// Every model, newest first.
    pub async fn models(&mut self) -> Result<Vec<ModelRecord>, StoreError> {
        let query = sqlx::query("SELECT doc FROM models ORDER BY proposed_at DESC, sha256");
        docs(query, self.connection()).await
    }

    /// One model.
    pub async fn model(&mut self, sha256: &str) -> Result<Option<ModelRecord>, StoreError> {
        let query = sqlx::query("SELECT doc FROM models WHERE sha256 = $1").bind(sha256);
        optional_doc(query, self.connection()).await
    }

    /// The newest model in a state.
    pub async fn model_in(&mut self, state: ModelState) -> Result<Option<ModelRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM models WHERE state = $1 ORDER BY proposed_at DESC LIMIT 1",
        );
        optional_doc(query.bind(state.as_str()), self.connection()).await
    }

    /// The bytes of a model.
    pub async fn model_bytes(&mut self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query("SELECT bytes FROM models WHERE sha256 = $1").bind(sha256);
        let row = query.fetch_optional(self.connection()).await?;
        Ok(row.map(|row| row.try_get("bytes")).transpose()?)
    }
}

impl Tx {
    /// Stores a model. False when it was there already; then nothing changes.
    pub async fn insert_model(
        &mut self,
        model: &ModelRecord,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO models (sha256, state, proposed_at, version, doc, bytes) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sha256) DO NOTHING",
        )
        .bind(&model.sha256)
        .bind(model.state.as_str())
        .bind(micros(model.proposed_at))
        .bind(model.version)
        .bind(to_doc(model)?)
        .bind(bytes.to_vec());
        inserted(insert, self.connection()).await
    }

    /// Stores a changed model over the version it carries, and raises that.
    pub async fn update_model(&mut self, model: &mut ModelRecord) -> Result<(), StoreError> {
        let stored = ModelRecord { version: model.version + 1, ..model.clone() };
        let update = sqlx::query(
            "UPDATE models SET state = $1, version = $2, doc = $3 \
             WHERE sha256 = $4 AND version = $5",
        )
        .bind(stored.state.as_str())
        .bind(stored.version)
        .bind(to_doc(&stored)?)
        .bind(&model.sha256)
        .bind(model.version);
        guarded(update, "the model", self.connection()).await?;
        *model = stored;
        Ok(())
    }
}
