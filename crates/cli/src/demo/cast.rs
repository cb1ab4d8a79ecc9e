//! Everybody in the demo: the range, the gateway, control, and the person on call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use quell_control::applications::NewKey;
use quell_control::{Access, Control};
use quell_domain::application::{
    Application, FallbackIntent, PolicyAction, PolicyRule, PolicyTarget, ResponsePolicy, Upstream,
};
use quell_domain::feedback::Label;
use quell_domain::measure::Target;
use quell_domain::{AccessRole, Actor, IncidentKind, Measure, MeasureState, Severity};
use quell_gateway::Gateway;
use quell_range::campaign::{self, CampaignTarget, Step};
use quell_range::planted::Planted;
use quell_range::{RangeConfig, RangeServer};
use quell_store::{MeasureFilter, PageRequest, SignalFilter, SignalRecord};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::DemoArgs;
use crate::config::Config;
use crate::serve::{self, World};

/// The application under attack.
const APPLICATION: &str = "support-bot";
/// The account that is made for looking at the console.
const ACCOUNT: &str = "oncall";

/// The running processes' parts, in one process.
pub(super) struct Cast {
    range: RangeServer,
    gateway: Gateway,
    control: Control,
    console: SocketAddr,
    serving: JoinHandle<()>,
    stop: CancellationToken,
    password: String,
    data: TempDir,
    world: World,
    seed: u64,
}

impl Cast {
    pub(super) async fn assemble(args: &DemoArgs, world: &World) -> anyhow::Result<Self> {
        let data = tempfile::Builder::new().prefix("quell-demo-").tempdir()?;
        let config = RangeConfig { seed: args.seed, ..RangeConfig::default() };
        let range = RangeServer::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let listen = |port| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
        let control_listener = listen(args.console_port).await.context("--console-port")?;
        let gateway_listener = listen(args.gateway_port).await.context("--gateway-port")?;
        let console = control_listener.local_addr()?;
        let mut config = Config::load(None)?;
        config.data_dir = data.path().to_owned();
        config.control.listen = console;
        let control = serve::start_control(&config, world).await?;
        let password = password(world);
        prepare(&control, &range, &password).await?;
        let stop = CancellationToken::new();
        let (router, stopped) =
            (serve::router(&control, world, &config.public_url()), stop.clone().cancelled_owned());
        let serving = tokio::spawn(async move {
            if let Err(error) =
                axum::serve(control_listener, router).with_graceful_shutdown(stopped).await
            {
                tracing::error!(%error, "the console's listener ended");
            }
        });
        let gateway = serve::start_gateway(&config, world, gateway_listener)?;
        let (world, seed) = (world.clone(), args.seed);
        let cast =
            Self { range, gateway, control, console, serving, stop, password, data, world, seed };
        cast.wait_until_configured().await?;
        Ok(cast)
    }

    pub(super) const fn control(&self) -> &Control {
        &self.control
    }

    pub(super) fn gateway_url(&self) -> String {
        format!("http://{}", self.gateway.address())
    }

    pub(super) fn console_url(&self) -> String {
        format!("http://{}", self.console)
    }

    /// Where the gateway writes what went through it.
    pub(super) fn log_dir(&self) -> std::path::PathBuf {
        quell_lake::log_dir(&self.data.path().join("lake"), self.gateway.name())
    }

    /// What to do next, for whoever watches.
    pub(super) fn invitation(&self) -> String {
        format!(
            "open {}/ and sign in as {ACCOUNT} with password {}\n          \
             point a client at {}/v1 (any key of `quell key create`)\n          \
             Ctrl-C ends the demo and removes {}",
            self.console_url(),
            self.password,
            self.gateway_url(),
            self.data.path().display(),
        )
    }

    /// The campaign's target, with a fresh key for every label of the plan.
    pub(super) async fn target(&self, plan: &[Step]) -> anyhow::Result<CampaignTarget> {
        let mut keys = BTreeMap::new();
        for needed in campaign::keys_needed(plan) {
            let new = NewKey {
                application: APPLICATION.into(),
                label: needed.label.clone(),
                user: needed.user,
                expires_at: None,
            };
            keys.insert(
                needed.label,
                self.control.create_key(&Access::system(), new).await?.secret,
            );
        }
        self.wait_until_configured().await?;
        let mut target = CampaignTarget::new(&self.gateway_url());
        target.secrets.extend(Planted::new(self.seed).all().map(str::to_owned));
        target.keys = keys;
        Ok(target)
    }

    /// Waits until the gateway runs on the newest snapshot.
    async fn wait_until_configured(&self) -> anyhow::Result<()> {
        self.wait(
            Duration::from_secs(20),
            "the gateway does not take up its configuration",
            async || {
                let newest = self.control.snapshot().map_or(0, |snapshot| snapshot.epoch);
                Ok(newest > 0 && self.gateway.epoch() >= newest)
            },
        )
        .await
    }

    /// Waits until control has read everything the gateway wrote.
    pub(super) async fn wait_until_read(&self, patience: Duration) -> anyhow::Result<()> {
        let written = last_sequence(self.log_dir()).await?;
        self.wait(patience, "control does not catch up with the interaction log", async || {
            let nodes = self.control.nodes(&Access::system()).await?;
            Ok(nodes
                .iter()
                .any(|node| node.report.gateway == self.gateway.name() && node.read_to >= written))
        })
        .await
    }

    /// Applies every proposal below level 4, as the person on call would. Says what.
    pub(super) async fn apply_proposals(&self) -> anyhow::Result<Vec<String>> {
        let person = Access { actor: Actor::User(ACCOUNT.into()), role: AccessRole::Responder };
        let mut applied = Vec::new();
        for measure in self.measures().await? {
            if measure.state == MeasureState::Proposed && measure.effect.level() < 4 {
                let receipt = self.control.apply_proposed(&person, measure.id).await?;
                applied.push(words(&receipt.measure));
            }
        }
        Ok(applied)
    }

