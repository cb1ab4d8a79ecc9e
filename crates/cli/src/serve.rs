//! `quell serve`: the product as it runs in production, in one process or two.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use quell_control::tokens::NewToken;
use quell_control::{Control, ControlOptions};
use quell_detection::Second;
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_domain::{AccessRole, SystemClock, SystemIds};
use quell_gateway::{Gateway, GatewayOptions};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, SecondOpinionConfig};
use crate::exit::Failure;
use crate::{lifecycle, local, output, supervisor};

/// What a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// A gateway process and a control process under one supervisor.
    All,
    /// The data plane only.
    Gateway,
    /// API, console and reconcilers only.
    Control,
}

/// `quell serve`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServeArgs {
    /// What to run.
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) role: Role,
    /// Set by the supervisor for the processes it starts.
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
    /// The gateway's socket comes as standard input.
    #[arg(long, hide = true)]
    pub(crate) listener_on_stdin: bool,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(
    args: &ServeArgs,
    config: &Config,
    config_path: Option<&PathBuf>,
) -> Result<(), Failure> {
    local::ensure_data_dir(&config.data_dir)?;
    let stop = lifecycle::stop_on_signals()?;
    if args.supervised {
        lifecycle::stop_with_parent(stop.clone());
    }
    let world = World::new();
    match args.role {
        Role::All => {
            // Made before either process starts, so that both find it.
            local::ensure_token(&config.data_dir, local::NODE_TOKEN, "qn_", &*world.ids)?;
            let args = config_path.map_or_else(Vec::new, |path| {
                vec!["--config".to_owned(), path.display().to_string()]
            });
            supervisor::run(config, &args, stop).await?;
        }
        Role::Gateway => {
            let listener = gateway_listener(args, config).await?;
            let gateway = start_gateway(config, &world, listener)?;
            stop.cancelled().await;
            tracing::info!("gateway stopping; running requests may finish");
            gateway.shutdown().await;
        }
        Role::Control => run_control(config, &world, stop).await?,
    }
    Ok(())
}

/// Time and ids of this process.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// The clock.
    pub(crate) clock: SharedClock,
    /// The id source.
    pub(crate) ids: SharedIds,
}

impl World {
    /// The machine's.
    pub(crate) fn new() -> Self {
        let clock: SharedClock = Arc::new(SystemClock::new());
        Self { ids: Arc::new(SystemIds::new(Arc::clone(&clock))), clock }
    }
}

async fn gateway_listener(args: &ServeArgs, config: &Config) -> anyhow::Result<TcpListener> {
    if args.listener_on_stdin {
        let socket = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned()?;
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        return TcpListener::from_std(listener).context("standard input is not a listening socket");
    }
    bind(config.gateway.listen, "gateway.listen").await
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; set {key} to a free address"))
}

/// Starts a gateway in this process.
pub(crate) fn start_gateway(
    config: &Config,
    world: &World,
    listener: TcpListener,
) -> anyhow::Result<Gateway> {
    let settings = &config.gateway;
    let token = if settings.node_token.is_empty() {
        let token = local::ensure_token(&config.data_dir, local::NODE_TOKEN, "qn_", &*world.ids)?;
        SecretString::from(token)
    } else {
        quell_gateway::secrets::resolve(&settings.node_token).context("gateway.node_token")?
    };
    let control_url = if settings.control_url == DEFAULT_CONTROL_URL {
        format!("http://{}", config.control.listen)
    } else {
        settings.control_url.clone()
    };
    let options = GatewayOptions {
        trusted_proxies: settings.trusted_proxies.clone(),
        outbound_allow: settings.outbound_allow.clone(),
        concurrent: settings.concurrent,
        connections: settings.connections,
        header_bytes: settings.header_bytes,
        header_fields: settings.header_fields,
        drain_seconds: settings.drain_seconds,
        second_opinion: settings.second_opinion.as_ref().map(second_opinion).transpose()?,
        ..GatewayOptions::new(&settings.name, config.data_dir.clone(), &control_url, token)
    };
    let gateway =
        Gateway::start(options, listener, Arc::clone(&world.clock), Arc::clone(&world.ids))?;
    let repair = gateway.repair();
    if !repair.is_clean() {
        tracing::warn!(
            lost_bytes = repair.lost_bytes,
            last_sequence = repair.last_sequence,
            saved_to = ?repair.saved_to,
            "the interaction log had a torn end after a crash; it was repaired"
        );
    }
    tracing::info!(address = %gateway.address(), name = gateway.name(), "gateway listening");
    Ok(gateway)
}

