//! Keys that clients of the gateway present. Only their hashes are stored.

use jiff::Timestamp;
use quell_domain::ApiKeyId;
use quell_domain::application::KeyBinding;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::row::{docs, guarded, micros, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// A key as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What gateways get.
    pub binding: KeyBinding,
    /// What it is for.
    #[serde(default)]
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Raised on every stored change.
    pub version: i64,
}

impl Read {
    /// Every key, oldest first; of one application if given.
    pub async fn api_keys(&mut self, application: Option<&str>) -> Result<Vec<ApiKey>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM api_keys \
             WHERE CAST($1 AS TEXT) IS NULL OR application = $1 ORDER BY id",
        );
        docs(query.bind(application), self.connection()).await
    }

    /// One key.
    pub async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let query = sqlx::query("SELECT doc FROM api_keys WHERE id = $1").bind(id.to_string());
        optional_doc(query, self.connection()).await
    }

    /// Keys that are not revoked, as gateways get them. Expiry is applied there.
    pub async fn key_bindings(&mut self) -> Result<Vec<KeyBinding>, StoreError> {
        let query = sqlx::query("SELECT doc FROM api_keys WHERE revoked_at IS NULL ORDER BY id");
        let keys: Vec<ApiKey> = docs(query, self.connection()).await?;
        Ok(keys.into_iter().map(|key| key.binding).collect())
    }
}

impl Tx {
    /// Stores a new key.
    pub async fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO api_keys (id, sha256, application, revoked_at, version, doc) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(key.binding.id.to_string())
        .bind(&key.binding.sha256)
        .bind(&key.binding.application)
        .bind(key.revoked_at.map(micros))
        .bind(key.version)
        .bind(to_doc(key)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Stores a changed key over the version it carries, and raises that.
    pub async fn update_api_key(&mut self, key: &mut ApiKey) -> Result<(), StoreError> {
        let stored = ApiKey { version: key.version + 1, ..key.clone() };
        let update = sqlx::query(
            "UPDATE api_keys SET revoked_at = $1, version = $2, doc = $3 \
             WHERE id = $4 AND version = $5",
        )
        .bind(stored.revoked_at.map(micros))
        .bind(stored.version)
        .bind(to_doc(&stored)?)
        .bind(key.binding.id.to_string())
        .bind(key.version);
        guarded(update, "the key", self.connection()).await?;
        *key = stored;
        Ok(())
    }
}
