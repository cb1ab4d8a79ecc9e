//! One request, phase by phase:
//!
//! identify → limit → admit → inspect request → forward → inspect response → settle → record
//!
//! Each phase continues or stops the exchange. A stop is a reply; whatever stops it, the exchange
//! is settled and recorded before its last byte leaves. Streams go through the same phases, the
//! last three in [`crate::stream`] while the bytes pass.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use quell_detection::{Budget, Context, Decision, Findings, PatternSet, Redaction, Review};
use quell_domain::InteractionId;
use quell_domain::application::{ProviderState, RecordPolicy};
use quell_domain::interaction::{
    Cause, Endpoint, INTERACTION_SCHEMA, Interaction, NotEvaluated, Outcome, TextField,
};
use quell_domain::principal::Principal;
use quell_domain::rule::Direction;
use quell_response::{Subject, Treatment};
use quell_wire::{ParsedRequest, Refusal, RefusalReason, WireReply};
use tokio::runtime::RuntimeFlavor;
use tokio::sync::OwnedSemaphorePermit;

use crate::active::{Active, ActiveApplication};
use crate::body::ReplyBody;
use crate::forward::{self, Forwarded};
use crate::identify;
use crate::models::ShadowRequest;
use crate::probe::ProbeContext;
use crate::shared::{InFlight, Shared};
use crate::spend::room::Room;
use crate::{fallback, limit, record, reply, stream};

/// Everything known about one request while it runs.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub shared: Arc<Shared>,
    pub active: Arc<Active>,
    pub application: Option<Arc<ActiveApplication>>,
    /// The record as it grows.
    pub record: Interaction,
    /// Ticks at the request's first byte.
    pub started: Duration,
    /// The request, once parsed.
    pub request: Option<ParsedRequest>,
    /// Facts found in the request, for rules that look at both sides.
    pub request_facts: Vec<String>,
    pub pass_through: bool,
    /// Set when this is the gateway probing itself.
    pub probe: Option<ProbeContext>,
    pub budget: Budget,
    /// Room held in the budgets of whoever asks.
    pub room: Option<Room>,
    /// Whether the body to be sent is not the one received, for a reason that is no cause.
    pub altered: bool,
    /// Held until the exchange is recorded.
    slots: Vec<OwnedSemaphorePermit>,
    _in_flight: InFlight,
}

/// A phase ended the exchange.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Refused, in the wire format's own error shape.
    Refused(Refusal),
    /// Answered without the model.
    Answered(WireReply),
}

/// Serves one request to its end, or to the start of its stream.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<ReplyBody> {
    let active = shared.active();
    #[cfg(feature = "fault-injection")]
    let active = crate::faults::table(&shared, active);
    let Some(active) = active else {
        let endpoint = endpoint_guess(request.uri().path());
        limit::discard(request.into_body()).await;
        return reply::refuse(
            endpoint,
            &Refusal::new(
                RefusalReason::Unavailable,
                "this gateway has no configuration yet; start the control process it is paired with",
            ),
        );
    };
    let mut exchange = Exchange::begin(shared, active, &request);
    let stop = match exchange.run(request, peer).await {
        Ok(delivery) => match exchange.deliver(delivery).await {
            Delivered::Reply(response) => return response,
            Delivered::Streaming(upstream) => return stream::start(exchange, upstream),
            Delivered::Stopped(stop) => stop,
        },
        Err(stop) => stop,
    };
    exchange.end(stop).await
}

/// What comes out of the last phase before delivery.
enum Delivery {
    /// A whole response, inspected.
    Whole(Box<forward::WholeResponse>),
    /// A stream that has begun.
    Stream(Forwarded),
}

enum Delivered {
    Reply(Response<ReplyBody>),
    Streaming(Forwarded),
    Stopped(Stop),
}

