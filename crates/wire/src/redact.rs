//! Replacing spans of text inside a body.

use std::ops::Range;

use serde_json::Value;

use crate::walk::is_derived;

/// Replaces `ranges` (bytes of the field's text) of the text at `pointer`. Returns whether it could:
/// false means the text still stands there, and the body must not be passed on. Derived fields
/// ([`crate::is_derived`]) and ranges off a character boundary cannot be replaced.
pub fn redact_field(
    body: &mut Value,
    pointer: &str,
    ranges: &[Range<usize>],
    replacement: &str,
) -> bool {
    if is_derived(pointer) {
        return false;
    }
    let Some(target) = body.pointer_mut(pointer) else { return false };
    let replaced = match target {
        Value::String(text) => replace(text, ranges, replacement).map(Value::String),
        Value::Object(_) | Value::Array(_) => replace_json(target, ranges, replacement),
        _ => None,
    };
    let Some(replaced) = replaced else { return false };
    *target = replaced;
    forget_logprobs(body, pointer);
    true
}

/// `text` with `ranges` replaced. Ranges come in any order; those that overlap count as one.
pub fn replace(text: &str, ranges: &[Range<usize>], replacement: &str) -> Option<String> {
    let mut ranges: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).collect();
    ranges.sort_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for range in ranges {
        text.get(range.clone())?;
        if range.start >= done {
            out.push_str(&text[done..range.start]);
            out.push_str(replacement);
        }
        done = done.max(range.end);
    }
    out.push_str(&text[done..]);
    Some(out)
}

/// The JSON value a model wrote is one field of compact JSON. It must stay JSON.
fn replace_json(value: &Value, ranges: &[Range<usize>], replacement: &str) -> Option<Value> {
    let quoted = Value::String(replacement.to_owned()).to_string();
    let inside = &quoted[1..quoted.len() - 1];
    let text = replace(&value.to_string(), ranges, inside)?;
    let replaced = crate::json::parse_str(&text).ok()?;
    (replaced.is_object() == value.is_object()).then_some(replaced)
}

/// Log-probabilities repeat the text token by token: those beside a changed text go too.
pub(crate) fn forget_logprobs(body: &mut Value, pointer: &str) {
    let mut end = pointer.len();
    while let Some(slash) = pointer[..end].rfind('/') {
        end = slash;
        if let Some(Value::Object(members)) = body.pointer_mut(&pointer[..end])
            && let Some(logprobs) = members.get_mut("logprobs")
            && !logprobs.is_boolean()
            && !logprobs.is_number()
        {
            *logprobs = if logprobs.is_array() { Value::Array(Vec::new()) } else { Value::Null };
        }
    }
}
