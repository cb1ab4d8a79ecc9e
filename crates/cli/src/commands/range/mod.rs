//! `quell range`: the simulated vulnerable LLM application, and what is simulated beside it.

mod conversations;
mod extraction;
mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;

use quell_range::{RangeConfig, RangeServer};
use serde_json::json;

use super::{Context, edit};
use crate::exit::Failure;
use crate::lifecycle;

/// `quell range`
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RangeArgs {
    #[command(subcommand)]
    command: Option<RangeCommand>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8609")]
    listen: SocketAddr,
    /// TOML or JSON (by ending) with weaknesses, leaks and faults.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Everything random comes from here.
    #[arg(long)]
    seed: Option<u64>,
    /// Wait before the first token, milliseconds.
    #[arg(long, value_name = "MS")]
    first_token_ms: Option<u64>,
    /// Wait between two tokens of a stream, milliseconds.
    #[arg(long, value_name = "MS")]
    token_interval_ms: Option<u64>,
    /// The key clients must present; any key without it.
    #[arg(long, env = "QUELL_RANGE_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// Print the settings in force as TOML, and do not serve.
    #[arg(long)]
    print_config: bool,
}

/// What is simulated without serving.
#[derive(Debug, clap::Subcommand)]
enum RangeCommand {
    /// Measure the judge of conversations, or train it anew.
    Conversations(conversations::ConversationsArgs),
    /// Measure how well query distributions tell a copier of the model.
    Extraction(extraction::ExtractionArgs),
    /// Play hours of simulated traffic through detection, correlation and grouping.
    Traffic(traffic::TrafficArgs),
}

/// Runs a simulation, or serves until SIGTERM or SIGINT.
pub(crate) async fn run(cx: &Context, args: RangeArgs) -> Result<(), Failure> {
    match args.command {
        Some(RangeCommand::Conversations(args)) => return conversations::run(cx, &args),
        Some(RangeCommand::Extraction(args)) => return extraction::run(cx, &args),
        Some(RangeCommand::Traffic(args)) => return traffic::run(cx, &args),
        None => {}
    }
    let config = config(&args)?;
    config.check().map_err(|error| Failure::usage(error.to_string()))?;
    if args.print_config {
        let value = serde_json::to_value(&config).map_err(anyhow::Error::from)?;
        let text = toml::to_string(&config).map_err(anyhow::Error::from)?;
        return cx.done(&value, text.trim_end());
    }
    let stop = lifecycle::stop_on_signals()?;
    let server = RangeServer::start(config, args.listen)
        .await
        .map_err(|error| Failure::error(format!("{error}; choose another with --listen")))?;
    let url = server.base_url();
    cx.done(
        &json!({"url": url}),
        &format!(
            "range listening on {url}\nIt gives in to attacks on purpose: keep it off networks."
        ),
    )?;
    server.serve_until(stop.cancelled_owned()).await;
    Ok(())
}

fn config(args: &RangeArgs) -> Result<RangeConfig, Failure> {
    let mut config: RangeConfig = match &args.file {
        Some(file) => edit::read(file)?,
        None => RangeConfig::default(),
    };
    config.seed = args.seed.unwrap_or(config.seed);
    config.first_token_ms = args.first_token_ms.unwrap_or(config.first_token_ms);
    config.token_interval_ms = args.token_interval_ms.unwrap_or(config.token_interval_ms);
    if args.api_key.is_some() {
        config.api_key.clone_from(&args.api_key);
    }
    Ok(config)
}
