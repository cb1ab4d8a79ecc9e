//! Whether a value keeps to a JSON schema, within a bounded amount of work.
//!
//! The client sends the schema, so it is as hostile as any text: the common part of draft 2020-12
//! is read with a limit on steps and depth, and the rest is not. Read: `type`, `enum`, `const`,
//! `properties`, `required`, `additionalProperties`, `items`, lengths, ranges, `anyOf`, `oneOf` (as
//! any), `allOf`, `$ref` inside the schema. Not read, and so never violated: `pattern`, `format`,
//! `not`, conditions, `prefixItems`, references elsewhere.

use serde_json::Value;

/// Values compared with schemas in one check.
const MAX_STEPS: usize = 4_096;
/// Nesting of schemas.
const MAX_DEPTH: usize = 24;

/// Whether `value` keeps to `schema`; none where the limits do not allow to say.
pub(crate) fn holds(schema: &Value, value: &Value) -> Option<bool> {
    let mut check = Check { root: schema, steps: 0 };
    check.value(schema, value, 0)
}

struct Check<'a> {
    root: &'a Value,
    steps: usize,
}

impl<'a> Check<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, depth: usize) -> Option<bool> {
        self.steps += 1;
        if self.steps > MAX_STEPS || depth > MAX_DEPTH {
            return None;
        }
        let Some(rules) = schema.as_object() else { return Some(schema != &Value::Bool(false)) };
        for (name, rule) in rules {
            let holds = match name.as_str() {
                "type" => is_of_type(rule, value),
                "enum" => self.is_one_of(rule, value),
                "const" => rule == value,
                "required" => has_required(rule, value),
                "properties" => self.members(rule, value, depth)?,
                "additionalProperties" => self.others(schema, rule, value, depth)?,
                "items" => self.items(rule, value, depth)?,
                "anyOf" | "oneOf" => self.any(rule, value, depth)?,
                "allOf" => self.all(rule, value, depth)?,
                "$ref" => match self.named(rule) {
                    Some(named) => self.value(named, value, depth + 1)?,
                    None => true,
                },
                _ => in_range(name, rule, value),
            };
            if !holds {
                return Some(false);
            }
        }
        Some(true)
    }

    fn is_one_of(&mut self, rule: &Value, value: &Value) -> bool {
        let listed = rule.as_array().map(Vec::as_slice).unwrap_or_default();
        self.steps += listed.len();
        listed.is_empty() || listed.contains(value)
    }

    fn members(&mut self, rule: &'a Value, value: &Value, depth: usize) -> Option<bool> {
        let (Some(properties), Some(members)) = (rule.as_object(), value.as_object()) else {
            return Some(true);
        };
        for (name, member) in members {
            if let Some(schema) = properties.get(name)
                && !self.value(schema, member, depth + 1)?
            {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Members that the schema does not name.
    fn others(
        &mut self,
        schema: &'a Value,
        rule: &'a Value,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Some(members) = value.as_object() else { return Some(true) };
        if schema.get("patternProperties").is_some() {
            return Some(true);
        }
        let named = schema.get("properties").and_then(Value::as_object);
        for (name, member) in members {
            let known = named.is_some_and(|named| named.contains_key(name));
            if !known && !self.value(rule, member, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn items(&mut self, rule: &'a Value, value: &Value, depth: usize) -> Option<bool> {
        for item in value.as_array().into_iter().flatten() {
            if rule.is_object() && !self.value(rule, item, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn any(&mut self, rule: &'a Value, value: &Value, depth: usize) -> Option<bool> {
        let Some(schemas) = rule.as_array().filter(|schemas| !schemas.is_empty()) else {
            return Some(true);
        };
        for schema in schemas {
            if self.value(schema, value, depth + 1)? {
                return Some(true);
            }
        }
        Some(false)
    }

    fn all(&mut self, rule: &'a Value, value: &Value, depth: usize) -> Option<bool> {
        for schema in rule.as_array().into_iter().flatten() {
            if !self.value(schema, value, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn named(&self, reference: &Value) -> Option<&'a Value> {
        self.root.pointer(reference.as_str()?.strip_prefix('#')?)
    }
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    };
    match rule {
        // Providers write types in capitals, too.
        Value::String(name) => is(&name.to_ascii_lowercase()),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn has_required(rule: &Value, value: &Value) -> bool {
    let Some(members) = value.as_object() else { return true };
    let mut names = rule.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.all(|name| members.contains_key(name))
}

fn in_range(name: &str, rule: &Value, value: &Value) -> bool {
    let Some(limit) = rule.as_f64() else { return true };
    let number = || value.as_f64();
    let length = || value.as_str().map(|text| text.chars().count() as f64);
    let count = || value.as_array().map(|items| items.len() as f64);
    match name {
        "minimum" => number().is_none_or(|n| n >= limit),
        "maximum" => number().is_none_or(|n| n <= limit),
        "exclusiveMinimum" => number().is_none_or(|n| n > limit),
        "exclusiveMaximum" => number().is_none_or(|n| n < limit),
        "minLength" => length().is_none_or(|n| n >= limit),
        "maxLength" => length().is_none_or(|n| n <= limit),
        "minItems" => count().is_none_or(|n| n >= limit),
        "maxItems" => count().is_none_or(|n| n <= limit),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_common_part_of_the_standard_is_read() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 2},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
                "unit": {"enum": ["C", "F"]},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
                "where": {"anyOf": [{"type": "null"}, {"type": "number"}]},
            },
            "required": ["city"],
            "additionalProperties": false,
            "$defs": {"tag": {"type": "string", "maxLength": 3}},
        });
        for (value, expected) in [
            (json!({"city": "Bonn", "days": 3, "unit": "C", "tags": ["a"], "where": null}), true),
            (json!({"city": "Bonn", "days": 3.0}), true),
            (json!({"days": 3}), false),
            (json!({"city": "B"}), false),
            (json!({"city": "Bonn", "days": 15}), false),
            (json!({"city": "Bonn", "days": 1.5}), false),
            (json!({"city": "Bonn", "unit": "K"}), false),
            (json!({"city": "Bonn", "tags": ["long"]}), false),
            (json!({"city": "Bonn", "where": "here"}), false),
            (json!({"city": "Bonn", "command": "rm"}), false),
            (json!(["Bonn"]), false),
        ] {
            assert_eq!(holds(&schema, &value), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_schema_that_never_ends_is_not_followed() {
        let circle = json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]});
        assert_eq!(holds(&circle, &json!({})), None);
        let wide = json!({"type": "array", "items": {"anyOf": [{"type": "string"}, {}]}});
        assert_eq!(holds(&wide, &json!(vec![0; 10_000])), None);
    }
}