impl Exchange {
    fn begin(shared: Arc<Shared>, active: Arc<Active>, request: &Request<Incoming>) -> Self {
        let id = InteractionId::new(&*shared.ids);
        let record = Interaction {
            schema: INTERACTION_SCHEMA,
            id,
            gateway: shared.name.clone(),
            application: String::new(),
            endpoint: Endpoint::Forwarded,
            path: request.uri().path().chars().take(512).collect(),
            stream: false,
            started_at: shared.clock.now(),
            timing: quell_domain::interaction::Timing::default(),
            principal: Principal::default(),
            model_asked: None,
            model_served: None,
            upstream: None,
            status: 0,
            outcome: Outcome::Allowed,
            causes: Vec::new(),
            not_evaluated: Vec::new(),
            signals: Vec::new(),
            cut: None,
            request: Vec::new(),
            response: Vec::new(),
            request_chars: 0,
            response_chars: 0,
            tools_offered: Vec::new(),
            tool_calls: Vec::new(),
            finish_reasons: Vec::new(),
            usage: quell_domain::interaction::Usage::default(),
            parameters: serde_json::Map::new(),
            logprobs: None,
            provider_request_id: None,
            provider_fingerprint: None,
            response_id: None,
            documents: Vec::new(),
            traceparent: None,
            epoch: active.epoch,
            digests: quell_domain::interaction::Digests {
                rules: Some(active.rules.digest().to_owned()),
                model: active.rules.classifier().map(|model| model.sha256().to_owned()),
                config: Some(active.hash.clone()),
                ..Default::default()
            },
        };
        Self {
            started: shared.clock.ticks(),
            active,
            application: None,
            record,
            request: None,
            request_facts: Vec::new(),
            pass_through: false,
            probe: None,
            budget: Budget::new(0),
            room: None,
            altered: false,
            slots: Vec::new(),
            _in_flight: InFlight::new(Arc::clone(&shared)),
            shared,
        }
    }

