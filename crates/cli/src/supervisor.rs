//! `quell serve` with role `all`: one gateway process and one control process, each restarted when
//! it dies. The supervisor owns the gateway's listening socket and hands it down as standard
//! input, so that a gateway can be replaced without a refused connection: SIGHUP does it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// First pause before a restart; doubles up to [`PAUSE_MAX`], and starts over after a quiet minute.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a new gateway may take before the old one is asked to go.
const OVERLAP: Duration = Duration::from_millis(1_500);

/// Runs both processes until stopped.
pub(crate) async fn run(
    config: &Config,
    args: &[String],
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = bind(config).await?;
    let program = std::env::current_exe().context("cannot find the quell binary itself")?;
    let mut control = Slot::new(&program, args, "control", None);
    let mut gateway = Slot::new(&program, args, "gateway", Some(listener));
    let mut replace = signal(SignalKind::hangup())?;
    control.spawn()?;
    gateway.spawn()?;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            status = control.wait() => control.restart(status, &stop).await?,
            status = gateway.wait() => gateway.restart(status, &stop).await?,
            _ = replace.recv() => gateway.replace().await?,
        }
    }
    // The gateway first: what it still records, control still reads.
    gateway.terminate(Duration::from_secs(config.gateway.drain_seconds + 5)).await;
    control.terminate(Duration::from_secs(15)).await;
    Ok(())
}

/// Binds the gateway's socket; a predecessor that is still letting go gets a few seconds.
async fn bind(config: &Config) -> anyhow::Result<std::net::TcpListener> {
    let address = config.gateway.listen;
    let mut tries = 0;
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && tries < 50 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("cannot listen on {address}; set gateway.listen to a free address")
                });
            }
        }
    }
}

/// One supervised process.
struct Slot {
    program: PathBuf,
    args: Vec<String>,
    role: &'static str,
    listener: Option<std::net::TcpListener>,
    child: Option<Child>,
    pause: Duration,
}

impl Slot {
    fn new(
        program: &std::path::Path,
        args: &[String],
        role: &'static str,
        listener: Option<std::net::TcpListener>,
    ) -> Self {
        let args = args.to_vec();
        Self { program: program.to_owned(), args, role, listener, child: None, pause: PAUSE }
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let child = self.start()?;
        tracing::info!(role = self.role, pid = child.id(), "process started");
        self.child = Some(child);
        Ok(())
    }

    fn start(&self) -> anyhow::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("serve").args(&self.args).args(["--role", self.role, "--supervised"]);
        match &self.listener {
            Some(listener) => {
                let socket = OwnedFd::from(listener.try_clone()?);
                command.arg("--listener-on-stdin").stdin(Stdio::from(socket));
            }
            None => {
                command.stdin(Stdio::null());
            }
        }
        command.spawn().with_context(|| format!("cannot start the {} process", self.role))
    }

    async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        match self.child.as_mut() {
            Some(child) => child.wait().await,
            None => std::future::pending().await,
        }
    }

    async fn restart(
        &mut self,
        status: std::io::Result<ExitStatus>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::error!(role = self.role, %status, "process ended; starting it again");
        self.child = None;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(self.pause) => {}
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.spawn()
    }

    /// Starts a successor on the same socket, then asks the predecessor to finish and go.
    async fn replace(&mut self) -> anyhow::Result<()> {
        let successor = self.start()?;
        tracing::info!(role = self.role, pid = successor.id(), "successor started");
        tokio::time::sleep(OVERLAP).await;
        if let Some(mut old) = self.child.replace(successor) {
            terminate(&old);
            tokio::spawn(async move { old.wait().await });
        }
        self.pause = PAUSE;
        Ok(())
    }

    async fn terminate(&mut self, patience: Duration) {
        let Some(mut child) = self.child.take() else { return };
        terminate(&child);
        if tokio::time::timeout(patience, child.wait()).await.is_err() {
            tracing::warn!(role = self.role, "did not stop in time; killing it");
            if let Err(error) = child.kill().await {
                tracing::warn!(role = self.role, %error, "cannot kill the process");
            }
        }
    }
}

fn terminate(child: &Child) {
    let pid =
        child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM)
    {
        tracing::debug!(%error, "the process had already ended");
    }
}
