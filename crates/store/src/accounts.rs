//! People who sign in.

use jiff::Timestamp;
use quell_domain::{AccessRole, AccountId};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::row::{docs, guarded, number, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Identity.
    pub id: AccountId,
    /// The name the person signs in with; unique.
    pub name: String,
    /// Argon2 in PHC form.
    pub password_hash: String,
    /// What the person may do.
    pub role: AccessRole,
    /// Whether signing in is off.
    #[serde(default)]
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Raised on every stored change.
    pub version: i64,
}

impl Read {
    /// Every account, by name.
    pub async fn accounts(&mut self) -> Result<Vec<Account>, StoreError> {
        let query = sqlx::query("SELECT doc FROM accounts ORDER BY name");
        docs(query, self.connection()).await
    }

    /// One account.
    pub async fn account(&mut self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let query = sqlx::query("SELECT doc FROM accounts WHERE id = $1").bind(id.to_string());
        optional_doc(query, self.connection()).await
    }

    /// The account with this name.
    pub async fn account_by_name(&mut self, name: &str) -> Result<Option<Account>, StoreError> {
        let query = sqlx::query("SELECT doc FROM accounts WHERE name = $1").bind(name);
        optional_doc(query, self.connection()).await
    }

    /// How many accounts there are; none means the product is not set up yet.
    pub async fn account_count(&mut self) -> Result<i64, StoreError> {
        number(sqlx::query("SELECT COUNT(*) AS n FROM accounts"), self.connection()).await
    }
}

impl Tx {
    /// Stores a new account. [`StoreError::Exists`] when the name is taken.
    pub async fn insert_account(&mut self, account: &Account) -> Result<(), StoreError> {
        let insert =
            sqlx::query("INSERT INTO accounts (id, name, version, doc) VALUES ($1, $2, $3, $4)")
                .bind(account.id.to_string())
                .bind(&account.name)
                .bind(account.version)
                .bind(to_doc(account)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Stores a changed account over the version it carries, and raises that.
    pub async fn update_account(&mut self, account: &mut Account) -> Result<(), StoreError> {
        let stored = Account { version: account.version + 1, ..account.clone() };
        let update = sqlx::query(
            "UPDATE accounts SET name = $1, version = $2, doc = $3 WHERE id = $4 AND version = $5",
        )
        .bind(&stored.name)
        .bind(stored.version)
        .bind(to_doc(&stored)?)
        .bind(account.id.to_string())
        .bind(account.version);
        guarded(update, "the account", self.connection()).await?;
        *account = stored;
        Ok(())
    }
}
