//! Phases 7 and 8: fix what happened, and hand it to the interaction log.

use std::time::Duration;

use quell_domain::application::{Application, TextRetention};
use quell_domain::interaction::{Interaction, Outcome, TextField};
use quell_domain::signal::Signal;
use quell_wire::{ParsedRequest, ParsedResponse};

use crate::reply::REDACTED;
use crate::shared::Shared;

/// Entries of `not_evaluated` kept per exchange.
pub(crate) const NOT_EVALUATED_MAX: usize = 64;

/// Signals kept per exchange.
const SIGNALS_MAX: usize = 64;

/// Takes what a parsed request says into the record.
pub(crate) fn note_request(record: &mut Interaction, request: &ParsedRequest) {
    record.stream = request.stream;
    record.model_asked.clone_from(&request.model);
    record.parameters.clone_from(&request.parameters);
    record.tools_offered.clone_from(&request.tools);
    record.documents.clone_from(&request.documents);
    record.not_evaluated.extend(request.not_evaluated.iter().take(NOT_EVALUATED_MAX).cloned());
    let system = quell_wire::system_text(request);
    if !system.is_empty() {
        record.digests.system_prompt = Some(quell_domain::canonical::sha256_hex(system.as_bytes()));
    }
    record.request.clone_from(&request.fields);
}

/// Takes what a parsed response says into the record.
pub(crate) fn note_response(record: &mut Interaction, response: &ParsedResponse) {
    record.response.clone_from(&response.fields);
    record.tool_calls.clone_from(&response.tool_calls);
    record.finish_reasons.clone_from(&response.finish_reasons);
    record.usage = response.usage;
    record.model_served.clone_from(&response.model);
    record.provider_fingerprint.clone_from(&response.fingerprint);
    record.response_id.clone_from(&response.response_id);
    record.logprobs.clone_from(&response.logprobs);
    for missing in &response.not_evaluated {
        if record.not_evaluated.len() < NOT_EVALUATED_MAX && !record.not_evaluated.contains(missing)
        {
            record.not_evaluated.push(missing.clone());
        }
    }
}

/// Fixes outcome, status and times.
pub(crate) fn settle(record: &mut Interaction, status: u16, elapsed: Duration) {
    record.status = status;
    let elapsed = elapsed.as_micros() as u64;
    record.timing.last_byte_us = Some(elapsed);
    record.timing.first_byte_us.get_or_insert(elapsed);
    record.causes.sort_by_key(|cause| std::cmp::Reverse(cause.outcome));
    record.outcome = record.causes.first().map_or(Outcome::Allowed, |cause| cause.outcome);
    record.signals.truncate(SIGNALS_MAX);
    record.request_chars = chars(&record.request);
    record.response_chars = chars(&record.response);
}

/// Hands the record to the log; resolves to its number there when the kernel has it.
pub(crate) async fn append(
    shared: &Shared,
    application: &Application,
    record: &mut Interaction,
) -> Result<u64, ()> {
    retain(record, application.text);
    let appended = match serde_json::to_vec(record).map_err(|error| error.to_string()) {
        Ok(bytes) => match shared.log.append(bytes) {
            Ok(appending) => appending.await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Err(error),
    };
    match appended {
        Ok(sequence) => {
            shared.count_recorded();
            Ok(sequence)
        }
        Err(error) => {
            shared.counters.record_failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tracing::error!(interaction.id = %record.id, %error, "exchange not recorded");
            Err(())
        }
    }
}

fn chars(fields: &[TextField]) -> u64 {
    fields.iter().map(|field| field.text.chars().count() as u64).sum()
}

/// Keeps of the text what the application allows.
fn retain(record: &mut Interaction, retention: TextRetention) {
    match retention {
        TextRetention::Full => {}
        TextRetention::Redacted => {
            redact(&mut record.request, &record.signals);
            redact(&mut record.response, &record.signals);
            record.logprobs = None;
            for call in &mut record.tool_calls {
                REDACTED.clone_into(&mut call.arguments);
            }
        }
        TextRetention::Metadata => {
            for field in record.request.iter_mut().chain(&mut record.response) {
                field.text = String::new();
            }
            record.logprobs = None;
            for call in &mut record.tool_calls {
                call.arguments = String::new();
            }
        }
    }
}

/// Replaces every span a signal points to, and recomputes nothing else: the spans of the signals
/// keep pointing into the original text, whose length stands in `request_chars`.
fn redact(fields: &mut [TextField], signals: &[Signal]) {
    for field in fields {
        let spans: Vec<_> = signals
            .iter()
            .flat_map(|signal| &signal.spans)
            .filter(|span| span.field == field.field)
            .map(|span| span.start..span.end)
            .collect();
        field.text = replaced(&field.text, &spans);
    }
}

/// `text` with `spans` replaced; all of it where a span does not fit the text.
pub(crate) fn replaced(text: &str, spans: &[std::ops::Range<usize>]) -> String {
    quell_wire::redact::replace(text, spans, REDACTED).unwrap_or_else(|| REDACTED.to_owned())
}

/// As [`replaced`], for a piece of text that begins at byte `offset` of the field the spans point
/// into. A span that began in an earlier piece is only cut here, not marked again.
pub(crate) fn replaced_within(
    piece: &str,
    offset: usize,
    spans: &[std::ops::Range<usize>],
) -> String {
    let end = offset + piece.len();
    let mut out = String::with_capacity(piece.len());
    let mut at = offset;
    for span in spans {
        if span.start >= end || span.end <= at {
            continue;
        }
        let start = span.start.max(at);
        let kept = floor(piece, at - offset)..floor(piece, start - offset);
        out.push_str(piece.get(kept).unwrap_or_default());
        if span.start >= offset {
            out.push_str(REDACTED);
        }
        at = offset + ceil(piece, span.end.min(end) - offset);
    }
    out.push_str(piece.get(at - offset..).unwrap_or_default());
    out
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::replaced_within;

    #[test]
    fn a_span_over_several_pieces_is_marked_once() {
        let range = 3..8;
        let span = std::slice::from_ref(&range);
        assert_eq!(replaced_within("abcde", 0, span), "abc[redacted]");
        assert_eq!(replaced_within("fg", 5, span), "");
        assert_eq!(replaced_within("hij", 7, span), "ij");
        assert_eq!(replaced_within("k", 10, span), "k");
    }
}
