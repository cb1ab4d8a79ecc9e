//! From a measure published to control's long poll until the contained user is first refused,
//! and until the gateway's own probe has reported the intended treatment.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::StatusCode;
use quell_domain::clock::SharedClock;
use quell_domain::measure::{Effect, Target as MeasureTarget};
use quell_domain::snapshot::SnapshotContent;
use quell_domain::{Actor, Measure, MeasureId, MeasureState, SystemIds};
use serde::Serialize;

use crate::client::{Connection, Question};
use crate::load::Load;
use crate::prompts;
use crate::row::percentile;
use crate::targets::{APPLICATION, BOUND_KEY, GatewayParts, KEY, Target, USER};

/// Longer than this and the trial has failed.
const LONGEST: Duration = Duration::from_secs(10);
/// Time for the gateway to poll again after it reported.
const SETTLE: Duration = Duration::from_millis(40);

/// The trials in one situation.
#[derive(Debug, Serialize)]
pub(crate) struct Containment {
    pub situation: &'static str,
    pub trials: u32,
    /// Published to first refused request.
    pub refused_p50_us: f64,
    pub refused_p99_us: f64,
    /// Published to the report that a probe met the intended treatment.
    pub verified_p50_us: f64,
    pub verified_p99_us: f64,
    pub refused_us: Vec<f64>,
    pub verified_us: Vec<f64>,
}

/// Contains and releases one user again and again, with and without load from others.
pub(crate) async fn measure(
    target: &Target,
    trials: u32,
    clock: &SharedClock,
) -> anyhow::Result<Vec<Containment>> {
    let idle = situation("no other traffic", target, trials, clock).await?;
    let question = Question { key: KEY, body: prompts::small(false), stream: None, fresh: None };
    let load = Load::start(target.address, &question, 16, clock);
    let loaded = situation("16 connections of load", target, trials, clock).await;
    let failures = load.stop().await.failures;
    ensure!(failures == 0, "{failures} requests of others failed while one user was contained");
    Ok(vec![idle, loaded?])
}

async fn situation(
    situation: &'static str,
    target: &Target,
    trials: u32,
    clock: &SharedClock,
) -> anyhow::Result<Containment> {
    let gateway = target.gateway.as_ref().context("only a gateway contains")?;
    let mut connection = Connection::open(target.address).await?;
    let question =
        Question { key: BOUND_KEY, body: prompts::small(false), stream: None, fresh: None };
    let (mut refused_us, mut verified_us) = (Vec::new(), Vec::new());
    for _ in 0..trials {
        ensure!(
            connection.status(&question).await? == StatusCode::OK,
            "refused before the measure"
        );
        let trial = trial(gateway, &mut connection, &question, clock);
        let (refused, verified) =
            tokio::time::timeout(LONGEST, trial).await.context("a trial did not end")??;
        refused_us.push(refused.as_nanos() as f64 / 1e3);
        verified_us.push(verified.as_nanos() as f64 / 1e3);
        gateway.control.wait_for_epoch(gateway.control.publish(gateway.content.clone())).await;
        tokio::time::sleep(SETTLE).await;
    }
    Ok(Containment {
        situation,
        trials,
        refused_p50_us: percentile(&mut refused_us.clone(), 0.5),
        refused_p99_us: percentile(&mut refused_us.clone(), 0.99),
        verified_p50_us: percentile(&mut verified_us.clone(), 0.5),
        verified_p99_us: percentile(&mut verified_us.clone(), 0.99),
        refused_us,
        verified_us,
    })
}

async fn trial(
    gateway: &GatewayParts,
    connection: &mut Connection,
    question: &Question,
    clock: &SharedClock,
) -> anyhow::Result<(Duration, Duration)> {
    let measure = restrict(clock);
    let id = measure.id;
    let content = SnapshotContent { measures: vec![measure], ..gateway.content.clone() };
    let published = clock.ticks();
    gateway.control.publish(content);
    let asking = async {
        loop {
            match connection.status(question).await? {
                StatusCode::OK => {}
                StatusCode::FORBIDDEN => return Ok(clock.ticks().saturating_sub(published)),
                other => anyhow::bail!("answered {other}"),
            }
        }
    };
    let proving = async {
        let met = |probe: &quell_domain::snapshot::ProbeResult| probe.measure == id && probe.met;
        let control = &gateway.control;
        control
            .wait_for(|reports| reports.iter().flat_map(|r| &r.probes).any(met).then_some(()))
            .await;
        clock.ticks().saturating_sub(published)
    };
    let (refused, verified) = tokio::join!(asking, proving);
    Ok((refused?, verified))
}

fn restrict(clock: &SharedClock) -> Measure {
    let now = clock.now();
    Measure {
        id: MeasureId::new(&SystemIds::new(Arc::clone(clock))),
        application: APPLICATION.into(),
        target: MeasureTarget::User { user: USER.into() },
        effect: Effect::Restrict,
        reason: "benchmark".into(),
        incident: None,
        actor: Actor::System,
        approval: None,
        expires_at: Some(now + jiff::SignedDuration::from_hours(1)),
        state: MeasureState::Requested,
        created_at: now,
        requested_at: Some(now),
        acknowledged_at: None,
        verified_at: None,
        ended_at: None,
        epoch: 0,
        detail: None,
        version: 1,
    }
}
