//! Canonical JSON (RFC 8785) for values without floats, and SHA-256 in hex.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Why a value has no canonical form here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("floats have no canonical form here; state the number as an integer or as text")]
pub struct FloatFound;

/// The RFC 8785 bytes of `value`: keys sorted by UTF-16 code units, no white space.
pub fn canonical_json(value: &Value) -> Result<Vec<u8>, FloatFound> {
    let mut out = Vec::with_capacity(256);
    write_value(value, &mut out)?;
    Ok(out)
}

/// Lower-case hex SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), FloatFound> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(number) if number.is_f64() => return Err(FloatFound),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_value(&map[key.as_str()], out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if c < ' ' => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_by_utf16_and_strings_escaped_minimally() {
        let value = json!({"\u{20ac}": "Euro", "\r": "CR", "\u{fb33}": 1, "1": "One", "\u{1f600}": null, "a": ["\u{f}\n\"\\"]});
        let text =
            String::from_utf8(canonical_json(&value).unwrap_or_default()).unwrap_or_default();
        assert_eq!(
            text,
            "{\"\\r\":\"CR\",\"1\":\"One\",\"a\":[\"\\u000f\\n\\\"\\\\\"],\"\u{20ac}\":\"Euro\",\"\u{1f600}\":null,\"\u{fb33}\":1}"
        );
    }

    #[test]
    fn floats_are_refused() {
        assert_eq!(canonical_json(&json!({"a": 1.5})), Err(FloatFound));
    }
}
