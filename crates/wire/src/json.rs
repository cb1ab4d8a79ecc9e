//! Strict JSON: what two parsers could read differently is refused.
//!
//! Repeated keys, lone surrogates, trailing bytes, invalid UTF-8 and nesting past [`MAX_DEPTH`] are
//! errors. Key order is kept, so that an altered body differs only where it was altered.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::WireError;

/// Deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;

/// Most values (members and elements, nested ones too) of a request. A value takes far more memory
/// than the two bytes it can be written in.
pub const MAX_VALUES: usize = 512 * 1024;

/// Reads one JSON value from the whole of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Value, WireError> {
    read(utf8(bytes)?, usize::MAX)
}

/// [`parse`] for what a client sent: at most [`MAX_VALUES`].
pub fn parse_untrusted(bytes: &[u8]) -> Result<Value, WireError> {
    read(utf8(bytes)?, MAX_VALUES)
}

/// Reads one JSON value from the whole of `text`.
pub fn parse_str(text: &str) -> Result<Value, WireError> {
    read(text, usize::MAX)
}

fn utf8(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes)
        .map_err(|error| WireError::InvalidUtf8 { offset: error.valid_up_to() })
}

fn read(text: &str, values: usize) -> Result<Value, WireError> {
    let broken = Cell::new(None);
    let left = Cell::new(values);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node { depth: 0, broken: &broken, left: &left }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| explain(&error, broken.get()))
}

fn explain(error: &serde_json::Error, broken: Option<Broken>) -> WireError {
    let (line, column) = (error.line(), error.column());
    match broken {
        Some(Broken::Repeated) => WireError::DuplicateKey { line, column },
        Some(Broken::Many) => WireError::TooManyValues { limit: MAX_VALUES },
        Some(Broken::Deep) => WireError::TooDeep { limit: MAX_DEPTH, line, column },
        None => {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default().to_owned();
            WireError::Malformed { line, column, what }
        }
    }
}

#[derive(Clone, Copy)]
enum Broken {
    Repeated,
    Deep,
    Many,
}

#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    broken: &'a Cell<Option<Broken>>,
    left: &'a Cell<usize>,
}

impl Node<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            self.broken.set(Some(Broken::Deep));
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        let Some(left) = self.left.get().checked_sub(1) else {
            self.broken.set(Some(Broken::Many));
            return Err(E::custom("too many values"));
        };
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            seed.count()?;
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut out = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            seed.count()?;
            let value = members.next_value_seed(seed)?;
            if out.insert(key, value).is_some() {
                self.broken.set(Some(Broken::Repeated));
                return Err(A::Error::custom("repeated key"));
            }
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_or_broken_json_is_refused_with_its_place() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        for (bytes, expected) in [
            (
                &b"{\"a\":1,\n\"a\":2}"[..],
                "an object key is repeated at line 2 column 6; send each key once",
            ),
            (b"{\"a\":", "malformed JSON at line 1 column 5: EOF while parsing a value"),
            (b"{} x", "malformed JSON at line 1 column 4: trailing characters"),
            (b"\"\\ud800\"", "malformed JSON at line 1 column 8: unexpected end of hex escape"),
            (b"[NaN]", "malformed JSON at line 1 column 2: expected value"),
            (b"{\"a\":\"\xff\"}", "not valid UTF-8 at byte 6; send the body as UTF-8"),
            (b"", "malformed JSON at line 1 column 0: EOF while parsing a value"),
            (deep.as_bytes(), "nested deeper than 64 levels at line 1 column 66; flatten the body"),
        ] {
            assert_eq!(parse(bytes).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_client_cannot_send_more_values_than_memory_is_meant_for() {
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(
            parse_untrusted(many.as_bytes()),
            Err(WireError::TooManyValues { limit: MAX_VALUES })
        );
        assert!(parse(many.as_bytes()).is_ok());
    }

    #[test]
    fn order_numbers_and_the_deepest_allowed_nesting_are_kept() {
        let text = r#"{"b":1,"a":[-2,1.5,18446744073709551615,true,null,"é"]}"#;
        assert_eq!(serde_json::to_string(&parse_str(text).unwrap()).unwrap(), text);
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(parse_str(&deep).is_ok());
    }
}
