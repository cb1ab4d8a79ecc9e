//! Values in and out of rows.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::error::StoreError;

/// One statement with its binds, ready to run.
pub(crate) type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// The JSON document in column `doc`.
pub(crate) fn doc<T: DeserializeOwned>(row: &AnyRow) -> Result<T, StoreError> {
    let text: &str = row.try_get("doc")?;
    serde_json::from_str(text)
        .map_err(|_| StoreError::corrupt(std::any::type_name::<T>().to_owned()))
}

/// `value` as stored in column `doc`.
pub(crate) fn to_doc<T: Serialize>(value: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(crate) fn time(row: &AnyRow, column: &'static str) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(row.try_get(column)?)
        .map_err(|_| StoreError::corrupt(format!("time in {column}")))
}

pub(crate) fn optional_time(
    row: &AnyRow,
    column: &'static str,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(micros) = row.try_get::<Option<i64>, _>(column)? else { return Ok(None) };
    Timestamp::from_microsecond(micros)
        .map(Some)
        .map_err(|_| StoreError::corrupt(format!("time in {column}")))
}

/// A text column that is an id or a closed name.
pub(crate) fn parsed<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    row.try_get::<&str, _>(column)?
        .parse()
        .map_err(|_| StoreError::corrupt(format!("value in {column}")))
}

/// The single number a query yields in column `n`.
pub(crate) async fn number(
    query: Query<'_>,
    connection: &mut AnyConnection,
) -> Result<i64, StoreError> {
    Ok(query.fetch_one(connection).await?.try_get("n")?)
}

/// The documents a query yields.
pub(crate) async fn docs<T: DeserializeOwned>(
    query: Query<'_>,
    connection: &mut AnyConnection,
) -> Result<Vec<T>, StoreError> {
    query.fetch_all(connection).await?.iter().map(doc).collect()
}

/// The document a query yields, if any.
pub(crate) async fn optional_doc<T: DeserializeOwned>(
    query: Query<'_>,
    connection: &mut AnyConnection,
) -> Result<Option<T>, StoreError> {
    query.fetch_optional(connection).await?.as_ref().map(doc).transpose()
}

/// Runs an update guarded by a version: no row means somebody else was faster.
pub(crate) async fn guarded(
    query: Query<'_>,
    what: &'static str,
    connection: &mut AnyConnection,
) -> Result<(), StoreError> {
    match query.execute(connection).await?.rows_affected() {
        0 => Err(StoreError::Conflict { what }),
        _ => Ok(()),
    }
}

/// Runs an insert that may find its row already there. True when it was new.
pub(crate) async fn inserted(
    query: Query<'_>,
    connection: &mut AnyConnection,
) -> Result<bool, StoreError> {
    Ok(query.execute(connection).await?.rows_affected() > 0)
}
