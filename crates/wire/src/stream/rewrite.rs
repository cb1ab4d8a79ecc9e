//! Changing text inside a frame that has not left yet.

use serde_json::Value;

use crate::json;
use crate::redact::forget_logprobs;
use crate::sse::{Frame, field, lines};
use crate::walk::is_derived;

/// `frame` with new text at the given pointers of its data. None if a pointer holds no text: then
/// the frame must not leave. Other lines of the frame stay as they were.
pub fn rewrite(frame: &Frame, edits: &[(String, String)]) -> Option<Frame> {
    let mut value = json::parse_str(&frame.data).ok()?;
    if edits.iter().any(|(pointer, _)| is_derived(pointer)) {
        return None;
    }
    for (pointer, text) in edits {
        let target = value.pointer_mut(pointer)?;
        *target = match target {
            Value::String(_) => Value::String(text.clone()),
            Value::Object(_) | Value::Array(_) => json::parse_str(text).ok()?,
            _ => return None,
        };
        forget_logprobs(&mut value, pointer);
    }
    let data = value.to_string();
    let mut raw = String::with_capacity(frame.raw.len() + data.len());
    for line in lines(std::str::from_utf8(&frame.raw).ok()?) {
        if field(line).0 != "data" {
            raw.push_str(line);
            raw.push('\n');
        }
    }
    raw.push_str("data: ");
    raw.push_str(&data);
    raw.push_str("\n\n");
    Some(Frame { event: frame.event.clone(), data, raw: raw.into() })
}
