//! What a client makes of a response.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{Step, Surface, Treatment};
use crate::UNSAFE_MARKER;

/// What the gateway writes in the place of a redacted span.
const REDACTED: &str = "[redacted]";
/// Longest answer read.
pub(super) const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A response as far as it came.
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether the body came to its end.
    pub(super) complete: bool,
}

/// The text of an answer, or the arguments of its tool call, and how it ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Content {
    text: String,
    /// The model's own end, e.g. `stop`, `max_tokens`.
    finish: Option<String>,
    error: bool,
}

/// What arrived of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) treatment: Treatment,
    pub(super) unsafe_arrived: bool,
    pub(super) secret_arrived: bool,
    pub(super) characters: usize,
}

impl Judgement {
    /// No answer at all.
    pub(super) const fn nothing(treatment: Treatment) -> Self {
        Self { treatment, unsafe_arrived: false, secret_arrived: false, characters: 0 }
    }
}

/// What became of the step, and which of `secrets` and marks came through.
pub(super) fn judge(step: &Step, received: &Received, secrets: &[String]) -> Judgement {
    if !received.status.is_success() {
        return Judgement::nothing(refusal(received));
    }
    let body = String::from_utf8_lossy(&received.body);
    let content = if is_stream(&received.headers) {
        read_events(&body, step.surface)
    } else {
        read_whole(&body, step.surface)
    };
    Judgement {
        treatment: treatment(step, received, &content),
        unsafe_arrived: content.text.contains(UNSAFE_MARKER),
        secret_arrived: secrets.iter().any(|secret| content.text.contains(secret.as_str())),
        characters: content.text.chars().count(),
    }
}

fn treatment(step: &Step, received: &Received, content: &Content) -> Treatment {
    let cut_short =
        matches!(content.finish.as_deref(), Some("length" | "max_tokens" | "incomplete"));
    let length = crate::model::tokens(&content.text).len();
    if content.error {
        Treatment::Cut
    } else if !received.complete || content.finish.is_none() {
        Treatment::Failed
    } else if !has_model_request_id(&received.headers) {
        Treatment::Fallback
    } else if content.text.contains(REDACTED) {
        Treatment::Redacted
    } else if cut_short && length + 1 < step.max_tokens as usize {
        Treatment::Degraded
    } else {
        Treatment::Delivered
    }
}

/// A refusal by decision (403, 429 or an application that is offline) against anything else.
fn refusal(received: &Received) -> Treatment {
    let decided = match received.status.as_u16() {
        403 | 429 => true,
        503 => {
            let body = String::from_utf8_lossy(&received.body);
            body.contains("offline")
        }
        _ => false,
    };
    if decided { Treatment::Refused } else { Treatment::Failed }
}

/// Models name their requests, OpenAI's and Anthropic's way; an answer without came from none.
fn has_model_request_id(headers: &HeaderMap) -> bool {
    headers.contains_key("x-request-id") || headers.contains_key("request-id")
}

fn is_stream(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/event-stream"))
}

fn read_events(body: &str, surface: Surface) -> Content {
    let mut content = Content::default();
    for data in body.lines().filter_map(|line| line.strip_prefix("data:")) {
        let Ok(event) = serde_json::from_str::<Value>(data.trim()) else { continue };
        let kind = event.get("type").and_then(Value::as_str);
        content.error |= event.get("error").is_some_and(|error| !error.is_null());
        content.error |= matches!(kind, Some("error" | "response.failed"));
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let (deltas, finish): ([&str; 2], &str) = match surface {
            Surface::Chat => (
                ["/choices/0/delta/content", "/choices/0/delta/tool_calls/0/function/arguments"],
                "/choices/0/finish_reason",
            ),
            Surface::Completions => (["/choices/0/text", ""], "/choices/0/finish_reason"),
            Surface::Messages => (["/delta/text", "/delta/partial_json"], "/delta/stop_reason"),
            Surface::Responses => match kind {
                Some("response.output_text.delta" | "response.function_call_arguments.delta") => {
                    (["/delta", ""], "")
                }
                Some("response.completed" | "response.incomplete") => {
                    (["", ""], "/response/status")
                }
                _ => (["", ""], ""),
            },
        };
        for delta in deltas {
            content.text.push_str(text(delta).unwrap_or_default());
        }
        content.finish = text(finish).map(ToOwned::to_owned).or(content.finish);
    }
    content
}