    /// The phases, in order.
    async fn run(
        &mut self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Delivery, Stop> {
        let (mut parts, body) = request.into_parts();
        if let Err(stop) = self.identify(&mut parts, peer) {
            limit::discard(body).await;
            return Err(stop);
        }
        let body = self.limit(&parts, body).await?;
        self.take_newest_table()?;
        let treatment = self.admit(&parts, &body)?;
        self.inspect_request()?;
        self.degrade(&treatment)?;
        if let Some(answer) = fallback::answer(self, &treatment).await {
            return Err(Stop::Answered(answer));
        }
        self.obey_newer_table()?;
        self.set_aside()?;
        let mut forwarded = forward::forward(self, &parts, body).await?;
        if forwarded.is_stream() {
            return Ok(Delivery::Stream(forwarded));
        }
        let mut whole = forwarded.collect(self).await?;
        self.obey_newer_table()?;
        self.inspect_response(&mut whole)?;
        Ok(Delivery::Whole(Box::new(whole)))
    }

    // --- identify

    fn identify(&mut self, parts: &mut Parts, peer: SocketAddr) -> Result<(), Stop> {
        self.record.endpoint = endpoint_guess(parts.uri.path());
        self.probe = self.shared.probes.take(&mut parts.headers);
        let options = &self.shared.options;
        let identity = match &self.probe {
            Some(probe) => probe.identity(&self.active, parts.uri.path()),
            None => identify::identify(
                &self.active,
                parts.uri.path(),
                &parts.headers,
                peer,
                &options.trusted_proxies,
                self.record.started_at,
            ),
        }
        .map_err(|unidentified| refused(unidentified.reason, unidentified.message))?;
        self.record.application.clone_from(&identity.application.config.name);
        self.record.principal = identity.principal;
        self.record.path = identity.path;
        self.record.traceparent = header(&parts.headers, "traceparent");
        self.pass_through = identity.pass_through;
        self.application = Some(identity.application);
        Ok(())
    }

    // --- limit

    async fn limit(&mut self, parts: &Parts, body: Incoming) -> Result<Bytes, Stop> {
        let application = self.application()?;
        self.budget = Budget::new(application.config.limits.work_bytes);
        if self.probe.is_none() {
            match limit::take_slots(&self.shared, &application) {
                Ok(slots) => self.slots = slots,
                Err(refusal) => {
                    limit::discard(body).await;
                    return Err(self.limited("concurrent", refusal));
                }
            }
        }
        let body = limit::read_body(&parts.headers, body, &application.config.limits).await;
        body.map_err(|(name, refusal)| self.limited(name, refusal))
    }

    fn limited(&mut self, name: &str, refusal: Refusal) -> Stop {
        self.cause(Outcome::Blocked, format!("limit:{name}"));
        Stop::Refused(refusal)
    }

    /// A body may take its time: what is in force is what the newest table says once it is here.
    fn take_newest_table(&mut self) -> Result<(), Stop> {
        let newest = self.shared.active().filter(|newest| newest.epoch > self.active.epoch);
        let Some(newest) = newest.filter(|_| self.probe.is_none()) else { return Ok(()) };
        let application = newest.application(&self.record.application).cloned();
        let key_lives = self.record.principal.key.is_none_or(|key| newest.has_key(key));
        self.application = Some(application.filter(|_| key_lives).ok_or_else(|| {
            refused(RefusalReason::Unauthorized, "this key or application has just been withdrawn")
        })?);
        self.record.epoch = newest.epoch;
        self.record.digests.config = Some(newest.hash.clone());
        self.record.digests.rules = Some(newest.rules.digest().to_owned());
        self.record.digests.model =
            newest.rules.classifier().map(|model| model.sha256().to_owned());
        self.active = newest;
        Ok(())
    }

    // --- admit

    fn admit(&mut self, parts: &Parts, body: &Bytes) -> Result<Treatment, Stop> {
        let application = self.application()?;
        self.record.digests.request_received = Some(quell_domain::canonical::sha256_hex(body));
        self.record.endpoint = quell_wire::endpoint_for(parts.method.as_str(), &self.record.path)
            .or_else(|| forwarded_surface(&application, &self.record.path))
            .ok_or_else(|| {
                self.cause(Outcome::Blocked, "refused:unknown_path".into());
                refused(
                    RefusalReason::NotFound,
                    "this path is not served here; the operator can forward it with `forward_paths`",
                )
            })?;
        self.parse(body)?;
        let treatment = self.treat(&self.active);
        self.causes(&treatment.causes);
        if treatment.shutdown.is_some() {
            return Err(self.refuse_contained(RefusalReason::ShutDown));
        }
        if treatment.fallback.is_none() && treatment.restrict.is_some() {
            return Err(self.refuse_contained(RefusalReason::Blocked));
        }
        Ok(treatment)
    }

    /// Takes away what a degradation or a blocked tool takes, once everything the client sent has
    /// been judged and noted as it came.
    fn degrade(&mut self, treatment: &Treatment) -> Result<(), Stop> {
        let application = self.application()?;
        if let Some(request) = self.request.as_mut() {
            if !treatment.blocked_tools.is_empty() {
                quell_wire::remove_tools(request, &treatment.blocked_tools);
            }
            if let Some(limits) = &treatment.degrade {
                quell_wire::degrade(request, limits, &application.config.strict_preamble);
            }
        }
        Ok(())
    }

    fn parse(&mut self, body: &Bytes) -> Result<(), Stop> {
        if matches!(self.record.endpoint, Endpoint::Models | Endpoint::Forwarded) {
            if self.record.endpoint == Endpoint::Forwarded {
                self.not_evaluated("unsupported_surface", "");
            }
            return Ok(());
        }
        let request = quell_wire::parse_request(self.record.endpoint, body).map_err(|error| {
            self.cause(Outcome::Blocked, "refused:unreadable".into());
            refused(RefusalReason::InvalidRequest, error.to_string())
        })?;
        identify::identify_from_body(&mut self.record.principal, &request);
        record::note_request(&mut self.record, &request);
        let hidden: Vec<_> = request.hidden_state().cloned().collect();
        let sealed = request.not_evaluated.iter().any(|missing| missing.reason == "token_ids");
        self.request = Some(request);
        if sealed {
            // Text in another alphabet: nothing here can read it.
            self.unjudged("token_ids", Direction::Input)?;
        }
        hidden.iter().try_for_each(|state| self.provider_state(state))
    }

    /// Text that sits with the provider: known here, refused, or forwarded as not evaluated.
    fn provider_state(&mut self, state: &quell_wire::ProviderStateUse) -> Result<(), Stop> {
        let application = self.application()?;
        if self.shared.known_responses.contains(&application.config.name, &state.id) {
            return Ok(());
        }
        match application.config.provider_state {
            ProviderState::Forward => {
                self.not_evaluated("provider_state", &state.pointer);
                Ok(())
            }
            ProviderState::Refuse => {
                self.cause(Outcome::Blocked, "fail_closed:provider_state".into());
                Err(refused(
                    RefusalReason::InvalidRequest,
                    format!(
                        "{} refers to content held by the provider that this gateway has not seen; \
                         send the content itself, or ask the operator to set provider_state = \"forward\"",
                        state.pointer
                    ),
                ))
            }
        }
    }

    /// What `active` says about this exchange.
    pub(crate) fn treat(&self, active: &Active) -> Treatment {
        let treatment = active.table.treatment(&self.subject(), self.shared.clock.now());
        #[cfg(feature = "fault-injection")]
        let treatment = crate::faults::treatment(self, treatment);
        treatment
    }

    /// Patterns of the application's measures.
    #[cfg_attr(not(feature = "fault-injection"), expect(unused_variables, reason = "for faults"))]
    pub(crate) fn patterns(&self, direction: Direction) -> Arc<PatternSet> {
        #[cfg(feature = "fault-injection")]
        if crate::faults::hides_patterns(self, direction) {
            return Arc::new(PatternSet::empty());
        }
        self.active.patterns(&self.record.application, self.shared.clock.now())
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            application: &self.record.application,
            principal: &self.record.principal,
            model: self.record.model_asked.as_deref(),
            tools: &self.record.tools_offered,
        }
    }

