//! Why the database did not do what was asked.

use quell_domain::canonical::FloatFound;

/// What went wrong, in terms a caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not a URL this store can open.
    #[error(
        "the database URL must look like sqlite:///path/quell.db?mode=rwc or \
         postgres://user@host/name: {0}"
    )]
    Url(&'static str),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database cannot be reached, is full, or is too busy.
    #[error("the database did not answer; check that it runs and has space")]
    Unavailable(#[source] sqlx::Error),
    /// Somebody else changed the row since it was read, or two transactions crossed.
    #[error("{what} was changed by somebody else meanwhile; load it again and retry")]
    Conflict {
        /// Which aggregate.
        what: &'static str,
    },
    /// A row with this identity or unique name is already there.
    #[error("a row with this identity or name exists already")]
    Exists,
    /// A row refers to something that is not there.
    #[error("the row refers to something that does not exist")]
    Dangling,
    /// A stored value cannot be read back.
    #[error("a stored {what} cannot be read; restore the database from a backup")]
    Corrupt {
        /// Which value.
        what: String,
    },
    /// The value has no stored form.
    #[error("cannot be stored: {0}")]
    Unstorable(String),
}

impl StoreError {
    /// Whether loading again and retrying can help.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) => match inner.kind() {
                sqlx::error::ErrorKind::UniqueViolation => Self::Exists,
                sqlx::error::ErrorKind::ForeignKeyViolation => Self::Dangling,
                _ if is_crossed(inner.code().as_deref()) => Self::Conflict { what: "the database" },
                _ => Self::Unavailable(error),
            },
            sqlx::Error::ColumnDecode { index, .. } => Self::corrupt(format!("column {index}")),
            sqlx::Error::ColumnNotFound(name) => Self::corrupt(format!("column {name}")),
            sqlx::Error::Decode(_) => Self::corrupt("value"),
            _ => Self::Unavailable(error),
        }
    }
}

/// PostgreSQL's serialization failure and deadlock; SQLite's stale read snapshot.
fn is_crossed(code: Option<&str>) -> bool {
    matches!(code, Some("40001" | "40P01" | "517"))
}

impl From<FloatFound> for StoreError {
    fn from(error: FloatFound) -> Self {
        Self::Unstorable(error.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unstorable(error.to_string())
    }
}