fn read_whole(body: &str, surface: Surface) -> Content {
    let Ok(answer) = serde_json::from_str::<Value>(body) else { return Content::default() };
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    let (said, call, finish) = match surface {
        Surface::Chat => (
            "/choices/0/message/content",
            "/choices/0/message/tool_calls/0/function/arguments",
            "/choices/0/finish_reason",
        ),
        Surface::Completions => ("/choices/0/text", "", "/choices/0/finish_reason"),
        Surface::Messages => ("/content/0/text", "/content/0/input/body", "/stop_reason"),
        Surface::Responses => ("/output/0/content/0/text", "/output/0/arguments", "/status"),
    };
    Content {
        text: text(said).or_else(|| text(call)).unwrap_or_default().to_owned(),
        finish: text(finish).map(ToOwned::to_owned),
        error: answer.get("error").is_some_and(|error| !error.is_null()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_each_surface_are_read() {
        for (surface, body) in [
            (
                Surface::Chat,
                "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n\
                 data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            ),
            (
                Surface::Messages,
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hi\"}}\n\n\
                 event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop\"}}\n\n",
            ),
            (
                Surface::Responses,
                "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n\
                 data: {\"type\":\"response.completed\",\"response\":{\"status\":\"stop\",\"error\":null}}\n\n",
            ),
        ] {
            let expected = Content { text: "hi".into(), finish: Some("stop".into()), error: false };
            assert_eq!(read_events(body, surface), expected);
        }
    }

    fn received(status: u16, kind: &str, body: &str, by_model: bool) -> Received {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, kind.parse().unwrap());
        if by_model {
            headers.insert("x-request-id", "req_1".parse().unwrap());
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        Received { status: StatusCode::from_u16(status).unwrap(), headers, body, complete: true }
    }

    #[test]
    fn treatments_are_told_apart() {
        let mut plan =
            crate::campaign::plan(7, &crate::campaign::CampaignOptions::default()).unwrap();
        let mut step = plan.remove(0);
        step.surface = Surface::Chat;
        let whole = |text: &str, finish: &str| {
            format!(
                r#"{{"choices":[{{"message":{{"content":"{text}"}},"finish_reason":"{finish}"}}]}}"#
            )
        };
        let (json, sse) = ("application/json", "text/event-stream; charset=utf-8");
        let begun = "data: {\"choices\":[{\"delta\":{\"content\":\"so\"}}]}\n\n";
        let cut = format!("{begun}data: {{\"error\":{{\"message\":\"m\"}}}}\n\n");
        for (received, expected) in [
            (received(403, json, "{}", false), Treatment::Refused),
            (received(429, json, "{}", false), Treatment::Refused),
            (
                received(503, json, r#"{"error":{"code":"application_offline"}}"#, false),
                Treatment::Refused,
            ),
            (
                received(503, json, r#"{"error":{"code":"service_unavailable"}}"#, false),
                Treatment::Failed,
            ),
            (received(401, json, "{}", false), Treatment::Failed),
            (received(200, sse, &cut, true), Treatment::Cut),
            (received(200, sse, begun, true), Treatment::Failed),
            (received(200, json, &whole("so", "stop"), false), Treatment::Fallback),
            (received(200, json, &whole("so [redacted]", "stop"), true), Treatment::Redacted),
            (received(200, json, &whole("so", "length"), true), Treatment::Degraded),
            (received(200, json, &whole("so", "stop"), true), Treatment::Delivered),
        ] {
            assert_eq!(judge(&step, &received, &[]).treatment, expected, "{:?}", received.body);
        }
        let leak = received(200, json, &whole("card 4000", "stop"), true);
        assert!(judge(&step, &leak, &["4000".into()]).secret_arrived);
    }

    #[test]
    fn error_events_of_each_surface_are_seen() {
        for (surface, body) in [
            (Surface::Chat, "data: {\"error\":{\"message\":\"m\"}}\n\n"),
            (Surface::Messages, "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n"),
            (
                Surface::Responses,
                "event: error\ndata: {\"type\":\"error\",\"code\":\"blocked\"}\n\n",
            ),
        ] {
            assert!(read_events(body, surface).error, "{surface:?}");
        }
    }
}
