//! `quell upstream`: the model endpoints.

use std::path::PathBuf;

use clap::ValueEnum;
use quell_domain::application::{Dialect, Upstream};
use serde_json::json;

use super::{Context, edit};
use crate::client::{Client, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/upstreams";

/// `quell upstream …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum UpstreamCommand {
    /// List every upstream.
    List,
    /// Make an upstream, or change one: a file replaces it, flags change what they name.
    Set(Box<SetArgs>),
    /// Remove an upstream that no application uses.
    Remove {
        /// Its name.
        name: String,
    },
}

/// `quell upstream set`
#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    /// Its name.
    name: String,
    /// TOML or JSON (by ending) with every field.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Base URL without /v1, e.g. https://api.openai.com.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Which header carries the secret.
    #[arg(long, value_enum)]
    dialect: Option<DialectName>,
    /// Secret reference of the API key: env:NAME or file:/path, as the gateway process sees it.
    #[arg(long, value_name = "REFERENCE")]
    secret: Option<String>,
    /// Longest wait for a connection, milliseconds.
    #[arg(long, value_name = "MS")]
    connect_ms: Option<u64>,
    /// Longest wait for response headers, milliseconds.
    #[arg(long, value_name = "MS")]
    header_ms: Option<u64>,
    /// Longest silence in a body, milliseconds.
    #[arg(long, value_name = "MS")]
    idle_ms: Option<u64>,
    /// Extra connect attempts.
    #[arg(long, value_name = "N")]
    connect_retries: Option<u32>,
    /// Failures in a row that open the breaker.
    #[arg(long, value_name = "N")]
    breaker_failures: Option<u32>,
    /// How long the breaker stays open before one trial, seconds.
    #[arg(long, value_name = "SECONDS")]
    breaker_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DialectName {
    Openai,
    Anthropic,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: UpstreamCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        UpstreamCommand::List => {
            let all = client.get(PATH).await?;
            cx.show(&all, |all| output::table(output::rows(all, ""), &COLUMNS))
        }
        UpstreamCommand::Set(args) => {
            let (value, version) = wanted(&client, &args).await?;
            let made = edit::store(&client, PATH, &args.name, &value, version).await?;
            let what = if version.is_some() { "changed" } else { "made" };
            cx.done(&made, &format!("upstream {} {what} (version {})", args.name, made["version"]))
        }
        UpstreamCommand::Remove { name } => {
            cx.confirm(&format!("Remove upstream {name}?"))?;
            client.delete(&format!("{PATH}/{}", segment(&name))).await?;
            cx.done(&json!({"removed": name}), &format!("upstream {name} removed"))
        }
    }
}

const COLUMNS: [(&str, &str); 5] = [
    ("NAME", "/value/name"),
    ("DIALECT", "/value/dialect"),
    ("BASE URL", "/value/base_url"),
    ("SECRET", "/value/secret"),
    ("VERSION", "/version"),
];

/// What is to be stored, and over which version.
async fn wanted(client: &Client, args: &SetArgs) -> Result<(Upstream, Option<i64>), Failure> {
    let stored = edit::stored::<Upstream>(client, PATH, &args.name).await?;
    let version = stored.as_ref().map(|stored| stored.version);
    let mut value = match (&args.file, stored, &args.base_url) {
        (Some(file), ..) => edit::read(file)?,
        (None, Some(stored), _) => stored.value,
        (None, None, Some(url)) => Upstream::new(&args.name, url),
        (None, None, None) => {
            return Err(Failure::usage(format!(
                "there is no upstream {:?} yet; a new one needs --base-url or --file",
                args.name
            )));
        }
    };
    if value.name != args.name {
        return Err(Failure::usage(format!(
            "the file describes {:?}, the command says {:?}",
            value.name, args.name
        )));
    }
    change(&mut value, args);
    Ok((value, version))
}

fn change(value: &mut Upstream, args: &SetArgs) {
    if let Some(url) = &args.base_url {
        value.base_url.clone_from(url);
    }
    if args.secret.is_some() {
        value.secret.clone_from(&args.secret);
    }
    value.dialect = args.dialect.map_or(value.dialect, |dialect| match dialect {
        DialectName::Openai => Dialect::Openai,
        DialectName::Anthropic => Dialect::Anthropic,
    });
    value.connect_ms = args.connect_ms.unwrap_or(value.connect_ms);
    value.header_ms = args.header_ms.unwrap_or(value.header_ms);
    value.idle_ms = args.idle_ms.unwrap_or(value.idle_ms);
    value.connect_retries = args.connect_retries.unwrap_or(value.connect_retries);
    value.breaker_failures = args.breaker_failures.unwrap_or(value.breaker_failures);
    value.breaker_seconds = args.breaker_seconds.unwrap_or(value.breaker_seconds);
}
