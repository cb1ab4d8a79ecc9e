//! Sends a plan over real sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http_body_util::BodyExt as _;
use quell_domain::clock::SharedClock;
use quell_outbound::{OutboundError, UpstreamClient, UpstreamOptions, with_idle_timeout};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::reading::{self, Judgement, MAX_ANSWER_BYTES, Received};
use super::report::{CampaignReport, Sent};
use super::{CampaignTarget, Step, StepResult, Treatment, request};

const HEADER_TIME: Duration = Duration::from_secs(20);
const IDLE_TIME: Duration = Duration::from_secs(20);
const MAX_STEPS: usize = 100_000;
const MAX_CONCURRENCY: usize = 512;

/// Why a campaign did not run.
#[derive(Debug, Error)]
pub enum CampaignError {
    /// The HTTP client could not be set up.
    #[error("campaign: the HTTP client could not be set up")]
    Client(#[from] OutboundError),
    /// The target's address, prefix or a key cannot be part of a request.
    #[error("campaign: the target's address, prefix or a key is not valid in an HTTP request")]
    Target(#[from] http::Error),
    /// The plan is too long.
    #[error("campaign: a plan of {0} steps is too long; at most {MAX_STEPS} are allowed")]
    TooLong(usize),
}

/// One step just done.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Steps done so far, this one included.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// The step.
    pub step: &'a Step,
    /// What became of it.
    pub result: &'a StepResult,
}

/// Sends every step at its time, those of one session one after the other, and tells `progress`
/// of each. Steps wait when `target.concurrency` requests are under way.
pub async fn run(
    plan: &[Step],
    target: &CampaignTarget,
    clock: &SharedClock,
    progress: &(dyn Fn(Progress<'_>) + Send + Sync),
) -> Result<CampaignReport, CampaignError> {
    if plan.len() > MAX_STEPS {
        return Err(CampaignError::TooLong(plan.len()));
    }
    if let Some(step) = plan.first() {
        request::build(step, target)?;
    }
    let sender = Sender {
        client: UpstreamClient::new(&UpstreamOptions::default())?,
        target,
        clock,
        slots: Arc::new(Semaphore::new(target.concurrency.clamp(1, MAX_CONCURRENCY))),
        start: Instant::now(),
        done: AtomicUsize::new(0),
        total: plan.len(),
        progress,
    };
    let started_at = clock.now();
    let mut sessions: BTreeMap<&str, Vec<(usize, &Step)>> = BTreeMap::new();
    for (index, step) in plan.iter().enumerate() {
        sessions.entry(&step.actor.session).or_default().push((index, step));
    }
    let mut running: FuturesUnordered<_> =
        sessions.into_values().map(|steps| Box::pin(sender.session(steps))).collect();
    let mut sent = Vec::with_capacity(plan.len());
    while let Some(session) = running.next().await {
        sent.extend(session?);
    }
    sent.sort_by_key(|(index, _)| *index);
    let sent: Vec<_> = sent.into_iter().map(|(_, sent)| sent).collect();
    let mut report = CampaignReport::sum_up(&sent);
    report.started_at = Some(started_at);
    report.ended_at = Some(clock.now());
    Ok(report)
}

struct Sender<'a> {
    client: UpstreamClient,
    target: &'a CampaignTarget,
    clock: &'a SharedClock,
    slots: Arc<Semaphore>,
    start: Instant,
    done: AtomicUsize,
    total: usize,
    progress: &'a (dyn Fn(Progress<'_>) + Send + Sync),
}

impl Sender<'_> {
    async fn session<'p>(
        &self,
        steps: Vec<(usize, &'p Step)>,
    ) -> Result<Vec<(usize, Sent<'p>)>, CampaignError> {
        let mut sent = Vec::with_capacity(steps.len());
        for (index, step) in steps {
            tokio::time::sleep_until(self.start + Duration::from_millis(step.at_ms)).await;
            // The semaphore is never closed; without a slot the step would only go out early.
            let _slot = self.slots.acquire().await.ok();
            let began_at = self.clock.now();
            let result = self.send(step).await?;
            let ended_at = self.clock.now();
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.progress)(Progress { done, total: self.total, step, result: &result });
            sent.push((index, Sent { step, result, began_at, ended_at }));
        }
        Ok(sent)
    }

    async fn send(&self, step: &Step) -> Result<StepResult, http::Error> {
        let request = request::build(step, self.target)?;
        let ticks = self.clock.ticks();
        let received = match self.client.send(request, HEADER_TIME).await {
            Ok(response) => Some(receive(response).await),
            Err(error) => {
                tracing::debug!(%error, "campaign request failed");
                None
            }
        };
        let micros = self.clock.ticks().saturating_sub(ticks).as_micros() as u64;
        let judgement = match &received {
            Some(received) => reading::judge(step, received, &self.target.secrets),
            None => Judgement::nothing(Treatment::Failed),
        };
        let interaction = received
            .as_ref()
            .and_then(|received| received.headers.get("x-quell-interaction"))
            .and_then(|value| value.to_str().ok());
        Ok(StepResult {
            treatment: judgement.treatment,
            status: received.as_ref().map(|received| received.status.as_u16()),
            interaction: interaction.map(ToOwned::to_owned),
            unsafe_arrived: judgement.unsafe_arrived,
            secret_arrived: judgement.secret_arrived,
            characters: judgement.characters,
            micros,
        })
    }
}

/// Reads as much of the body as comes, up to the limit.
async fn receive(response: http::Response<hyper::body::Incoming>) -> Received {
    let (head, body) = response.into_parts();
    let mut body = with_idle_timeout(body, IDLE_TIME);
    let mut bytes = BytesMut::new();
    let mut complete = true;
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) if bytes.len() + data.len() <= MAX_ANSWER_BYTES => {
                bytes.extend_from_slice(&data);
            }
            Ok(Err(_trailers)) => {}
            Ok(Ok(_)) | Err(_) => {
                complete = false;
                break;
            }
        }
    }
    Received { status: head.status, headers: head.headers, body: bytes.freeze(), complete }
}
