//! People: accounts, passwords, sessions, the first administrator.

mod invite;
mod password;
mod session;
mod setup;
mod throttle;

pub use session::{SessionCookie, SignedIn};
pub use setup::SetupLink;
pub(crate) use throttle::Throttle;

use quell_domain::{AccessRole, AccountId};
use quell_store::Account;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

impl Control {
    /// Every account, by name.
    pub async fn accounts(&self, access: &Access) -> Result<Vec<Account>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.accounts().await?)
    }

    /// Makes an account.
    pub async fn create_account(
        &self,
        access: &Access,
        name: &str,
        password: &str,
        role: AccessRole,
    ) -> Result<Account, Refused> {
        access.require(AccessRole::Admin)?;
        let account = self.new_account(name, password, role).await?;
        let mut unit = self.unit(&access.actor).await?;
        unit.insert_account(&account).await?;
        let data = json!({"account": account.id, "name": name, "role": role});
        unit.event(None, "account.created", data);
        unit.commit().await?;
        Ok(account)
    }

    /// Gives an account another access role, or switches it off or on.
    pub async fn change_account(
        &self,
        access: &Access,
        id: AccountId,
        role: AccessRole,
        disabled: bool,
    ) -> Result<Account, Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        let all = unit.accounts().await?;
        let found = all.iter().find(|account| account.id == id).cloned();
        let mut account = found.ok_or_else(|| Refused::not_found("account", id))?;
        let is_admin = |a: &Account| a.role == AccessRole::Admin && !a.disabled;
        let others = all.iter().any(|other| other.id != id && is_admin(other));
        if is_admin(&account) && (role != AccessRole::Admin || disabled) && !others {
            return Err(Refused::state("account.last_admin", "the last administrator must stay"));
        }
        (account.role, account.disabled) = (role, disabled);
        unit.update_account(&mut account).await?;
        if disabled {
            unit.delete_sessions_of(id, None).await?;
        }
        let data = json!({"account": id, "name": account.name, "role": role, "disabled": disabled});
        unit.event(None, "account.changed", data);
        unit.commit().await?;
        Ok(account)
    }

    /// Changes one's own password; every other session of the account ends.
    pub async fn change_password(
        &self,
        access: &Access,
        old: &str,
        new: &str,
        keep: Option<&SessionCookie>,
    ) -> Result<(), Refused> {
        let name = access.account().ok_or(Refused::Unauthenticated)?;
        let found = self.read().await?.account_by_name(name).await?;
        let account = found.ok_or(Refused::Unauthenticated)?;
        self.throttle().check(name, self.clock().ticks())?;
        if !password::verify(old, &account.password_hash).await? {
            self.throttle().failed(name, self.clock().ticks());
            return Err(Refused::invalid("password.wrong", "the present password is not right"));
        }
        let hash = password::hash(new, self.ids()).await?;
        let mut unit = self.unit(&access.actor).await?;
        let mut account = unit.account(account.id).await?.ok_or(Refused::Unauthenticated)?;
        account.password_hash = hash;
        unit.update_account(&mut account).await?;
        let kept = keep.map(SessionCookie::sha256);
        unit.delete_sessions_of(account.id, kept.as_deref()).await?;
        unit.event(None, "account.password_changed", json!({"account": account.id}));
        unit.commit().await?;
        Ok(())
    }

    async fn new_account(
        &self,
        name: &str,
        password: &str,
        role: AccessRole,
    ) -> Result<Account, Refused> {
        check_name(name)?;
        let password_hash = password::hash(password, self.ids()).await?;
        Ok(self.blank_account(name, password_hash, role))
    }

    fn blank_account(&self, name: &str, password_hash: String, role: AccessRole) -> Account {
        Account {
            id: AccountId::new(self.ids().as_ref()),
            name: name.to_owned(),
            password_hash,
            role,
            disabled: false,
            created_at: self.now(),
            version: 1,
        }
    }
}

fn check_name(name: &str) -> Result<(), Refused> {
    let fits = |b: u8| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_' | b'@')
    };
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) || name == "system" {
        return Err(Refused::invalid("account.name", "a name is 1 to 64 of a-z 0-9 - . _ @"));
    }
    Ok(())
}
