//! Background work. Each reconciler takes no input, compares what should be with what is, and may
//! run any number of times: it is driven by signals and by a period, and its failures are retried
//! with growing pauses.

mod baselines;
mod enforcement;
mod housekeeping;
mod ingest;
mod jobs;

pub(crate) use baselines::Baselines;
pub(crate) use ingest::Ingest;

use std::future::Future;
use std::time::Duration;

use crate::handle::Control;
use crate::refused::Refused;

/// Pause after a first failure; doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Starts them all.
pub(crate) fn spawn(control: &Control) {
    let tasks = control.tasks();
    let c = control.clone();
    tasks.spawn(run(control.clone(), "ingest", Duration::from_millis(100), move || {
        let c = c.clone();
        async move { c.reconcile_ingest().await }
    }));
    let c = control.clone();
    tasks.spawn(run(control.clone(), "enforcement", Duration::from_secs(1), move || {
        let c = c.clone();
        async move {
            c.refresh().await?;
            c.reconcile_enforcement().await
        }
    }));
    let c = control.clone();
    tasks.spawn(run(control.clone(), "jobs", Duration::from_secs(1), move || {
        let c = c.clone();
        async move { c.reconcile_jobs().await }
    }));
    let c = control.clone();
    tasks.spawn(run(control.clone(), "baselines", Duration::from_secs(5), move || {
        let c = c.clone();
        async move { c.reconcile_baselines().await }
    }));
    let c = control.clone();
    tasks.spawn(run(control.clone(), "housekeeping", Duration::from_mins(10), move || {
        let c = c.clone();
        async move { c.reconcile_housekeeping().await }
    }));
}

/// Runs one reconciler until control stops.
async fn run<F: Future<Output = Result<(), Refused>> + Send>(
    control: Control,
    name: &'static str,
    period: Duration,
    mut reconcile: impl FnMut() -> F + Send,
) {
    let mut pause = PAUSE;
    let wakes_on_jobs = name == "jobs";
    loop {
        let wait = match reconcile().await {
            Ok(()) => {
                pause = PAUSE;
                period
            }
            Err(error) => {
                tracing::warn!(reconciler = name, code = error.code(), %error, "will be retried");
                let wait = pause;
                pause = (pause * 2).min(PAUSE_MAX);
                wait
            }
        };
        tokio::select! {
            () = control.stopping().cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = control.jobs_waiting().notified(), if wakes_on_jobs => {}
        }
    }
}