    // --- inspect request

    fn inspect_request(&mut self) -> Result<(), Stop> {
        let Some(request) = self.request.take() else { return Ok(()) };
        let findings = self.judge(
            Direction::Input,
            |exchange, context, budget| {
                let patterns = exchange.patterns(Direction::Input);
                let id = exchange.record.id;
                exchange.active.rules.inspect_request(
                    context,
                    &patterns,
                    &request.fields,
                    budget,
                    id,
                    Some(&exchange.shared.fields),
                )
            },
            &request,
        );
        self.request = Some(request);
        let findings = findings?;
        self.offer_to_shadow(&findings);
        self.request_facts.clone_from(&findings.facts);
        let redactions = self.weigh(findings, Direction::Input)?;
        let Some(request) = self.request.as_mut() else { return Ok(()) };
        let mut fields = reply::by_field(redactions).into_iter();
        if fields.all(|(pointer, ranges)| {
            quell_wire::redact_field(&mut request.body, &pointer, &ranges, reply::REDACTED)
        }) {
            return Ok(());
        }
        Err(self.not_redactable())
    }

    /// Lets a classifier in shadow judge the request, off the hot path.
    fn offer_to_shadow(&self, findings: &Findings) {
        let Some(shadow) = self.active.shadow.as_ref().filter(|_| self.probe.is_none()) else {
            return;
        };
        let Some(request) = &self.request else { return };
        let Some(application) = &self.application else { return };
        shadow.offer(findings, || ShadowRequest {
            application: self.record.application.clone(),
            endpoint: self.record.endpoint,
            principal: self.record.principal.clone(),
            system_text: quell_wire::system_text(request),
            fields: request.fields.clone(),
            interaction: self.record.id,
            work_bytes: application.config.limits.work_bytes,
        });
    }

