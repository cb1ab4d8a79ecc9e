//! Small versioned documents under a name: applications, upstreams, content, rule settings.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::row::{doc, guarded, micros, time, to_doc};
use crate::store::{Read, Tx};

/// A document with what guards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The document.
    pub value: T,
    /// To be given back on update.
    pub version: i64,
    /// When it was last stored.
    pub updated_at: Timestamp,
}

/// The statements of one table.
pub(crate) struct NamedTable {
    pub(crate) what: &'static str,
    pub(crate) list: &'static str,
    pub(crate) get: &'static str,
    pub(crate) insert: &'static str,
    pub(crate) update: &'static str,
    pub(crate) delete: &'static str,
}

macro_rules! named_table {
    ($table:literal, $what:literal) => {
        $crate::named::NamedTable {
            what: $what,
            list: concat!("SELECT version, updated_at, doc FROM ", $table, " ORDER BY name"),
            get: concat!("SELECT version, updated_at, doc FROM ", $table, " WHERE name = $1"),
            insert: concat!(
                "INSERT INTO ",
                $table,
                " (name, version, updated_at, doc) VALUES ($1, 1, $2, $3)"
            ),
            update: concat!(
                "UPDATE ",
                $table,
                " SET version = version + 1, updated_at = $1, doc = $2 \
                 WHERE name = $3 AND version = $4"
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE name = $1"),
        }
    };
}
pub(crate) use named_table;

impl Read {
    pub(crate) async fn named_list<T: DeserializeOwned>(
        &mut self,
        table: &NamedTable,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        let rows = sqlx::query(table.list).fetch_all(self.connection()).await?;
        rows.iter().map(versioned).collect()
    }

    pub(crate) async fn named<T: DeserializeOwned>(
        &mut self,
        table: &NamedTable,
        name: &str,
    ) -> Result<Option<Versioned<T>>, StoreError> {
        let row = sqlx::query(table.get).bind(name).fetch_optional(self.connection()).await?;
        row.as_ref().map(versioned).transpose()
    }
}

impl Tx {
    /// Stores `value` under `name`: as new without `version`, else over that version.
    pub(crate) async fn put_named<T: Serialize>(
        &mut self,
        table: &NamedTable,
        name: &str,
        value: &T,
        version: Option<i64>,
    ) -> Result<i64, StoreError> {
        let (now, doc) = (micros(self.now()), to_doc(value)?);
        let Some(version) = version else {
            let insert = sqlx::query(table.insert).bind(name).bind(now).bind(doc);
            insert.execute(self.connection()).await?;
            return Ok(1);
        };
        let update = sqlx::query(table.update).bind(now).bind(doc).bind(name).bind(version);
        guarded(update, table.what, self.connection()).await?;
        Ok(version + 1)
    }

    /// True when there was one.
    pub(crate) async fn delete_named(
        &mut self,
        table: &NamedTable,
        name: &str,
    ) -> Result<bool, StoreError> {
        let delete = sqlx::query(table.delete).bind(name);
        Ok(delete.execute(self.connection()).await?.rows_affected() > 0)
    }
}

fn versioned<T: DeserializeOwned>(row: &AnyRow) -> Result<Versioned<T>, StoreError> {
    Ok(Versioned {
        value: doc(row)?,
        version: row.try_get("version")?,
        updated_at: time(row, "updated_at")?,
    })
}
