//! Reads what `set` commands take: a TOML or JSON file, strictly, and changes over what is stored.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::client::{Client, segment};
use crate::exit::Failure;

/// Largest file read, bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads `path`, JSON if it ends so, else TOML. Unknown fields are refused by name.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    if path.extension().is_some_and(|extension| extension == "json") {
        let mut json = serde_json::Deserializer::from_str(&text);
        return serde_path_to_error::deserialize(&mut json)
            .map_err(|error| wrong(format!("at `{}`: {}", error.path(), error.inner())));
    }
    let table: toml::Table = text.parse().map_err(|error| wrong(format!("not TOML: {error}")))?;
    serde_path_to_error::deserialize(toml::Value::Table(table))
        .map_err(|error| wrong(format!("at `{}`: {}", error.path(), error.inner())))
}

/// Something stored, and the version it has.
#[derive(Debug)]
pub(crate) struct Stored<T> {
    pub(crate) version: i64,
    pub(crate) value: T,
}

/// The one called `name` in the list at `path`, if there is one.
pub(crate) async fn stored<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    name: &str,
) -> Result<Option<Stored<T>>, Failure> {
    let all = client.get(path).await?;
    let row = all
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row.pointer("/value/name").and_then(Value::as_str) == Some(name));
    let Some(row) = row else { return Ok(None) };
    let version = row["version"].as_i64().unwrap_or_default();
    let value = T::deserialize(&row["value"]).map_err(|error| {
        Failure::error(format!(
            "the server's {name:?} has a shape this build does not know: {error}"
        ))
    })?;
    Ok(Some(Stored { version, value }))
}

/// Stores `value` under `name`, over `version` or as new.
pub(crate) async fn store<T: Serialize + Sync>(
    client: &Client,
    path: &str,
    name: &str,
    value: &T,
    version: Option<i64>,
) -> Result<Value, Failure> {
    let value = serde_json::to_value(value).map_err(anyhow::Error::from)?;
    let mut body = json!({"value": value});
    if let Some(version) = version {
        body["version"] = json!(version);
    }
    client.put(&format!("{path}/{}", segment(name)), &body).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_domain::application::Upstream;

    fn from(name: &str, text: &str) -> Result<Upstream, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|failure| failure.to_string())
    }

    #[test]
    fn files_are_read_strictly_in_both_formats() {
        assert!(from("u.toml", "name = \"a\"\nbase_url = \"http://x\"").is_ok());
        assert!(from("u.json", r#"{"name":"a","base_url":"http://x"}"#).is_ok());
        for (name, text, place) in [
            ("u.toml", "name = \"a\"\nbase_url = \"http://x\"\nbase = 1", "base"),
            ("u.json", r#"{"name":"a","base_url":"http://x","idle_ms":"long"}"#, "idle_ms"),
            ("u.toml", "name =", "not TOML"),
            ("u.toml", "name = \"a\"", "base_url"),
        ] {
            let error = from(name, text).unwrap_err();
            assert!(error.contains(place), "{text}: {error}");
        }
    }
}
