//! Phases 6 to 8 while the bytes pass: inspect response, settle, record.
//!
//! Frames wait in [`HeldFrames`] for as long as their text is a live prefix of something that
//! must not leave, or the application's stream mode ([`Gate`]) keeps it back. A stream is cut with the wire format's own error event when a match resolves,
//! when a newer table forbids it, or at a limit; the terminal frames leave only after the record
//! is with the kernel.

mod ending;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use quell_detection::{Context, Findings, StreamInspection, StreamStep};
use quell_domain::Signal;
use quell_domain::interaction::{Cause, Endpoint, Outcome};
use quell_domain::rule::Direction;
use quell_domain::streaming::StreamMode;
use quell_wire::{Delta, Refusal, RefusalReason, SseParser, StreamReader};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use crate::body::{ReplyBody, STREAM_QUEUE};
use crate::exchange::Exchange;
use crate::forward::{self, Forwarded, UpstreamBody};
use crate::gate::{Gate, Over};
use crate::held::HeldFrames;
use crate::reply;
use crate::spend::charge::Heard;
use crate::unescape::{UNESCAPED, Unescaper};

/// Starts the reply and the pump behind it.
pub(crate) fn start(mut exchange: Exchange, upstream: Forwarded) -> Response<ReplyBody> {
    forward::note_provider(&mut exchange.record, &upstream.headers);
    exchange.record.stream = true;
    let (client, chunks) = mpsc::channel(STREAM_QUEUE);
    let body = ReplyBody::Stream(chunks);
    let response = reply::passed_on(upstream.status, &upstream.headers, body, &exchange);
    let shared = Arc::clone(&exchange.shared);
    let pump = Pump::new(exchange, upstream.status, client);
    shared.tasks.spawn(pump.run(upstream.body));
    response
}

/// How a stream ended.
#[derive(Debug)]
enum End {
    /// The provider's own end.
    Done,
    /// Cut for a cause; with the field and byte where the match began, if a match was it.
    Cut { cause: Cause, at: Option<(String, usize)> },
    /// Something went wrong that the client must be told.
    Broken { by: &'static str, refusal: Refusal },
    /// Nobody is listening any more.
    ClientGone,
    /// The answer passed the room its budgets had.
    Spent,
}

struct Pump {
    exchange: Exchange,
    status: u16,
    client: mpsc::Sender<Bytes>,
    parser: SseParser,
    reader: StreamReader,
    inspection: Option<StreamInspection>,
    held: HeldFrames,
    gate: Gate,
    epochs: watch::Receiver<u64>,
    /// When the exchange must be over.
    deadline: tokio::time::Instant,
    /// When a client that is kept waiting is told that something will come.
    keep_alive: tokio::time::Instant,
    received_bytes: u64,
    /// Digests of the pieces of each field, for the surface that repeats them.
    heard: HashMap<String, Sha256>,
    repeats: u32,
    tools_noted: HashSet<String>,
    /// Tokens that have come, where a budget counts them.
    tokens: Option<Heard>,
    /// Readers of tool arguments, by field.
    unescapers: HashMap<String, Unescaper>,
}

impl Pump {
    fn new(exchange: Exchange, status: u16, client: mpsc::Sender<Bytes>) -> Self {
        let inspected = exchange.record.endpoint != Endpoint::Forwarded;
        let mut epochs = exchange.shared.epochs();
        epochs.mark_changed();
        let seconds = exchange
            .application
            .as_ref()
            .map_or(0, |application| application.config.limits.exchange_seconds);
        Self {
            deadline: deadline(seconds),
            status,
            client,
            parser: SseParser::default(),
            reader: StreamReader::new(exchange.record.endpoint),
            inspection: inspected.then(|| inspection(&exchange)),
            held: HeldFrames::default(),
            gate: Gate::new(exchange.application.as_ref().map(|application| &application.config)),
            keep_alive: tokio::time::Instant::now() + exchange.shared.options.keep_alive,
            epochs,
            received_bytes: 0,
            heard: HashMap::new(),
            repeats: 0,
            tools_noted: HashSet::new(),
            tokens: exchange.room.is_some().then(Heard::default),
            unescapers: HashMap::new(),
            exchange,
        }
    }

    async fn run(mut self, body: UpstreamBody) {
        let end = self.pass(body).await;
        self.end(end).await;
    }

