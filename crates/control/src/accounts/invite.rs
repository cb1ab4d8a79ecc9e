//! Invitations: a one-time link with which a person sets the password of an account, so that no
//! administrator ever knows it. The same link serves whoever forgot theirs.

use std::time::Duration;

use quell_domain::canonical::sha256_hex;
use quell_domain::{AccessRole, AccountId, Actor};
use quell_store::{Account, LinkPurpose, OneTimeLink};
use serde_json::json;

use super::password;
use super::session::SessionCookie;
use super::setup::SetupLink;
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;
use crate::tokens::secret_text;

/// How long an invitation works.
const LIFETIME: Duration = Duration::from_hours(72);
/// Stands where a hash would: no password matches it.
const NONE_YET: &str = "none";

impl Control {
    /// Makes an account without a password, and the link with which its owner sets one.
    pub async fn invite(
        &self,
        access: &Access,
        name: &str,
        role: AccessRole,
    ) -> Result<(Account, SetupLink), Refused> {
        access.require(AccessRole::Admin)?;
        super::check_name(name)?;
        let account = self.blank_account(name, NONE_YET.to_owned(), role);
        let (link, stored) = self.link_for(account.id);
        let mut unit = self.unit(&access.actor).await?;
        unit.insert_account(&account).await?;
        unit.insert_one_time_link(&stored).await?;
        let data = json!({"account": account.id, "name": name, "role": role});
        unit.event(None, "account.invited", data);
        unit.commit().await?;
        Ok((account, link))
    }

    /// A link with which the owner of an account sets a new password.
    pub async fn password_link(
        &self,
        access: &Access,
        id: AccountId,
    ) -> Result<SetupLink, Refused> {
        access.require(AccessRole::Admin)?;
        let (link, stored) = self.link_for(id);
        let mut unit = self.unit(&access.actor).await?;
        if unit.account(id).await?.is_none() {
            return Err(Refused::not_found("account", id));
        }
        unit.insert_one_time_link(&stored).await?;
        unit.event(None, "account.link_made", json!({"account": id}));
        unit.commit().await?;
        Ok(link)
    }

    /// Sets the password behind a link, and signs in. Every session of the account ends.
    pub async fn accept_link(&self, token: &str, new: &str) -> Result<SessionCookie, Refused> {
        let refuse = || {
            let message = "the link is unknown, used or too old; ask an administrator for another";
            Refused::invalid("account.link", message)
        };
        let sha256 = sha256_hex(token.as_bytes());
        let link = self.read().await?.one_time_link(&sha256).await?.ok_or_else(refuse)?;
        let subject = link.subject.as_deref().and_then(|id| id.parse::<AccountId>().ok());
        let id = subject.ok_or_else(refuse)?;
        let hash = password::hash(new, self.ids()).await?;
        let name = self.read().await?.account(id).await?.ok_or_else(refuse)?.name;
        let mut unit = self.unit(&Actor::User(name)).await?;
        if !unit.use_one_time_link(&sha256, LinkPurpose::Invite).await? {
            return Err(refuse());
        }
        let mut account = unit.account(id).await?.filter(|a| !a.disabled).ok_or_else(refuse)?;
        account.password_hash = hash;
        unit.update_account(&mut account).await?;
        unit.delete_sessions_of(id, None).await?;
        unit.event(None, "account.password_changed", json!({"account": id}));
        unit.commit().await?;
        self.open_session(&account).await
    }

    fn link_for(&self, id: AccountId) -> (SetupLink, OneTimeLink) {
        let (token, sha256) = secret_text("invite", self.ids().as_ref());
        let now = self.now();
        let expires_at = now + jiff::SignedDuration::try_from(LIFETIME).unwrap_or_default();
        let stored = OneTimeLink {
            sha256,
            purpose: LinkPurpose::Invite,
            subject: Some(id.to_string()),
            created_at: now,
            expires_at,
            used_at: None,
        };
        (SetupLink { token, expires_at }, stored)
    }
}
