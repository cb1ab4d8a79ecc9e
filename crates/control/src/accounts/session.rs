//! Signed-in browsers. The cookie's text is stored as its hash.

use std::time::Duration;

use quell_domain::Actor;
use quell_domain::canonical::sha256_hex;
use quell_store::{Account, Session};
use serde_json::json;

use super::password;
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;
use crate::tokens::secret_text;

/// How long a session lasts.
pub(super) const LIFETIME: Duration = Duration::from_hours(12);
/// How long it may go unused.
pub(super) const IDLE: Duration = Duration::from_hours(2);
/// How often its use is written down.
const TOUCH_EVERY: Duration = Duration::from_mins(1);
/// The hash that an unknown name is checked against, so that both take the same time.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2R5$\
                      c6mSGlYlpVTJPqkZvAd4YYfHGT0SbDPR8zJkVAFTGHE";

/// What the browser holds.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie(pub String);

impl std::fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionCookie(…)")
    }
}

impl SessionCookie {
    /// What is stored of it.
    pub(super) fn sha256(&self) -> String {
        sha256_hex(self.0.as_bytes())
    }
}

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who, and what they may do.
    pub access: Access,
    /// The account.
    pub account: Account,
    /// What unsafe requests must repeat.
    pub csrf: String,
}

impl Control {
    /// Signs in. A wrong name and a wrong password look the same.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<SessionCookie, Refused> {
        self.throttle().check(name, self.clock().ticks())?;
        let account = self.read().await?.account_by_name(name).await?;
        let usable = account.filter(|account| !account.disabled);
        let hash = usable.as_ref().map_or(NOBODY, |account| &account.password_hash);
        let right = password::verify(password, hash).await?;
        let Some(account) = usable.filter(|_| right) else {
            self.throttle()
                .failed(&name.chars().take(64).collect::<String>(), self.clock().ticks());
            return Err(Refused::Unauthenticated);
        };
        self.throttle().succeeded(name);
        self.open_session(&account).await
    }

    pub(super) async fn open_session(&self, account: &Account) -> Result<SessionCookie, Refused> {
        let (text, sha256) = secret_text("qs", self.ids().as_ref());
        let (csrf, _) = secret_text("qc", self.ids().as_ref());
        let now = self.now();
        let session = Session {
            sha256,
            account: account.id,
            csrf,
            created_at: now,
            expires_at: now + jiff::SignedDuration::try_from(LIFETIME).unwrap_or_default(),
            last_seen_at: now,
        };
        let actor = Actor::User(account.name.clone());
        let mut unit = self.unit(&actor).await?;
        unit.insert_session(&session).await?;
        unit.event(None, "session.opened", json!({"account": account.id}));
        unit.commit().await?;
        Ok(SessionCookie(text))
    }

    /// Who holds the cookie.
    pub async fn session(&self, cookie: &SessionCookie) -> Result<SignedIn, Refused> {
        let sha256 = cookie.sha256();
        let mut read = self.read().await?;
        let session = read.session(&sha256).await?.ok_or(Refused::Unauthenticated)?;
        let now = self.now();
        let unused = now.duration_since(session.last_seen_at).unsigned_abs();
        if now >= session.expires_at || unused > IDLE {
            return Err(Refused::Unauthenticated);
        }
        let account = read.account(session.account).await?.ok_or(Refused::Unauthenticated)?;
        drop(read);
        if account.disabled {
            return Err(Refused::Unauthenticated);
        }
        if unused >= TOUCH_EVERY {
            let mut tx = self.store().begin().await?;
            tx.touch_session(&sha256, now).await?;
            tx.commit().await?;
        }
        let access = Access { actor: Actor::User(account.name.clone()), role: account.role };
        Ok(SignedIn { access, account, csrf: session.csrf })
    }

    /// Ends a session.
    pub async fn sign_out(&self, cookie: &SessionCookie) -> Result<(), Refused> {
        let mut tx = self.store().begin().await?;
        tx.delete_session(&cookie.sha256()).await?;
        tx.commit().await?;
        Ok(())
    }
}