    /// Passes frames on until the stream ends one way or another.
    async fn pass(&mut self, mut body: UpstreamBody) -> End {
        let Ok(application) = self.exchange.application() else { return End::ClientGone };
        let limits = &application.config.limits;
        loop {
            let (keep_alive, waits) = (self.keep_alive, self.keeps_waiting());
            let chunk = tokio::select! {
                biased;
                end = self.interrupted() => return end,
                chunk = body.frame() => chunk,
                () = tokio::time::sleep_until(keep_alive), if waits => {
                    self.tell_to_wait();
                    continue;
                }
            };
            let data = match chunk {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return upstream_broken("the model provider broke off the stream"),
                None => return self.upstream_ended(),
            };
            self.received_bytes += data.len() as u64;
            if self.received_bytes > limits.response_bytes {
                return limit(
                    "response_bytes",
                    "this stream is longer than this application allows",
                );
            }
            if let ControlFlow::Break(end) = self.take(&data).await {
                return end;
            }
        }
    }

    /// One chunk from the provider.
    async fn take(&mut self, data: &Bytes) -> ControlFlow<End> {
        if self.inspection.is_none() {
            return self.send(data.clone()).await;
        }
        self.parser.push(data);
        loop {
            let frame = match self.parser.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return self.unreadable(&error),
            };
            let deltas = match self.reader.read(&frame) {
                Ok(deltas) => deltas,
                Err(error) => return self.unreadable(&error),
            };
            self.count_tokens(&deltas)?;
            let deltas = self.own_repeats(deltas);
            let deltas = self.with_unescaped(deltas);
            let inspected: Vec<_> = deltas
                .iter()
                .filter(|delta| !delta.repeat)
                .map(|delta| (delta.field.clone(), delta.part.clone(), delta.text.clone()))
                .collect();
            self.held.push(frame, deltas);
            self.note_tool_calls()?;
            if self.reader.call_ended() {
                self.judge_calls()?;
            }
            for (field, part, text) in inspected {
                let over = self.gate.heard(&field, &text);
                self.inspect(|inspection| inspection.push(&field, &part, &text))?;
                for Over { field, ended } in over {
                    self.inspect(|inspection| inspection.window_end(&field, ended))?;
                    let bytes = self.gate.pass(&field);
                    self.release(&field, bytes);
                }
            }
            if self.reader.is_done() {
                return ControlFlow::Break(End::Done);
            }
        }
        self.bound_buffer()?;
        let ready = self.held.take_ready().freeze();
        self.send(ready).await
    }

    /// Ends an answer that passes what was set aside for it, before the piece that does.
    fn count_tokens(&mut self, deltas: &[Delta]) -> ControlFlow<End> {
        let (Some(heard), Some(room)) = (self.tokens.as_mut(), &self.exchange.room) else {
            return ControlFlow::Continue(());
        };
        for delta in deltas.iter().filter(|delta| !delta.repeat) {
            heard.hear(&delta.field, &delta.text);
        }
        if heard.tokens() > room.output() {
            return ControlFlow::Break(End::Spent);
        }
        ControlFlow::Continue(())
    }

    /// An answer too long to be buffered is cut, or goes on as a live one, as the application says.
    fn bound_buffer(&mut self) -> ControlFlow<End> {
        let limit = self.exchange.application.as_ref().map_or(0, |a| a.config.stream.buffer_bytes);
        if self.gate.mode() != StreamMode::Buffered || self.held.waiting_bytes() as u64 <= limit {
            return ControlFlow::Continue(());
        }
        self.unjudged("buffer_bytes")?;
        for (field, bytes) in self.gate.open() {
            self.release(&field, bytes);
        }
        ControlFlow::Continue(())
    }

    /// Whether the client waits for text that is here already.
    fn keeps_waiting(&self) -> bool {
        self.inspection.is_some() && self.gate.mode() != StreamMode::Live
    }

    /// A comment, which every reader of server-sent events skips. A client that does not even read
    /// is not told again.
    fn tell_to_wait(&mut self) {
        self.keep_alive = tokio::time::Instant::now() + self.exchange.shared.options.keep_alive;
        let _full = self.client.try_send(Bytes::from_static(b": the answer is being judged\n\n"));
    }

    fn release(&mut self, field: &str, bytes: usize) {
        self.held.release(field, bytes);
        if let Some(inspection) = self.inspection.as_mut() {
            inspection.left(field, bytes);
        }
    }

