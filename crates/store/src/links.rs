//! Links that work once: first setup, and invitations.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::row::{inserted, micros, optional_time, time};
use crate::store::{Read, Tx};
use sqlx::Row;
use sqlx::any::AnyRow;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// Makes the first administrator.
    Setup,
    /// Lets a person set a password for an account.
    Invite,
}

impl LinkPurpose {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Invite => "invite",
        }
    }
}

/// A link that works once. Its token is stored as its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeLink {
    /// Lower-case hex SHA-256 of the token.
    pub sha256: String,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The account concerned, for an invitation.
    pub subject: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

impl Read {
    /// The link with this token hash, usable or not.
    pub async fn one_time_link(&mut self, sha256: &str) -> Result<Option<OneTimeLink>, StoreError> {
        let query = sqlx::query(
            "SELECT sha256, purpose, subject, created_at, expires_at, used_at \
             FROM one_time_links WHERE sha256 = $1",
        );
        let row = query.bind(sha256).fetch_optional(self.connection()).await?;
        row.as_ref().map(link).transpose()
    }
}

impl Tx {
    /// Stores a new link.
    pub async fn insert_one_time_link(&mut self, link: &OneTimeLink) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO one_time_links (sha256, purpose, subject, created_at, expires_at, used_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&link.sha256)
        .bind(link.purpose.as_str())
        .bind(&link.subject)
        .bind(micros(link.created_at))
        .bind(micros(link.expires_at))
        .bind(link.used_at.map(micros));
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Uses a link up. False when it is unknown, expired, used already or for something else.
    pub async fn use_one_time_link(
        &mut self,
        sha256: &str,
        purpose: LinkPurpose,
    ) -> Result<bool, StoreError> {
        let now = micros(self.now());
        let update = sqlx::query(
            "UPDATE one_time_links SET used_at = $1 \
             WHERE sha256 = $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $1",
        );
        let update = update.bind(now).bind(sha256).bind(purpose.as_str());
        inserted(update, self.connection()).await
    }

    /// Takes back every unused link of a purpose.
    pub async fn delete_one_time_links(&mut self, purpose: LinkPurpose) -> Result<(), StoreError> {
        let delete =
            sqlx::query("DELETE FROM one_time_links WHERE purpose = $1 AND used_at IS NULL");
        delete.bind(purpose.as_str()).execute(self.connection()).await?;
        Ok(())
    }
}

fn link(row: &AnyRow) -> Result<OneTimeLink, StoreError> {
    let purpose = match row.try_get("purpose")? {
        "setup" => LinkPurpose::Setup,
        "invite" => LinkPurpose::Invite,
        _ => return Err(StoreError::corrupt("link purpose")),
    };
    Ok(OneTimeLink {
        sha256: row.try_get("sha256")?,
        purpose,
        subject: row.try_get("subject")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        used_at: optional_time(row, "used_at")?,
    })
}
