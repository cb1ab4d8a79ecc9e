//! Tokens of the control API, for people's tools and for gateways. Stored as their hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use quell_domain::canonical::sha256_hex;
use quell_domain::{AccessRole, IdSource, TokenId};
use quell_store::ApiToken;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// What a new token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Name, 1–64 of `a-z 0-9 -`.
    pub name: String,
    /// What it may do; no more than whoever makes it.
    pub role: AccessRole,
    /// Whether it is a gateway's: then it opens the node endpoints and nothing else.
    pub node: bool,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// A new token, with its text: the only time it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTokenReceipt {
    /// What is stored.
    pub token: ApiToken,
    /// The token text.
    pub secret: String,
}

/// Who a bearer token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// A person's tool.
    Person(Access),
    /// A gateway.
    Node(ApiToken),
}

impl Control {
    /// Every token, oldest first.
    pub async fn tokens(&self, access: &Access) -> Result<Vec<ApiToken>, Refused> {
        access.require(AccessRole::Admin)?;
        Ok(self.read().await?.api_tokens().await?)
    }

    /// Makes a token.
    pub async fn create_token(
        &self,
        access: &Access,
        new: NewToken,
    ) -> Result<NewTokenReceipt, Refused> {
        access.require(AccessRole::Admin)?;
        let (secret, sha256) = secret_text(if new.node { "qn" } else { "qt" }, self.ids().as_ref());
        let token = self.store_token(access, new, sha256).await?;
        Ok(NewTokenReceipt { token, secret })
    }

    /// Makes a token whose text exists already: the node or local token in the data directory.
    pub async fn adopt_token(&self, new: NewToken, secret: &str) -> Result<ApiToken, Refused> {
        let sha256 = sha256_hex(secret.as_bytes());
        if let Some(known) = self.read().await?.api_token_by_hash(&sha256).await? {
            return Ok(known);
        }
        self.store_token(&Access::system(), new, sha256).await
    }

    /// Withdraws a token.
    pub async fn revoke_token(&self, access: &Access, id: TokenId) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        let found = unit.api_token(id).await?;
        let mut token = found.ok_or_else(|| Refused::not_found("token", id))?;
        if token.revoked_at.is_some() {
            return Err(Refused::state("token.revoked", "the token is withdrawn already"));
        }
        token.revoked_at = Some(unit.now());
        unit.update_api_token(&mut token).await?;
        unit.event(None, "token.revoked", json!({"token": id, "name": token.name}));
        unit.commit().await?;
        Ok(())
    }

    /// Who presents `secret`.
    pub async fn bearer(&self, secret: &str) -> Result<Bearer, Refused> {
        if secret.len() > 256 {
            return Err(Refused::Unauthenticated);
        }
        let sha256 = sha256_hex(secret.as_bytes());
        let mut read = self.read().await?;
        let token = read.api_token_by_hash(&sha256).await?.ok_or(Refused::Unauthenticated)?;
        if !token.is_live(self.now()) {
            return Err(Refused::Unauthenticated);
        }
        if token.node {
            return Ok(Bearer::Node(token));
        }
        let mut role = token.role;
        // A token never reaches further than its owner does now.
        if let Some(owner) = read.account_by_name(&token.owner).await? {
            if owner.disabled {
                return Err(Refused::Unauthenticated);
            }
            role = role.min(owner.role);
        }
        Ok(Bearer::Person(Access { actor: token.actor(), role }))
    }

    async fn store_token(
        &self,
        access: &Access,
        new: NewToken,
        sha256: String,
    ) -> Result<ApiToken, Refused> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if new.name.is_empty() || new.name.len() > 64 || !new.name.bytes().all(fits) {
            return Err(Refused::invalid("token.name", "a name is 1 to 64 of a-z 0-9 -"));
        }
        let now = self.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Refused::invalid("token.expiry", "the expiry lies in the past"));
        }
        access.require(new.role)?;
        let token = ApiToken {
            id: TokenId::new(self.ids().as_ref()),
            owner: access.account().unwrap_or("system").to_owned(),
            name: new.name,
            sha256,
            role: new.role,
            node: new.node,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            version: 1,
        };
        let mut unit = self.unit(&access.actor).await?;
        unit.insert_api_token(&token).await?;
        let data = json!({
            "token": token.id, "name": token.name, "owner": token.owner, "role": token.role,
            "node": token.node,
        });
        unit.event(None, "token.created", data);
        unit.commit().await?;
        Ok(token)
    }
}

/// 256 random bits as text, and the SHA-256 of that text.
pub(crate) fn secret_text(prefix: &str, ids: &dyn IdSource) -> (String, String) {
    let mut bytes = [0; 32];
    ids.random(&mut bytes);
    let text = format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(bytes));
    let sha256 = sha256_hex(text.as_bytes());
    (text, sha256)
}