    /// Runs the inspection and does what it says.
    fn inspect(
        &mut self,
        step: impl FnOnce(&mut StreamInspection) -> StreamStep,
    ) -> ControlFlow<End> {
        let Some(inspection) = self.inspection.as_mut() else {
            return ControlFlow::Continue(());
        };
        let Ok(step) = catch_unwind(AssertUnwindSafe(|| step(inspection))) else {
            tracing::error!(interaction.id = %self.exchange.record.id, "an analyzer panicked on a stream");
            return self.unjudged("analyzer_failure");
        };
        for cause in causes(&step.signals) {
            self.exchange.cause(cause.outcome, cause.by);
        }
        for (field, bytes) in step.released {
            let bytes = self.gate.judged(&field, bytes);
            self.release(&field, bytes);
        }
        for redaction in step.redactions {
            self.held.redact(&redaction.field, redaction.range);
        }
        if let Some(cut) = step.cut {
            let cause = Cause { outcome: Outcome::Blocked, by: cut.by };
            return ControlFlow::Break(End::Cut { cause, at: Some((cut.field, cut.match_start)) });
        }
        for missing in step.not_evaluated {
            if missing.reason == "budget" {
                self.unjudged("budget")?;
            } else {
                self.exchange.not_evaluated(&missing.reason, &missing.field);
            }
        }
        ControlFlow::Continue(())
    }

    /// The Responses API repeats whole texts in its closing events. A repeat that says something
    /// else than the pieces did is text of its own.
    fn own_repeats(&mut self, mut deltas: Vec<Delta>) -> Vec<Delta> {
        if self.exchange.record.endpoint != Endpoint::Responses {
            return deltas;
        }
        for delta in &mut deltas {
            if !delta.repeat {
                self.heard.entry(delta.field.clone()).or_default().update(delta.text.as_bytes());
                continue;
            }
            let heard = self.heard.get(&delta.field).map(|hasher| hasher.clone().finalize());
            if heard != Some(Sha256::digest(delta.text.as_bytes())) {
                self.repeats += 1;
                delta.field = format!("{}#repeat{}", delta.field, self.repeats);
                delta.repeat = false;
            }
        }
        deltas
    }

    /// Adds to every piece of tool arguments what it says once its escapes are resolved.
    fn with_unescaped(&mut self, deltas: Vec<Delta>) -> Vec<Delta> {
        let mut all = Vec::with_capacity(deltas.len());
        for delta in deltas {
            let unescaped = (delta.part == "tool_arguments" && !delta.repeat).then(|| Delta {
                field: format!("{}{UNESCAPED}", delta.field),
                pointer: format!("{}{UNESCAPED}", delta.pointer),
                text: self.unescapers.entry(delta.field.clone()).or_default().push(&delta.text),
                ..delta.clone()
            });
            all.push(delta);
            all.extend(unescaped);
        }
        all
    }

    /// Looks at the tools the model has begun to call, as soon as their names are there.
    fn note_tool_calls(&mut self) -> ControlFlow<End> {
        let fresh: Vec<String> = self
            .reader
            .tool_names()
            .filter(|name| !self.tools_noted.contains(*name))
            .map(str::to_owned)
            .collect();
        for name in fresh {
            if let Some(cause) = self.exchange.tool_forbidden(&name) {
                return ControlFlow::Break(End::Cut { cause, at: None });
            }
            self.inspect(|inspection| inspection.tool_call(&name))?;
            self.tools_noted.insert(name);
        }
        ControlFlow::Continue(())
    }

    /// A judgement that could not be made: cut where the application or a rule fails closed, else pass the
    /// rest unjudged.
    fn unjudged(&mut self, reason: &str) -> ControlFlow<End> {
        self.exchange.not_evaluated(reason, "");
        let closed = self.exchange.application.as_ref().is_none_or(|application| {
            let rules = &self.exchange.active.rules;
            rules.fails_closed(Direction::Output, application.config.fail)
        });
        if closed {
            let cause = Cause { outcome: Outcome::Blocked, by: format!("fail_closed:{reason}") };
            return ControlFlow::Break(End::Cut { cause, at: None });
        }
        if reason == "analyzer_failure" {
            self.gate.open();
            self.held.release_all();
        }
        ControlFlow::Continue(())
    }

