//! Complete mediation: one walk over JSON that leaves no string out.
//!
//! Every string leaf becomes a [`TextField`], or a [`NotEvaluated`] with its reason, or is an enum
//! or id of the protocol ([`crate::keys`] has the whole list). What is not known is text.

use std::fmt::Write as _;

use quell_domain::interaction::{NotEvaluated, Role, TextField};
use serde_json::{Map, Value};

use crate::error::WireError;
use crate::json;
use crate::keys::{self, Holds};
use crate::request::{ProviderStateKind, ProviderStateUse};

/// Most text fields of one body.
pub const MAX_FIELDS: usize = 16 * 1024;

/// Most bytes of pointers of one body: long keys around many strings would multiply.
const MAX_POINTER_BYTES: usize = 4 * 1024 * 1024;

/// Ends the pointer of a field that holds the unescaped strings of the JSON text at that pointer.
pub const DECODED: &str = "~decoded";

/// Ends the pointer of a field that holds the keys, one per line, of the object at that pointer.
pub const KEYS: &str = "~keys";

/// Whether a field was derived from what stands at its pointer ([`DECODED`], [`KEYS`]) rather than
/// standing there itself. A JSON pointer proper never has `~` before anything but 0 or 1.
pub fn is_derived(pointer: &str) -> bool {
    pointer.ends_with(DECODED) || pointer.ends_with(KEYS)
}

/// Who speaks at some place, and what sort of text stands there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) role: Role,
    pub(crate) part: &'static str,
    /// What inline bytes here are: `image`, `audio`, `file`.
    pub(crate) bytes: &'static str,
}

impl Voice {
    pub(crate) const fn new(role: Role, part: &'static str) -> Self {
        Self { role, part, bytes: "file" }
    }

    pub(crate) const fn part(self, part: &'static str) -> Self {
        Self { part, ..self }
    }
}

/// What the walk has found so far.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) fields: Vec<TextField>,
    pub(crate) not_evaluated: Vec<NotEvaluated>,
    pub(crate) kept: Vec<ProviderStateUse>,
    /// Whether this is a response: JSON a model wrote is then one field of compact JSON, as its
    /// streams give it, rather than one field per string; log-probabilities are kept elsewhere.
    compact: bool,
    overflow: bool,
    /// Bytes of pointers so far.
    named: usize,
    path: String,
}

impl Walk {
    /// A walk over a response, or a part of one that stands at `path`.
    pub(crate) fn response(path: &str) -> Self {
        Self { path: path.to_owned(), compact: true, ..Self::default() }
    }

    /// The pointer of the present place.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Runs `look` one member deeper.
    pub(crate) fn member<T>(&mut self, key: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.enter(key);
        let found = look(self);
        self.leave(mark);
        found
    }

    /// Goes one member deeper; [`Walk::leave`] with what it returned goes back.
    pub(crate) fn enter(&mut self, key: &str) -> usize {
        let mark = self.path.len();
        self.path.push('/');
        if key.contains(['~', '/']) {
            self.path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        } else {
            self.path.push_str(key);
        }
        mark
    }

    /// Goes back to where [`Walk::enter`] was called.
    pub(crate) fn leave(&mut self, mark: usize) {
        self.path.truncate(mark);
    }

    /// Runs `look` one array element deeper.
    pub(crate) fn element<T>(&mut self, index: usize, look: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        // Writing to a string cannot fail.
        let _ = write!(self.path, "/{index}");
        let found = look(self);
        self.path.truncate(length);
        found
    }

    /// Fails if there was more text than is inspected.
    pub(crate) fn check(&self) -> Result<(), WireError> {
        if self.overflow { Err(WireError::TooManyFields { limit: MAX_FIELDS }) } else { Ok(()) }
    }

    /// A text field here.
    pub(crate) fn text(&mut self, text: &str, voice: Voice) {
        if !text.is_empty() && !self.overflow {
            self.push(self.path.clone(), text.to_owned(), voice);
        }
    }