    /// What must not pass and cannot be replaced is refused.
    fn not_redactable(&mut self) -> Stop {
        self.cause(Outcome::Blocked, "fail_closed:not_redactable".into());
        self.refuse_contained(RefusalReason::Blocked)
    }

    // --- inspect response

    fn inspect_response(&mut self, whole: &mut forward::WholeResponse) -> Result<(), Stop> {
        record::note_response(&mut self.record, &whole.parsed);
        if let Some(cause) = self.forbidden_call() {
            self.cause(Outcome::Blocked, cause.by);
            return Err(self.refuse_contained(RefusalReason::Blocked));
        }
        let redactions = self.judge_response(&whole.parsed.fields)?;
        if reply::by_field(redactions).iter().all(|(pointer, ranges)| whole.redact(pointer, ranges))
        {
            return Ok(());
        }
        Err(self.not_redactable())
    }

    /// Judges the texts of a whole response. Returns what must be redacted in it.
    pub(crate) fn judge_response(&mut self, fields: &[TextField]) -> Result<Vec<Redaction>, Stop> {
        let Some(request) = self.request.take() else { return Ok(Vec::new()) };
        let findings = self.judge(
            Direction::Output,
            |exchange, context, budget| {
                let patterns = exchange.patterns(Direction::Output);
                exchange.active.rules.inspect_response(
                    context,
                    &patterns,
                    fields,
                    budget,
                    exchange.record.id,
                    &exchange.request_facts,
                )
            },
            &request,
        );
        self.request = Some(request);
        self.weigh(findings?, Direction::Output)
    }

    /// Why one of the tools the model has called must not be called, though it was not offered.
    fn forbidden_call(&self) -> Option<Cause> {
        self.record.tool_calls.iter().find_map(|call| self.tool_forbidden(&call.name))
    }

    /// Why a call of `tool` must not pass.
    pub(crate) fn tool_forbidden(&self, tool: &str) -> Option<Cause> {
        let now = self.shared.clock.now();
        let newest = self.shared.active()?;
        newest.table.tool_forbidden(&self.record.application, tool, now)
    }