    fn unreadable(&mut self, error: &quell_wire::WireError) -> ControlFlow<End> {
        tracing::warn!(interaction.id = %self.exchange.record.id, %error, "unreadable stream");
        self.exchange.not_evaluated("unparseable", "");
        ControlFlow::Break(upstream_broken("the model provider sent a malformed stream"))
    }

    fn upstream_ended(&self) -> End {
        if self.inspection.is_none() || self.reader.is_done() {
            return End::Done;
        }
        upstream_broken("the model provider ended the stream before its end event")
    }

    /// What a newer table says about this running stream.
    fn forbidden(&self) -> Option<Cause> {
        let newest = self.exchange.shared.active()?;
        let now = self.exchange.shared.clock.now();
        let record = &self.exchange.record;
        let subject = self.exchange.subject();
        newest.table.forbids_running(&subject, self.exchange.active.epoch, now).or_else(|| {
            let upstream = record.upstream.as_deref()?;
            newest.table.upstream_forbidden(&record.application, upstream, now)
        })
    }

    /// Passes bytes on. A client that does not read waits here, and meets everything that ends a
    /// stream here, too.
    async fn send(&mut self, ready: Bytes) -> ControlFlow<End> {
        if ready.is_empty() {
            return ControlFlow::Continue(());
        }
        self.note_first_byte();
        self.keep_alive = tokio::time::Instant::now() + self.exchange.shared.options.keep_alive;
        let client = self.client.clone();
        tokio::select! {
            biased;
            sent = client.send(ready) => match sent {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(End::ClientGone),
            },
            end = self.interrupted() => ControlFlow::Break(end),
        }
    }

    /// Resolves when something other than the provider ends the stream.
    async fn interrupted(&mut self) -> End {
        let (client, stopping) = (self.client.clone(), self.exchange.shared.cut_streams.clone());
        loop {
            tokio::select! {
                biased;
                changed = self.epochs.changed() => {
                    if let Some(cause) = self.forbidden().filter(|_| changed.is_ok()) {
                        return End::Cut { cause, at: None };
                    }
                }
                () = client.closed() => return End::ClientGone,
                () = stopping.cancelled() => {
                    let message = "the gateway is stopping; try again";
                    let refusal = Refusal::new(RefusalReason::Unavailable, message);
                    return End::Broken { by: "gateway_stop", refusal };
                }
                () = tokio::time::sleep_until(self.deadline) => {
                    return limit("exchange_seconds", "this stream ran longer than this application allows");
                }
            }
        }
    }

    fn note_first_byte(&mut self) {
        let elapsed = self.exchange.shared.clock.ticks().saturating_sub(self.exchange.started);
        self.exchange.record.timing.first_byte_us.get_or_insert(elapsed.as_micros() as u64);
    }
}

fn causes(signals: &[Signal]) -> Vec<Cause> {
    Findings { signals: signals.to_vec(), ..Findings::default() }.causes()
}

fn inspection(exchange: &Exchange) -> StreamInspection {
    let system_text = exchange.request.as_ref().map(quell_wire::system_text).unwrap_or_default();
    let canaries = exchange.application.as_ref().map_or(&[][..], |a| &a.config.canaries);
    let context = Context {
        application: &exchange.record.application,
        endpoint: exchange.record.endpoint,
        model: exchange.record.model_asked.as_deref(),
        principal: &exchange.record.principal,
        system_text: &system_text,
        canaries,
        tools_offered: &exchange.record.tools_offered,
        review: quell_detection::Review::default(),
        stream: true,
        parameters: &exchange.record.parameters,
    };
    let mut inspection = exchange.active.rules.stream(
        &context,
        exchange.patterns(Direction::Output),
        exchange.budget.clone(),
        exchange.record.id,
        &exchange.request_facts,
    );
    let mode = exchange.application.as_ref().map(|application| application.config.stream.mode);
    if mode.is_some_and(|mode| mode != StreamMode::Live) {
        inspection.keep_back();
    }
    inspection
}

fn deadline(seconds: u32) -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(seconds.into())
}

fn limit(name: &'static str, message: &str) -> End {
    let by = match name {
        "exchange_seconds" => "limit:exchange_seconds",
        _ => "limit:response_bytes",
    };
    End::Broken { by, refusal: Refusal::new(RefusalReason::Upstream, message) }
}

fn upstream_broken(message: &str) -> End {
    End::Broken { by: "upstream", refusal: Refusal::new(RefusalReason::Upstream, message) }
}
