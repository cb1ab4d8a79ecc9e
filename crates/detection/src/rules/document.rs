//! YAML with line numbers: what the strict pass reads before the Sigma parser does.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// A YAML node and the line it begins on.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and the line it stands on.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// One document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// Lines of the file before it.
    pub(crate) first_line: usize,
    pub(crate) text: String,
    pub(crate) root: Result<Node, (usize, String)>,
}

/// Splits a file at its `---` lines and parses every document.
pub(crate) fn documents(text: &str) -> Vec<Document> {
    let mut found = Vec::new();
    let (mut current, mut first_line) = (String::new(), 0);
    for (index, line) in text.lines().chain(std::iter::once("---")).enumerate() {
        if line.trim_end() != "---" {
            current.push_str(line);
            current.push('\n');
            continue;
        }
        let document = std::mem::take(&mut current);
        if document.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            found.push(Document { first_line, root: parse(&document, first_line), text: document });
        }
        first_line = index + 1;
    }
    found
}

fn parse(text: &str, first_line: usize) -> Result<Node, (usize, String)> {
    serde_saphyr::from_str::<Spanned<Raw>>(text).map(|raw| node(raw, first_line)).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line() as usize);
        let text = error.without_snippet().to_string();
        (first_line + line, text.lines().next().unwrap_or_default().to_owned())
    })
}

fn node(raw: Spanned<Raw>, first_line: usize) -> Node {
    let line = first_line + raw.referenced.line() as usize;
    let content = match raw.value {
        Raw::Scalar(value) => Content::Scalar(value),
        Raw::List(items) => {
            Content::List(items.into_iter().map(|item| node(item, first_line)).collect())
        }
        Raw::Map(entries) => Content::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let key =
                        Key { line: first_line + key.referenced.line() as usize, name: key.value };
                    (key, node(value, first_line))
                })
                .collect(),
        ),
    };
    Node { line, content }
}

impl Node {
    /// The entries, if this is a map.
    pub(crate) fn entries(&self) -> Option<&[(Key, Self)]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under a key.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The text, if this is a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The scalar items of a list, or the scalar itself.
    pub(crate) fn scalars(&self) -> Vec<&Self> {
        match &self.content {
            Content::Scalar(_) => vec![self],
            Content::List(items) => items.iter().collect(),
            Content::Map(_) => Vec::new(),
        }
    }

    /// As JSON, without lines.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.name.clone(), value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_the_top_of_the_file() {
        let found = documents("# head\na: 1\n---\nb:\n  c:\n    - x\n    - y: true\n");
        assert_eq!(found.len(), 2);
        let root = found[1].root.as_ref().unwrap();
        let inner = root.get("b").and_then(|b| b.get("c")).unwrap();
        assert_eq!(root.entries().unwrap()[0].0.line, 4);
        let lines: Vec<usize> = inner.scalars().iter().map(|item| item.line).collect();
        assert_eq!(lines, [6, 7]);
        assert_eq!(inner.to_json(), serde_json::json!(["x", {"y": true}]));
    }

    #[test]
    fn broken_yaml_names_its_line() {
        let found = documents("a: 1\n---\nb: [1\nc: 2\n");
        let (line, _) = found[1].root.as_ref().unwrap_err();
        assert!(*line >= 3, "{line}");
    }
}
