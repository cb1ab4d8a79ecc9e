//! What is compared, each in a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use quell_domain::application::{Application, KeyBinding, TextRetention, Upstream};
use quell_domain::canonical::sha256_hex;
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_domain::snapshot::{ContentFile, SnapshotContent};
use quell_domain::{ApiKeyId, SystemIds};
use quell_testkit::ControlStandIn;

use crate::client::{Connection, Question};
use crate::process::{Cores, Process, role};
use crate::{nginx, prompts};

/// The load's key.
pub(crate) const KEY: &str = "qk_bench";
/// A key bound to the user who is contained.
pub(crate) const BOUND_KEY: &str = "qk_bench_ada";
/// That user.
pub(crate) const USER: &str = "ada";
/// The application.
pub(crate) const APPLICATION: &str = "bench";

pub(crate) const DIRECT: &str = "mock, direct";
pub(crate) const FLOOR: &str = "hyper floor";
pub(crate) const NGINX: &str = "nginx";
pub(crate) const GUARDS_OFF: &str = "quell, guards off";
pub(crate) const GUARDS_ON: &str = "quell, guards on";
/// The guarded gateway once more, after as many requests as were asked for.
pub(crate) const MANY: &str = "quell, guards on, in the end";
pub(crate) const METADATA: &str = "quell, on, metadata";

/// One thing that answers.
#[derive(Debug)]
pub(crate) struct Target {
    pub name: &'static str,
    pub address: SocketAddr,
    pub process: Process,
    /// Resident after its first answer.
    pub idle_kib: u64,
    /// Answered so far.
    pub answered: u64,
    pub gateway: Option<GatewayParts>,
}

/// What belongs to a gateway.
#[derive(Debug)]
pub(crate) struct GatewayParts {
    pub control: ControlStandIn,
    pub content: SnapshotContent,
    log: PathBuf,
}

/// Starts everything, in the order of the tables.
pub(crate) async fn start(
    folder: &Path,
    cores: Cores,
    clock: &SharedClock,
) -> anyhow::Result<Vec<Target>> {
    let mut mock = cores.spawn_aside(&mut role(&["mock"])?)?;
    let upstream = mock.address()?;
    let mut targets = vec![Target::new(DIRECT, mock, upstream)];
    let mut floor = cores.spawn_measured(&mut role(&["floor", &upstream.to_string()])?)?;
    let address = floor.address()?;
    targets.push(Target::new(FLOOR, floor, address));
    if let Some(program) = nginx::find() {
        let (process, address) = nginx::start(&program, folder, upstream, cores).await?;
        targets.push(Target::new(NGINX, process, address));
    }
    for (name, guards, text) in [
        (GUARDS_OFF, false, TextRetention::Full),
        (GUARDS_ON, true, TextRetention::Full),
        (METADATA, true, TextRetention::Metadata),
    ] {
        let data = folder.join(name.replace([' ', ','], ""));
        let content = content(upstream, guards, text, clock);
        targets.push(gateway(name, data, content, cores).await?);
    }
    for target in &mut targets {
        target.wait_until_it_answers().await?;
    }
    Ok(targets)
}

async fn gateway(
    name: &'static str,
    data: PathBuf,
    content: SnapshotContent,
    cores: Cores,
) -> anyhow::Result<Target> {
    let control = ControlStandIn::start().await;
    let epoch = control.publish(content.clone());
    let folder = data.to_str().context("the temporary folder's name is not UTF-8")?;
    let mut process = cores.spawn_measured(&mut role(&["gateway", &control.url(), folder])?)?;
    let address = process.address()?;
    control.wait_for_epoch(epoch).await;
    let log = data.join("lake").join("bench");
    Ok(Target {
        gateway: Some(GatewayParts { control, content, log }),
        ..Target::new(name, process, address)
    })
}

fn content(
    upstream: SocketAddr,
    guards: bool,
    text: TextRetention,
    clock: &SharedClock,
) -> SnapshotContent {
    let ids: SharedIds = Arc::new(SystemIds::new(Arc::clone(clock)));
    let mut application = Application::new(APPLICATION, vec!["mock".into()]);
    application.text = text;
    let key = |key: &str, user: Option<&str>| KeyBinding {
        id: ApiKeyId::new(&*ids),
        sha256: sha256_hex(key.as_bytes()),
        application: APPLICATION.into(),
        user: user.map(str::to_owned),
        expires_at: None,
    };
    SnapshotContent {
        applications: vec![application],
        upstreams: vec![Upstream::new("mock", &format!("http://{upstream}"))],
        keys: vec![key(KEY, None), key(BOUND_KEY, Some(USER))],
        content: if guards { Vec::new() } else { no_rules() },
        measures: Vec::new(),
        lifting: Vec::new(),
        model: None,
        shadow_model: None,
    }
}

/// An empty file in place of every shipped one: no rules and no patterns are left. Parsing,
/// identification, enforcement and recording stay.
fn no_rules() -> Vec<ContentFile> {
    let empty = |file: ContentFile| ContentFile { text: String::new(), ..file };
    quell_detection::content::embedded().into_iter().map(empty).collect()
}

impl Target {
    fn new(name: &'static str, process: Process, address: SocketAddr) -> Self {
        Self { name, address, process, idle_kib: 0, answered: 0, gateway: None }
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let question =
            Question { key: KEY, body: prompts::small(false), stream: None, fresh: None };
        for _ in 0..200 {
            if let Ok(mut connection) = Connection::open(self.address).await {
                let status = connection.status(&question).await?;
                anyhow::ensure!(status == 200, "{} answers {status}", self.name);
                self.idle_kib = self.process.rss_kib()?;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("{} does not answer at {}", self.name, self.address)
    }

    /// Removes what the gateway's log has sealed: a run must not fill the disk.
    pub(crate) fn drop_sealed_log(&self) -> anyhow::Result<()> {
        let Some(gateway) = &self.gateway else { return Ok(()) };
        let mut segments = std::fs::read_dir(&gateway.log)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        segments.retain(|path| path.extension().is_some_and(|ending| ending == "qlog"));
        segments.sort_unstable();
        segments.pop();
        segments.iter().try_for_each(std::fs::remove_file).context("removing sealed segments")
    }
}

#[cfg(test)]
mod tests {
    use quell_detection::RuleSet;

    use super::*;

    #[test]
    fn guards_off_leaves_no_rule_and_compiles() {
        let off = RuleSet::with_overrides(&no_rules()).unwrap();
        assert_eq!(off.rules().len(), 0);
        assert!(RuleSet::with_overrides(&[]).unwrap().rules().len() >= 25);
    }
}