    /// Says that a finding was right, as the person on call would; one of the classifier's, if it has
    /// any. Gives its title.
    pub(super) async fn label_one(&self) -> anyhow::Result<Option<String>> {
        let person = Access { actor: Actor::User(ACCOUNT.into()), role: AccessRole::Responder };
        let page = PageRequest::first(500);
        let signals = self.control.signals(&person, &SignalFilter::default(), &page).await?.items;
        let mut pointing = signals.iter().filter(|record| !record.signal.spans.is_empty());
        let learned = |record: &&SignalRecord| record.signal.rule.starts_with("learned_");
        let Some(record) = pointing.clone().find(learned).or_else(|| pointing.next()) else {
            return Ok(None);
        };
        let id = &record.signal.id;
        let reason = "the same attack as in the incident";
        self.control.label_signal(&person, id, Label::Confirmed, reason).await?;
        Ok(Some(record.signal.title.clone()))
    }

    /// Waits until every measure in force is verified.
    pub(super) async fn wait_until_verified(&self, patience: Duration) -> anyhow::Result<()> {
        self.wait(patience, "not every measure was verified in time", async || {
            let measures = self.measures().await?;
            Ok(measures.iter().all(|m| !m.state.in_force() || m.state == MeasureState::Verified))
        })
        .await
    }

    pub(super) async fn measures(&self) -> anyhow::Result<Vec<Measure>> {
        let page = PageRequest::first(200);
        let filter = MeasureFilter::default();
        Ok(self.control.measures(&Access::system(), &filter, &page).await?.items)
    }

    async fn wait(
        &self,
        patience: Duration,
        otherwise: &str,
        mut reached: impl AsyncFnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = self.world.clock.ticks();
        while !reached().await? {
            if self.world.clock.ticks().saturating_sub(begun) > patience {
                bail!("{otherwise} ({} s)", patience.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Takes everything down, the gateway first.
    pub(super) async fn end(self) {
        self.gateway.shutdown().await;
        self.stop.cancel();
        // Open event streams of browsers would hold it up.
        self.serving.abort();
        self.control.stop().await;
        self.range.shutdown().await;
    }
}

async fn last_sequence(dir: std::path::PathBuf) -> anyhow::Result<u64> {
    let mut last = 0;
    tokio::task::spawn_blocking(move || {
        quell_lake::scan(&dir, quell_lake::Order::NewestFirst, |record| {
            last = record.sequence;
            std::ops::ControlFlow::Break(())
        })?;
        Ok(last)
    })
    .await?
}

/// The inventory and the account of the person on call.
async fn prepare(control: &Control, range: &RangeServer, password: &str) -> anyhow::Result<()> {
    let system = Access::system();
    if let Some(link) = control.setup_link().await? {
        control.set_up(&link.token, ACCOUNT, password).await?;
    }
    control.put_upstream(&system, Upstream::new("range", &range.base_url()), None).await?;
    control.put_application(&system, application(), None).await?;
    Ok(())
}

/// A support assistant whose policy acts at once where data leaves, and proposes elsewhere.
fn application() -> Application {
    let rule = |kinds: &[IncidentKind], min_severity, action, level| PolicyRule {
        kinds: kinds.to_vec(),
        min_severity,
        action,
        level,
        target: PolicyTarget::Principal,
        minutes: 60,
    };
    let policy = ResponsePolicy {
        rules: vec![
            rule(&[IncidentKind::DataExfiltration], Severity::High, PolicyAction::Apply, 1),
            rule(&[IncidentKind::DenialOfService], Severity::Medium, PolicyAction::Apply, 1),
            rule(&[IncidentKind::Jailbreak], Severity::High, PolicyAction::Apply, 1),
            rule(&[], Severity::Medium, PolicyAction::Propose, 1),
        ],
        ..ResponsePolicy::default()
    };
    let mut application = Application::new(APPLICATION, vec!["range".into()]);
    application.title = "Support assistant".into();
    application.owner = "Customer support".into();
    application.purpose = "Answers customers' questions about orders and accounts".into();
    application.criticality = Severity::High;
    application.pattern = "rag".into();
    application.contact = "support@example.com".into();
    application.canaries = vec![campaign::CANARY.to_owned()];
    application.policy = policy;
    application.fallback.intents = vec![FallbackIntent {
        keywords: vec!["refund".into(), "return".into()],
        text: "Returns are free within 30 days. A colleague will follow up by e-mail.".into(),
    }];
    application
}

/// A measure in a few words.
pub(super) fn words(measure: &Measure) -> String {
    let target = match &measure.target {
        Target::Application => "the whole application".to_owned(),
        Target::User { user } => format!("user {user}"),
        Target::Session { session } => format!("session {session}"),
        Target::Address { address } => format!("address {address}"),
        Target::ApiKey { key } => format!("key {key}"),
        Target::Tool { tool } => format!("tool {tool}"),
        Target::Model { model } => format!("model {model}"),
        Target::Upstream { upstream } => format!("upstream {upstream}"),
        Target::Pattern { .. } => "a text pattern".to_owned(),
    };
    format!(
        "level {} {} on {target}, by {}",
        measure.effect.level(),
        measure.effect.name(),
        measure.actor
    )
}

/// 12 letters and digits without look-alikes.
fn password(world: &World) -> String {
    let mut bytes = [0_u8; 16];
    world.ids.random(&mut bytes);
    let alphabet = b"abcdefghjkmnpqrstuvwxyz23456789";
    bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}
