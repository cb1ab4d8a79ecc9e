//! Keys that clients of the gateway present. The key text is shown once and stored as its hash.

use jiff::Timestamp;
use quell_domain::application::KeyBinding;
use quell_domain::{AccessRole, ApiKeyId};
use quell_store::ApiKey;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;
use crate::tokens::secret_text;

/// What a new key is to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The application.
    pub application: String,
    /// What it is for.
    pub label: String,
    /// The user it stands for, if bound to one.
    pub user: Option<String>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// A new key, with its text: the only time it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKeyReceipt {
    /// What is stored.
    pub key: ApiKey,
    /// The key text.
    pub secret: String,
}

impl Control {
    /// Every key, oldest first; of one application if given.
    pub async fn keys(
        &self,
        access: &Access,
        application: Option<&str>,
    ) -> Result<Vec<ApiKey>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.api_keys(application).await?)
    }

    /// Makes a key.
    pub async fn create_key(&self, access: &Access, new: NewKey) -> Result<NewKeyReceipt, Refused> {
        access.require(AccessRole::Admin)?;
        let too_long = |text: &str| text.len() > 256;
        if too_long(&new.label) || new.user.as_deref().is_some_and(too_long) {
            return Err(Refused::invalid("key.text", "label and user have at most 256 bytes"));
        }
        let now = self.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Refused::invalid("key.expiry", "the expiry lies in the past"));
        }
        let mut unit = self.unit(&access.actor).await?;
        if unit.application(&new.application).await?.is_none() {
            return Err(Refused::not_found("application", &new.application));
        }
        let (secret, sha256) = secret_text("qk", self.ids().as_ref());
        let binding = KeyBinding {
            id: ApiKeyId::new(self.ids().as_ref()),
            sha256,
            application: new.application,
            user: new.user,
            expires_at: new.expires_at,
        };
        let key =
            ApiKey { binding, label: new.label, created_at: now, revoked_at: None, version: 1 };
        unit.insert_api_key(&key).await?;
        let epoch = unit.epoch().await?;
        let data = json!({
            "key": key.binding.id, "application": key.binding.application, "label": key.label,
            "user": key.binding.user, "epoch": epoch,
        });
        unit.event(None, "key.created", data);
        unit.commit().await?;
        Ok(NewKeyReceipt { key, secret })
    }

    /// Withdraws a key.
    pub async fn revoke_key(&self, access: &Access, id: ApiKeyId) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        let found = unit.api_key(id).await?;
        let mut key = found.ok_or_else(|| Refused::not_found("key", id))?;
        if key.revoked_at.is_some() {
            return Err(Refused::state("key.revoked", "the key is withdrawn already"));
        }
        key.revoked_at = Some(unit.now());
        unit.update_api_key(&mut key).await?;
        let epoch = unit.epoch().await?;
        unit.event(None, "key.revoked", json!({"key": id, "epoch": epoch}));
        unit.commit().await?;
        Ok(())
    }
}