    pub(crate) fn push(&mut self, field: String, text: String, voice: Voice) {
        if self.is_full(self.fields.len(), field.len()) {
            return;
        }
        self.fields.push(TextField { field, role: voice.role, part: voice.part.to_owned(), text });
    }

    fn is_full(&mut self, count: usize, pointer: usize) -> bool {
        self.named += pointer;
        self.overflow |= count >= MAX_FIELDS || self.named > MAX_POINTER_BYTES;
        self.overflow
    }

    /// Something here is not judged.
    pub(crate) fn skip(&mut self, reason: &str) {
        if self.is_full(self.not_evaluated.len(), self.path.len()) {
            return;
        }
        self.not_evaluated
            .push(NotEvaluated { reason: reason.to_owned(), field: self.path.clone() });
    }

    /// Something that the provider keeps is used here. Ids in arrays count one by one.
    pub(crate) fn keep(&mut self, kind: ProviderStateKind, value: &Value) {
        match value {
            Value::String(id) => self.keep_id(kind, id),
            Value::Array(ids) => {
                for (index, id) in ids.iter().enumerate() {
                    self.element(index, |walk| walk.keep(kind, id));
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    self.member(key, |walk| match (key.as_str(), member) {
                        ("id", Value::String(id)) => walk.keep_id(kind, id),
                        ("file_ids", ids) => walk.keep(ProviderStateKind::File, ids),
                        _ => walk.unknown(key, member, Role::User),
                    });
                }
            }
            _ => {}
        }
    }

    fn keep_id(&mut self, kind: ProviderStateKind, id: &str) {
        if self.is_full(self.kept.len(), self.path.len()) {
            return;
        }
        self.kept.push(ProviderStateUse { kind, id: id.to_owned(), pointer: self.path.clone() });
        if !keys::is_identifier(id) {
            self.text(id, Voice::new(Role::User, "other"));
        }
    }

