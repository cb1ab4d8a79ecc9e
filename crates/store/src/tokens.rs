//! Tokens of the control API, and those gateways identify themselves with. Stored as hashes.

use jiff::Timestamp;
use quell_domain::{AccessRole, Actor, TokenId};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::row::{docs, guarded, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// A token of the control API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Identity.
    pub id: TokenId,
    /// The account it acts for.
    pub owner: String,
    /// What it is for. The actor is `token:<owner>/<name>`.
    pub name: String,
    /// Lower-case hex SHA-256 of the token text.
    pub sha256: String,
    /// What it may do.
    pub role: AccessRole,
    /// Whether it is a gateway's: then it opens the node endpoints and nothing else.
    #[serde(default)]
    pub node: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Raised on every stored change.
    pub version: i64,
}

impl ApiToken {
    /// The actor it acts as.
    pub fn actor(&self) -> Actor {
        Actor::Token(format!("{}/{}", self.owner, self.name))
    }

    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}

impl Read {
    /// Every token, oldest first.
    pub async fn api_tokens(&mut self) -> Result<Vec<ApiToken>, StoreError> {
        docs(sqlx::query("SELECT doc FROM api_tokens ORDER BY id"), self.connection()).await
    }

    /// One token.
    pub async fn api_token(&mut self, id: TokenId) -> Result<Option<ApiToken>, StoreError> {
        let query = sqlx::query("SELECT doc FROM api_tokens WHERE id = $1").bind(id.to_string());
        optional_doc(query, self.connection()).await
    }

    /// The token with this hash, live or not.
    pub async fn api_token_by_hash(
        &mut self,
        sha256: &str,
    ) -> Result<Option<ApiToken>, StoreError> {
        let query = sqlx::query("SELECT doc FROM api_tokens WHERE sha256 = $1").bind(sha256);
        optional_doc(query, self.connection()).await
    }
}

impl Tx {
    /// Stores a new token.
    pub async fn insert_api_token(&mut self, token: &ApiToken) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO api_tokens (id, sha256, version, doc) VALUES ($1, $2, $3, $4)",
        )
        .bind(token.id.to_string())
        .bind(&token.sha256)
        .bind(token.version)
        .bind(to_doc(token)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Stores a changed token over the version it carries, and raises that.
    pub async fn update_api_token(&mut self, token: &mut ApiToken) -> Result<(), StoreError> {
        let stored = ApiToken { version: token.version + 1, ..token.clone() };
        let update = sqlx::query(
            "UPDATE api_tokens SET sha256 = $1, version = $2, doc = $3 \
             WHERE id = $4 AND version = $5",
        )
        .bind(&stored.sha256)
        .bind(stored.version)
        .bind(to_doc(&stored)?)
        .bind(token.id.to_string())
        .bind(token.version);
        guarded(update, "the token", self.connection()).await?;
        *token = stored;
        Ok(())
    }
}