    /// Runs an analysis; a panic inside it is a judgement that could not be made.
    fn judge(
        &mut self,
        direction: Direction,
        analyse: impl FnOnce(&Self, &Context<'_>, &mut Budget) -> Findings,
        request: &ParsedRequest,
    ) -> Result<Findings, Stop> {
        let mut budget = std::mem::replace(&mut self.budget, Budget::new(0));
        let application = self.application()?;
        let system_text = quell_wire::system_text(request);
        let schemas = match direction {
            Direction::Input => Vec::new(),
            Direction::Output => quell_wire::tool_schemas(request),
        };
        let findings = catch_unwind(AssertUnwindSafe(|| {
            let context = Context {
                application: &self.record.application,
                endpoint: self.record.endpoint,
                model: self.record.model_asked.as_deref(),
                principal: &self.record.principal,
                system_text: &system_text,
                canaries: &application.config.canaries,
                tools_offered: &self.record.tools_offered,
                review: match direction {
                    Direction::Input => Review::default(),
                    Direction::Output => Review {
                        request: &request.fields,
                        schemas: &schemas,
                        destinations: &application.config.tool_destinations,
                        calls: &self.record.tool_calls,
                        logprobs: self.record.logprobs.as_ref(),
                    },
                },
                stream: self.record.stream,
                parameters: &self.record.parameters,
            };
            self.on_this_thread(|| analyse(self, &context, &mut budget))
        }));
        self.budget = budget;
        if let Ok(findings) = findings {
            return Ok(findings);
        }
        tracing::error!(interaction.id = %self.record.id, "an analyzer panicked");
        self.unjudged("analyzer_failure", direction)?;
        Ok(Findings::default())
    }

    /// Runs `work` here. Where a second opinion may take its time, the runtime is told.
    fn on_this_thread<T>(&self, work: impl FnOnce() -> T) -> T {
        let runtime = tokio::runtime::Handle::current().runtime_flavor();
        if self.active.rules.second().is_some() && runtime == RuntimeFlavor::MultiThread {
            return tokio::task::block_in_place(work);
        }
        work()
    }

    /// Takes findings into the record and decides. Returns what must be redacted.
    fn weigh(&mut self, findings: Findings, direction: Direction) -> Result<Vec<Redaction>, Stop> {
        for missing in &findings.not_evaluated {
            if missing.reason == "budget" {
                self.unjudged("budget", direction)?;
            } else {
                self.not_evaluated(&missing.reason, &missing.field);
            }
        }
        self.causes(&findings.causes());
        let decision = findings.decision();
        self.record.signals.extend(findings.signals);
        match decision {
            Decision::Continue | Decision::WouldBlock => Ok(Vec::new()),
            Decision::Redact => Ok(findings.redactions),
            Decision::Block(_) => Err(self.refuse_contained(RefusalReason::Blocked)),
        }
    }

    /// A judgement that could not be made: recorded, and refused where the application, or a rule
    /// with a choice of its own, fails closed.
    pub(crate) fn unjudged(&mut self, reason: &str, direction: Direction) -> Result<(), Stop> {
        self.not_evaluated(reason, "");
        let default = self.application()?.config.fail;
        if !self.active.rules.fails_closed(direction, default) {
            return Ok(());
        }
        self.cause(Outcome::Blocked, format!("fail_closed:{reason}"));
        Err(self.refuse_contained(RefusalReason::Blocked))
    }

    /// A request that was running while a newer table came into force obeys it too.
    fn obey_newer_table(&mut self) -> Result<(), Stop> {
        let Some(newest) = self.shared.active().filter(|newest| newest.epoch > self.active.epoch)
        else {
            return Ok(());
        };
        let treatment = self.treat(&newest);
        if treatment.shutdown.is_some() {
            self.causes(&treatment.causes);
            return Err(self.refuse_contained(RefusalReason::ShutDown));
        }
        let upstream = self.record.upstream.as_deref().and_then(|upstream| {
            let now = self.shared.clock.now();
            newest.table.upstream_forbidden(&self.record.application, upstream, now)
        });
        if let Some(cause) = upstream {
            self.cause(Outcome::Blocked, cause.by);
            return Err(self.refuse_contained(RefusalReason::Blocked));
        }
        if treatment.restrict.is_some() || treatment.fallback.is_some() {
            self.cause(
                Outcome::Blocked,
                treatment.causes.first().map_or_else(String::new, |cause| cause.by.clone()),
            );
            return Err(self.refuse_contained(RefusalReason::Blocked));
        }
        Ok(())
    }

    // --- settle, record

    async fn deliver(&mut self, delivery: Delivery) -> Delivered {
        match delivery {
            Delivery::Stream(upstream) => Delivered::Streaming(upstream),
            Delivery::Whole(whole) => {
                let (status, headers, body) = whole.into_parts(&mut self.record);
                match self.settle(status).await {
                    Ok(()) => Delivered::Reply(reply::whole(status, &headers, body, self)),
                    Err(stop) => Delivered::Stopped(stop),
                }
            }
        }
    }

    /// Ends a stopped exchange: settles and records it, then answers.
    async fn end(mut self, stop: Stop) -> Response<ReplyBody> {
        let wire = match stop {
            Stop::Refused(refusal) => quell_wire::refuse(self.record.endpoint, &refusal),
            Stop::Answered(answer) => answer,
        };
        if self.application.is_some()
            && let Err(Stop::Refused(refusal)) = self.settle(wire.status).await
        {
            let wire = quell_wire::refuse(self.record.endpoint, &refusal);
            return reply::wire(wire, &self);
        }
        reply::wire(wire, &self)
    }

    /// Fixes outcome and times, then waits until the record is with the kernel.
    pub(crate) async fn settle(&mut self, status: u16) -> Result<(), Stop> {
        record::settle(
            &mut self.record,
            status,
            self.shared.clock.ticks().saturating_sub(self.started),
        );
        if let Some(probe) = &self.probe {
            probe.settle(&self.record);
            return Ok(());
        }
        let Some(application) = self.application.clone() else { return Ok(()) };
        self.shared.known_responses.remember(&self.record);
        let spent = self.room.take().map(|room| room.spend(&self.record, &application.config));
        let appended = record::append(&self.shared, &application.config, &mut self.record).await;
        if let Some(spent) = spent {
            spent.settle(appended.ok());
        }
        if appended.is_err() && application.config.record == RecordPolicy::Required {
            return Err(refused(
                RefusalReason::Unavailable,
                "this exchange could not be recorded, and the application requires it; try again later",
            ));
        }
        Ok(())
    }

    // --- small things

    pub(crate) fn application(&self) -> Result<Arc<ActiveApplication>, Stop> {
        self.application
            .clone()
            .ok_or_else(|| refused(RefusalReason::NotFound, "no application was identified"))
    }

    pub(crate) fn cause(&mut self, outcome: Outcome, by: String) {
        let cause = Cause { outcome, by };
        if !self.record.causes.contains(&cause) {
            self.record.causes.push(cause);
        }
    }

    fn causes(&mut self, causes: &[Cause]) {
        for cause in causes {
            self.cause(cause.outcome, cause.by.clone());
        }
    }

    pub(crate) fn not_evaluated(&mut self, reason: &str, field: &str) {
        let missing = NotEvaluated { reason: reason.to_owned(), field: field.to_owned() };
        if self.record.not_evaluated.len() < record::NOT_EVALUATED_MAX
            && !self.record.not_evaluated.contains(&missing)
        {
            self.record.not_evaluated.push(missing);
        }
    }

    /// A refusal that says whom to contact and carries a reference, never which rule matched.
    pub(crate) fn refuse_contained(&self, reason: RefusalReason) -> Stop {
        Stop::Refused(self.contained_refusal(reason))
    }

    /// The refusal of [`Exchange::refuse_contained`].
    pub(crate) fn contained_refusal(&self, reason: RefusalReason) -> Refusal {
        let contact = self.application.as_ref().map_or("the operator", |app| &app.config.contact);
        let what = match reason {
            RefusalReason::ShutDown => "This application is offline",
            _ => "This request was stopped by a safety control",
        };
        Refusal::new(reason, format!("{what}. Reference: {}. Contact: {contact}.", self.record.id))
    }
}

/// A refusal with a plain message.
pub(crate) fn refused(reason: RefusalReason, message: impl Into<String>) -> Stop {
    Stop::Refused(Refusal::new(reason, message))
}

/// The error shape for a path before it is known to be served.
fn endpoint_guess(path: &str) -> Endpoint {
    if path.contains("/v1/messages") {
        Endpoint::Messages
    } else if path.contains("/v1/responses") {
        Endpoint::Responses
    } else {
        Endpoint::ChatCompletions
    }
}

/// A path the operator forwards. Dot segments and escapes never are: an upstream that resolves
/// them would serve an inspected surface uninspected.
fn forwarded_surface(application: &ActiveApplication, path: &str) -> Option<Endpoint> {
    let normal = path.to_ascii_lowercase();
    let normal = normal.trim_end_matches('/');
    let mut methods = ["GET", "POST"].into_iter();
    if methods.any(|method| quell_wire::endpoint_for(method, normal).is_some()) {
        return None;
    }
    if path.contains("..") || path.contains("//") || path.contains(['%', '\\', ';']) {
        return None;
    }
    let prefixes = &application.config.forward_paths;
    let forwards = |prefix: &String| {
        path.strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
    };
    prefixes.iter().any(forwards).then_some(Endpoint::Forwarded)
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 256).then(|| value.to_owned())
}