    /// A value inside a known container.
    pub(crate) fn value(&mut self, value: &Value, voice: Voice) {
        match value {
            Value::String(text) => self.text(text, voice),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.element(index, |walk| walk.value(item, voice));
                }
            }
            Value::Object(members) => self.object(members, voice),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&mut self, members: &Map<String, Value>, voice: Voice) {
        let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
        let voice = voiced(members, kind, voice);
        if kind == "item_reference"
            && let Some(id) = members.get("id")
        {
            self.member("id", |walk| walk.keep(ProviderStateKind::ItemReference, id));
        }
        for (key, value) in members {
            self.member(key, |walk| walk.typed(key, value, kind, voice));
        }
    }

    /// The member `key` of an object of type `kind`.
    pub(crate) fn typed(&mut self, key: &str, value: &Value, kind: &str, voice: Voice) {
        if value.as_str().is_some_and(|text| keys::is_protocol(key, text)) {
            return;
        }
        let sealed = kind == "redacted_thinking" && key == "data";
        match keys::holds(key) {
            _ if sealed => self.sealed(value, voice),
            Holds::Same => self.value(value, voice),
            Holds::Part(_) if voice.role == Role::ToolDefinition => self.value(value, voice),
            Holds::Part(part) => self.value(value, voice.part(part)),
            Holds::Definition => self.definition(value),
            Holds::Spoken(..) if kind == "image_generation_call" => self.bytes(value, voice),
            Holds::Spoken(role, part) => self.value(value, Voice { role, part, ..voice }),
            Holds::Json(part) => self.json(value, voice.part(part)),
            Holds::Link => self.link(key, value, kind, voice),
            Holds::Bytes if kind == "text" => self.value(value, voice.part("document")),
            Holds::Bytes => self.bytes(value, voice),
            Holds::Sealed => self.sealed(value, voice),
            Holds::Kept(kind) => self.keep(kind, value),
            Holds::Echo if self.compact && !value.is_string() => {}
            Holds::Echo | Holds::Unknown => self.unknown(key, value, voice.role),
        }
    }

    fn link(&mut self, key: &str, value: &Value, kind: &str, voice: Voice) {
        let bytes = match key {
            "image" | "image_url" => "image",
            "audio" | "input_audio" => "audio",
            _ => voice.bytes,
        };
        let voice = Voice { bytes, ..voice };
        match value {
            Value::String(url) if is_bytes_link(url) => self.skip(bytes),
            Value::String(url) => {
                let remote = kind == "url" || matches!(bytes, "image" | "audio");
                if matches!(key, "image_url" | "file_url") || key == "url" && remote {
                    self.skip(bytes);
                }
                self.text(url, voice.part("url"));
            }
            Value::Object(members)
                if key == "audio"
                    && !members.contains_key("transcript")
                    && members.contains_key("id") =>
            {
                self.skip("audio");
                self.object(members, voice);
            }
            other => self.value(other, voice),
        }
    }

    fn bytes(&mut self, value: &Value, voice: Voice) {
        match value {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => {
                self.skip(voice.bytes);
                if !(is_bytes_link(text) || keys::is_opaque(text)) {
                    self.text(text, voice.part("other"));
                }
            }
            other => self.value(other, voice),
        }
    }

    fn sealed(&mut self, value: &Value, voice: Voice) {
        match value {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) if keys::is_opaque(text) => {
                if !self.path.ends_with("/signature") && !self.path.ends_with("/obfuscation") {
                    self.skip("encrypted_content");
                }
            }
            other => self.value(other, voice.part("other")),
        }
    }

    /// A value nothing is known about: every string in it, and the keys chosen by its author.
    pub(crate) fn unknown(&mut self, key: &str, value: &Value, role: Role) {
        let voice = Voice::new(role, "other");
        let mut names = if keys::is_identifier(key) { String::new() } else { key.to_owned() };
        match value {
            Value::String(text) if keys::is_protocol(key, text) => {}
            _ => self.leaves("", value, voice, &mut names),
        }
        self.names(names, voice);
    }

    /// JSON a model wrote, as a value or as text.
    fn json(&mut self, value: &Value, voice: Voice) {
        match value {
            Value::String(text) => {
                self.text(text, voice);
                self.decoded(text, voice);
            }
            Value::Object(_) | Value::Array(_) if self.compact => {
                let text = value.to_string();
                self.decoded(&text, voice);
                self.push(self.path.clone(), text, voice);
            }
            other => self.free(other, voice),
        }
    }

    fn decoded(&mut self, text: &str, voice: Voice) {
        if let Some(decoded) = decoded(text) {
            self.push(format!("{}{DECODED}", self.path), decoded, voice);
        }
    }
}

fn is_bytes_link(url: &str) -> bool {
    url.starts_with("data:") && keys::is_opaque(url)
}

fn voiced(members: &Map<String, Value>, kind: &str, voice: Voice) -> Voice {
    let typed = keys::typed(kind);
    let media = members.get("media_type").and_then(Value::as_str).unwrap_or_default();
    let bytes = match media.split('/').next() {
        Some("image") => Some("image"),
        Some("audio") => Some("audio"),
        _ => None,
    };
    // A definition stays one, whatever it nests.
    let role = if voice.role == Role::ToolDefinition { None } else { typed.role };
    Voice {
        role: role.unwrap_or(voice.role),
        part: typed.part.unwrap_or(voice.part),
        bytes: bytes.or(typed.bytes).unwrap_or(voice.bytes),
    }
}

/// The keys and strings of JSON text that has escapes, unescaped, one per line.
pub(crate) fn decoded(text: &str) -> Option<String> {
    memchr::memchr(b'\\', text.as_bytes())?;
    let value = json::parse_str(text).ok()?;
    let mut out = String::with_capacity(text.len());
    strings(&value, &mut out);
    Some(out).filter(|out| !out.is_empty())
}

fn strings(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(members) => {
            for (key, member) in members {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(key);
                strings(member, out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
