//! Signals in, one cancellation token out; and children that do not outlive their supervisor.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How often a child looks whether its supervisor still lives.
const PARENT_CHECK: Duration = Duration::from_millis(250);

/// Cancelled by SIGTERM or SIGINT.
pub(crate) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

/// Cancels `stop` when this process's parent is gone: an orphan must not keep the port.
pub(crate) fn stop_with_parent(stop: CancellationToken) {
    let parent = rustix::process::getppid();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(PARENT_CHECK).await;
            if rustix::process::getppid() != parent {
                tracing::warn!("the supervisor is gone; stopping");
                stop.cancel();
                return;
            }
        }
    });
}