/// Loads the operator's own classifier.
#[cfg(feature = "onnx")]
fn second_opinion(settings: &SecondOpinionConfig) -> anyhow::Result<Second> {
    let options = quell_onnx::OnnxOptions {
        model: settings.model.clone(),
        tokenizer: settings.tokenizer.clone(),
        label: settings.label,
        threshold: settings.threshold,
        tokens: settings.tokens,
        parallel: settings.parallel,
    };
    let model = quell_onnx::OnnxClassifier::load(&options).context("gateway.second_opinion")?;
    let band = quell_detection::Band { low: settings.low, high: settings.high };
    Ok(Second { opinion: Arc::new(model), band })
}

/// Says that this build cannot load one.
#[cfg(not(feature = "onnx"))]
fn second_opinion(settings: &SecondOpinionConfig) -> anyhow::Result<Second> {
    anyhow::bail!(
        "gateway.second_opinion: this build cannot run {}; build it with `--features onnx`, or take \
         the section out",
        settings.model.display()
    )
}

/// What `gateway.control_url` says when nobody set it: then control is where it listens.
const DEFAULT_CONTROL_URL: &str = "http://127.0.0.1:8601";

async fn run_control(
    config: &Config,
    world: &World,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = bind(config.control.listen, "control.listen").await?;
    let control = start_control(config, world).await?;
    if let Some(link) = control.setup_link().await? {
        output::note(&format!(
            "\nFirst start: create the administrator's account within {} hours at\n  {}/setup/{}\n",
            SETUP_HOURS,
            config.public_url(),
            link.token
        ));
    }
    tracing::info!(address = %listener.local_addr()?, "control listening");
    let serving = axum::serve(listener, router(&control, world, &config.public_url()));
    let serving = serving.with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        served = serving => served?,
        // Browsers keep their event streams open; they come back to the next process.
        () = async { stop.cancelled().await; tokio::time::sleep(LINGER).await } => {}
    }
    control.stop().await;
    Ok(())
}

/// How long running API requests may take once the process is to stop.
const LINGER: Duration = Duration::from_secs(5);

/// How long a setup link works.
const SETUP_HOURS: u32 = 24;

/// Starts control and lets the local tokens in.
pub(crate) async fn start_control(config: &Config, world: &World) -> anyhow::Result<Control> {
    let options = ControlOptions::new(
        &config.database_url()?,
        config.data_dir.clone(),
        Arc::clone(&world.clock),
        Arc::clone(&world.ids),
    );
    let control = Control::start(options).await.context("control cannot start")?;
    for (file, prefix, name, role, node) in [
        (local::NODE_TOKEN, "qn_", "local-gateway", AccessRole::Viewer, true),
        (local::ADMIN_TOKEN, "qt_", "local-admin", AccessRole::Admin, false),
    ] {
        let secret = local::ensure_token(&config.data_dir, file, prefix, &*world.ids)?;
        let token = NewToken { name: name.into(), role, node, expires_at: None };
        control.adopt_token(token, &secret).await.context("cannot adopt the local token")?;
    }
    Ok(control)
}

/// API and console on one port.
pub(crate) fn router(control: &Control, world: &World, public_url: &str) -> Router {
    let secure = public_url.starts_with("https://");
    let console = quell_console::Console::new(control.clone(), Arc::clone(&world.ids), secure);
    quell_api::router(control.clone()).merge(quell_console::router(console))
}
