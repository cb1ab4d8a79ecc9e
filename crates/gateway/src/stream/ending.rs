//! How a stream ends: what waits is judged or dropped, the exchange settled and recorded, and only
//! then the last bytes leave.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use quell_detection::{Review, StreamInspection};
use quell_domain::interaction::{Cause, Cut, Outcome, TextField, ToolCall};
use quell_domain::streaming::StreamMode;
use quell_wire::{Refusal, RefusalReason};
use serde_json::Value;

use super::{End, Pump};
use crate::exchange::Stop;
use crate::spend::room::Room;
use crate::{record, reply};

/// How long a client may take to read the last bytes of a stream.
const LAST_BYTES: Duration = Duration::from_secs(10);

impl Pump {
    /// Settles and records, then lets the last bytes leave.
    pub(super) async fn end(mut self, mut end: End) {
        let summary = self.reader.summary();
        record::note_response(&mut self.exchange.record, &summary);
        if matches!(end, End::Done | End::Spent)
            && let ControlFlow::Break(worse) = self.judge_whole()
        {
            end = worse;
        }
        if matches!(end, End::Done | End::Spent)
            && let ControlFlow::Break(worse) = self.judge_buffered()
        {
            end = worse;
        }
        if let Some(inspection) = &self.inspection {
            let signals = &mut self.exchange.record.signals;
            for signal in inspection.signals() {
                if !signals.iter().any(|known| known.id == signal.id) {
                    signals.push(signal);
                }
            }
        }
        let last = match end {
            End::Done => {
                self.held.release_all();
                self.held.take_ready().freeze()
            }
            End::Spent => self.spent(),
            End::Cut { cause, at } => self.cut(cause, at),
            End::Broken { by, refusal } => self.broken(by, &refusal),
            End::ClientGone => {
                self.note_cut("client", 0);
                Bytes::new()
            }
        };
        if self.held.dropped() > 0 {
            self.exchange.cause(Outcome::Blocked, "fail_closed:not_redactable".into());
        }
        let last = match self.exchange.settle(self.status).await {
            Ok(()) => last,
            Err(Stop::Refused(refusal)) => self.error_frame(&refusal),
            Err(Stop::Answered(_)) => Bytes::new(),
        };
        if !last.is_empty() {
            // A client that left or stopped reading has its record; the bytes need not arrive.
            let _late = tokio::time::timeout(LAST_BYTES, self.client.send(last)).await;
        }
    }

    /// What may still leave, and the end a provider's own length limit would have made.
    fn spent(&mut self) -> Bytes {
        self.held.release_all();
        let mut last = self.held.take_ready();
        let by = self.exchange.note_passed_budget();
        self.note_cut(&by, 0);
        let tokens = self.exchange.room.as_ref().map_or(0, Room::output);
        last.extend_from_slice(&quell_wire::length_end(&self.reader, tokens));
        last.freeze()
    }

    /// Judges what is still held, and the answer beside its request.
    fn judge_whole(&mut self) -> ControlFlow<End> {
        let record = &self.exchange.record;
        let (calls, answer) = (record.tool_calls.clone(), record.response.clone());
        self.review(&calls, &answer, record.logprobs.clone().as_ref())?;
        self.inspect(StreamInspection::finish)
    }

    /// Judges the calls so far, before a frame that tells the client that one is complete.
    pub(super) fn judge_calls(&mut self) -> ControlFlow<End> {
        let calls = self.reader.summary().tool_calls;
        self.review(&calls, &[], None)
    }

    fn review(
        &mut self,
        calls: &[ToolCall],
        answer: &[TextField],
        logprobs: Option<&Value>,
    ) -> ControlFlow<End> {
        let Some(application) = self.exchange.application.clone() else {
            return ControlFlow::Continue(());
        };
        let Some(request) = self.exchange.request.take() else { return ControlFlow::Continue(()) };
        let schemas = quell_wire::tool_schemas(&request);
        let review = Review {
            request: &request.fields,
            schemas: &schemas,
            destinations: &application.config.tool_destinations,
            calls,
            logprobs,
        };
        let step = self.inspect(|inspection| inspection.review(review, answer));
        self.exchange.request = Some(request);
        step
    }

    /// A buffered answer that has come to its end is judged once more, as one that is not streamed.
    fn judge_buffered(&mut self) -> ControlFlow<End> {
        if self.gate.mode() != StreamMode::Buffered || self.inspection.is_none() {
            return ControlFlow::Continue(());
        }
        if let Some(cause) = self.forbidden() {
            return ControlFlow::Break(End::Cut { cause, at: None });
        }
        let fields = self.exchange.record.response.clone();
        let Ok(redactions) = self.exchange.judge_response(&fields) else {
            return ControlFlow::Break(self.refused());
        };
        for (field, ranges) in reply::by_field(redactions) {
            let whole = fields.iter().find(|whole| whole.field == field);
            // Where the answer took back what it had said, places in it mean nothing.
            if whole.is_none_or(|whole| self.held.seen_bytes(&field) != whole.text.len()) {
                self.exchange.cause(Outcome::Blocked, "fail_closed:not_redactable".into());
                return ControlFlow::Break(self.refused());
            }
            for range in ranges {
                self.held.redact(&field, range);
            }
        }
        ControlFlow::Continue(())
    }

    /// The end for the strongest cause there is.
    fn refused(&self) -> End {
        let causes = self.exchange.record.causes.iter();
        let strongest = causes.max_by_key(|cause| cause.outcome).cloned();
        let unknown = || Cause { outcome: Outcome::Blocked, by: "fail_closed:unknown".into() };
        End::Cut { cause: strongest.unwrap_or_else(unknown), at: None }
    }

    fn cut(&mut self, cause: Cause, at: Option<(String, usize)>) -> Bytes {
        let leaked = at.map_or(0, |(field, start)| {
            self.held.delivered_bytes(&field).saturating_sub(start) as u64
        });
        self.note_cut(&cause.by, leaked);
        let reason = if cause.outcome == Outcome::ShutDown {
            RefusalReason::ShutDown
        } else {
            RefusalReason::Blocked
        };
        // A running stream is never answered by the fallback: it is stopped.
        let outcome =
            if cause.outcome == Outcome::ShutDown { cause.outcome } else { Outcome::Blocked };
        self.exchange.cause(outcome, cause.by);
        let refusal = self.exchange.contained_refusal(reason);
        self.error_frame(&refusal)
    }

    fn broken(&mut self, by: &'static str, refusal: &Refusal) -> Bytes {
        self.note_cut(by, 0);
        if by.starts_with("limit:") {
            self.exchange.cause(Outcome::Blocked, by.to_owned());
        }
        self.error_frame(refusal)
    }

    fn error_frame(&self, refusal: &Refusal) -> Bytes {
        let sequence = self.reader.next_sequence();
        quell_wire::error_frame_at(self.exchange.record.endpoint, refusal, sequence)
    }

    fn note_cut(&mut self, by: &str, leaked_chars: u64) {
        self.exchange.record.cut = Some(Cut {
            by: by.to_owned(),
            delivered_chars: self.held.delivered_chars(),
            leaked_chars,
        });
    }
}
