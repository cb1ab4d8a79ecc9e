//! The first administrator: a one-time link, printed on first start, makes the account. There is
//! no default password.

use std::time::Duration;

use jiff::Timestamp;
use quell_domain::canonical::sha256_hex;
use quell_domain::{AccessRole, Actor};
use quell_store::{LinkPurpose, OneTimeLink};
use serde_json::json;

use super::session::SessionCookie;
use crate::handle::Control;
use crate::refused::Refused;
use crate::tokens::secret_text;

/// How long a setup link works.
const LIFETIME: Duration = Duration::from_hours(24);

/// A link's token. Its text is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct SetupLink {
    /// The token.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for SetupLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetupLink").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Control {
    /// A fresh setup link, if there is no account yet. Earlier ones stop working.
    pub async fn setup_link(&self) -> Result<Option<SetupLink>, Refused> {
        let mut unit = self.unit(&Actor::System).await?;
        if unit.account_count().await? > 0 {
            return Ok(None);
        }
        unit.delete_one_time_links(LinkPurpose::Setup).await?;
        let (token, sha256) = secret_text("setup", self.ids().as_ref());
        let now = unit.now();
        let expires_at = now + jiff::SignedDuration::try_from(LIFETIME).unwrap_or_default();
        let link = OneTimeLink {
            sha256,
            purpose: LinkPurpose::Setup,
            subject: None,
            created_at: now,
            expires_at,
            used_at: None,
        };
        unit.insert_one_time_link(&link).await?;
        unit.event(None, "setup.link_made", json!({}));
        unit.commit().await?;
        Ok(Some(SetupLink { token, expires_at }))
    }

    /// Whether nobody can sign in yet.
    pub async fn needs_setup(&self) -> Result<bool, Refused> {
        Ok(self.read().await?.account_count().await? == 0)
    }

    /// Whether a setup token would be taken now.
    pub async fn setup_token_works(&self, token: &str) -> Result<bool, Refused> {
        let link = self.read().await?.one_time_link(&sha256_hex(token.as_bytes())).await?;
        let now = self.now();
        Ok(link.is_some_and(|link| {
            link.purpose == LinkPurpose::Setup && link.used_at.is_none() && now < link.expires_at
        }))
    }

    /// Makes the first administrator and signs in.
    pub async fn set_up(
        &self,
        token: &str,
        name: &str,
        password: &str,
    ) -> Result<SessionCookie, Refused> {
        let account = self.new_account(name, password, AccessRole::Admin).await?;
        let mut unit = self.unit(&Actor::User(account.name.clone())).await?;
        if unit.account_count().await? > 0 {
            return Err(Refused::state("setup.done", "the product is set up already; sign in"));
        }
        let sha256 = sha256_hex(token.as_bytes());
        if !unit.use_one_time_link(&sha256, LinkPurpose::Setup).await? {
            return Err(Refused::invalid(
                "setup.link",
                "the setup link is unknown, used or too old; restart control for a new one",
            ));
        }
        unit.insert_account(&account).await?;
        let data = json!({"account": account.id, "name": account.name, "role": account.role});
        unit.event(None, "account.created", data);
        unit.commit().await?;
        self.open_session(&account).await
    }
}
