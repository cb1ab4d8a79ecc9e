//! Trees whose shape their author chose: schemas, tool definitions, metadata, what nobody has heard
//! of. Every string in them is a field, and so are the keys.

use quell_domain::interaction::Role;
use serde_json::Value;

use crate::keys::{self, Holds};
use crate::walk::{KEYS, Voice, Walk};

impl Walk {
    /// A tree whose shape its author chose: every string is one field, all keys together another.
    pub(crate) fn free(&mut self, value: &Value, voice: Voice) {
        let mut names = String::new();
        self.leaves("", value, voice, &mut names);
        self.names(names, voice);
    }

    pub(crate) fn names(&mut self, names: String, voice: Voice) {
        if !names.is_empty() {
            self.push(format!("{}{KEYS}", self.path()), names, voice.part("keys"));
        }
    }

    /// Tool definitions and schemas: one field per string, the authors' keys together. Of a hosted
    /// tool, what it keeps at the provider is noted, and the credentials for a tool server are left
    /// out.
    pub(crate) fn definition(&mut self, value: &Value) {
        let voice = Voice::new(Role::ToolDefinition, "tool_definition");
        match value {
            Value::Array(definitions) => {
                for (index, definition) in definitions.iter().enumerate() {
                    self.element(index, |walk| walk.definition(definition));
                }
            }
            Value::Object(members) => {
                let mut names = String::new();
                let serves = ["server_label", "server_url", "connector_id", "url"];
                let serves = serves.iter().any(|key| members.contains_key(*key));
                for (key, member) in members {
                    add_name(&mut names, key);
                    self.member(key, |walk| match keys::holds(key) {
                        Holds::Definition => walk.definition(member),
                        _ if serves && keys::is_credential(key) => {}
                        Holds::Kept(kind) if holds_ids(member) => walk.keep(kind, member),
                        _ => walk.leaves(key, member, voice, &mut names),
                    });
                }
                self.names(names, voice);
            }
            other => self.free(other, voice),
        }
    }

    /// Settings: enums, and whatever else stands there.
    pub(crate) fn settings(&mut self, value: &Value) {
        match value {
            Value::String(text) if keys::is_setting(text) => {}
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.element(index, |walk| walk.settings(item));
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    self.member(key, |walk| match member {
                        Value::String(text) if keys::is_setting(text) => {}
                        _ => walk.unknown(key, member, Role::User),
                    });
                }
            }
            other => self.unknown("", other, Role::User),
        }
    }

    pub(crate) fn leaves(&mut self, key: &str, value: &Value, voice: Voice, names: &mut String) {
        match value {
            Value::String(text) => {
                let defines = voice.role == Role::ToolDefinition;
                if !(defines && keys::is_schema_word(key, text)) {
                    self.text(text, voice);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.element(index, |walk| walk.leaves(key, item, voice, names));
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    add_name(names, key);
                    self.member(key, |walk| {
                        if !(key == "required" && only_names(member, members.get("properties"))) {
                            walk.leaves(key, member, voice, names);
                        }
                    });
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn add_name(names: &mut String, key: &str) {
    if keys::is_authored(key) {
        if !names.is_empty() {
            names.push('\n');
        }
        names.push_str(key);
    }
}

/// Whether a schema's `required` only repeats the keys of its `properties`.
fn only_names(required: &Value, properties: Option<&Value>) -> bool {
    let Some(properties) = properties.and_then(Value::as_object) else { return false };
    let known = |name: &Value| name.as_str().is_some_and(|name| properties.contains_key(name));
    required.as_array().is_some_and(|names| names.iter().all(known))
}

fn holds_ids(value: &Value) -> bool {
    match value {
        Value::String(id) => keys::is_identifier(id),
        Value::Array(ids) => ids.iter().all(|id| id.as_str().is_some_and(keys::is_identifier)),
        Value::Object(members) => members.contains_key("file_ids"),
        _ => false,
    }
}
