//! `quell app`: the inventory of applications.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use quell_domain::Severity;
use quell_domain::application::{
    Application, ProviderState, RecordPolicy, TextRetention, UserToken,
};
use quell_domain::budget::Spending;
use quell_domain::rule::FailMode;
use quell_domain::streaming::{StreamMode, WindowUnit};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Context, edit};
use crate::client::segment;
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/applications";

/// `quell app …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AppCommand {
    /// List every application.
    List,
    /// Show one application.
    Show {
        /// Its name.
        name: String,
    },
    /// Show what is spent of its budgets, by whom, and when they begin anew.
    Spend {
        /// Its name.
        name: String,
    },
    /// Make an application, or change one: a file replaces it, flags change what they name.
    Set(Box<SetArgs>),
    /// Remove an application that has no measure in force.
    Remove {
        /// Its name.
        name: String,
    },
}

/// `quell app set`
#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    /// Its name: 1 to 64 of a-z 0-9 -, starting with a letter.
    name: String,
    /// TOML or JSON (by ending) with every field; see `quell app show NAME --json`.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Upstreams in order of preference, separated by commas; the rest are failover.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    upstreams: Vec<String>,
    /// What people call it.
    #[arg(long)]
    title: Option<String>,
    /// Who answers for it.
    #[arg(long)]
    owner: Option<String>,
    /// What it is for.
    #[arg(long)]
    purpose: Option<String>,
    /// How much depends on it: critical, high, medium, low.
    #[arg(long, value_name = "SEVERITY")]
    criticality: Option<Severity>,
    /// basic_llm, llm_memory, rag, agentic, agentic_rag, classifier, regressor.
    #[arg(long)]
    pattern: Option<String>,
    /// Whom a refused client should contact.
    #[arg(long)]
    contact: Option<String>,
    /// Serve /a/NAME/… with the client's own upstream key.
    #[arg(long, value_name = "BOOL")]
    pass_through: Option<bool>,
    /// What of prompts and responses is recorded.
    #[arg(long, value_enum)]
    text: Option<Text>,
    /// What happens when recording is impossible.
    #[arg(long, value_enum)]
    record: Option<Record>,
    /// What happens when a judgement is impossible.
    #[arg(long, value_enum)]
    fail: Option<Fail>,
    /// What happens to text that sits with the provider.
    #[arg(long, value_enum)]
    provider_state: Option<Provider>,
    /// Strings that must never leave, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "TEXT")]
    canaries: Option<Vec<String>>,
    /// Hosts that arguments of tool calls may name, with all below them, separated by commas;
    /// an empty text allows any.
    #[arg(long, value_delimiter = ',', value_name = "HOST")]
    tool_destinations: Option<Vec<String>>,
    /// Secret reference (env:NAME or file:/path) of the key that signs user tokens.
    #[arg(long, value_name = "REFERENCE")]
    user_token_secret: Option<String>,
    /// Whether a request must come with a verified user.
    #[arg(long, value_enum)]
    user_token: Option<Token>,
    /// What of a streamed answer is judged before it leaves: live, window, buffered.
    #[arg(long, value_name = "MODE")]
    stream_mode: Option<StreamMode>,
    /// What a window is: sentence, characters.
    #[arg(long, value_name = "UNIT")]
    stream_window: Option<WindowUnit>,
    /// Characters of each text that wait in a window.
    #[arg(long, value_name = "N")]
    stream_window_chars: Option<u32>,
    /// Bytes of one stream that may wait when buffered.
    #[arg(long, value_name = "BYTES")]
    stream_buffer_bytes: Option<u64>,
    /// A budget, e.g. user:hour:tokens=10000 or application:month:cost=250.00; more by repeating.
    /// All given replace all there were; `none` removes them.
    #[arg(long = "budget", value_name = "BUDGET")]
    budgets: Vec<String>,
    /// A price per million tokens, MODEL=INPUT/OUTPUT, e.g. gpt-4o*=2.50/10; more by repeating.
    /// All given replace all there were; `none` removes them.
    #[arg(long = "price", value_name = "PRICE")]
    prices: Vec<String>,
    /// Output tokens set aside for a request that states no limit, while there is a budget.
    #[arg(long, value_name = "N")]
    reserve_tokens: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Text {
    Full,
    Redacted,
    Metadata,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Record {
    Required,
    BestEffort,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Fail {
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Token {
    Optional,
    Required,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Provider {
    Refuse,
    Forward,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: AppCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        AppCommand::List => {
            let all = client.get(PATH).await?;
            cx.show(&all, |all| output::table(output::rows(all, ""), &COLUMNS))
        }
        AppCommand::Show { name } => {
            let row = client.get(&format!("{PATH}/{}", segment(&name))).await?;
            cx.show(&row, |row| {
                let value = file_text(&row["value"]);
                format!(
                    "# version {}, changed {}\n{value}",
                    row["version"],
                    output::cell(row, "/updated_at")
                )
            })
        }
        AppCommand::Spend { name } => {
            let spend = client.get(&format!("{PATH}/{}/spend", segment(&name))).await?;
            cx.show(&spend, super::spend::shown)
        }
        AppCommand::Set(args) => {
            let (value, version) = wanted(&client, &args).await?;
            let made = edit::store(&client, PATH, &args.name, &value, version).await?;
            let what = if version.is_some() { "changed" } else { "made" };
            cx.done(
                &made,
                &format!("application {} {what} (version {})", args.name, made["version"]),
            )
        }
        AppCommand::Remove { name } => {
            cx.confirm(&format!("Remove application {name}? Its clients will be refused."))?;
            client.delete(&format!("{PATH}/{}", segment(&name))).await?;
            cx.done(&json!({"removed": name}), &format!("application {name} removed"))
        }
    }
}

const COLUMNS: [(&str, &str); 7] = [
    ("NAME", "/value/name"),
    ("TITLE", "/value/title"),
    ("OWNER", "/value/owner"),
    ("CRITICALITY", "/value/criticality"),
    ("UPSTREAMS", "/value/upstreams"),
    ("TEXT", "/value/text"),
    ("VERSION", "/version"),
];

/// `value` as the TOML that `set --file` takes; JSON if it has fields this build does not know.
fn file_text(value: &Value) -> String {
    let toml = Application::deserialize(value).ok().and_then(|known| toml::to_string(&known).ok());
    toml.unwrap_or_else(|| format!("{value:#}")).trim_end().to_owned()
}

/// What is to be stored, and over which version.
async fn wanted(
    client: &crate::client::Client,
    args: &SetArgs,
) -> Result<(Application, Option<i64>), Failure> {
    let stored = edit::stored::<Application>(client, PATH, &args.name).await?;
    let version = stored.as_ref().map(|stored| stored.version);
    let mut value = match (&args.file, stored) {
        (Some(file), _) => edit::read(file)?,
        (None, Some(stored)) => stored.value,
        (None, None) => Application::new(&args.name, Vec::new()),
    };
    if value.name != args.name {
        return Err(Failure::usage(format!(
            "the file describes {:?}, the command says {:?}",
            value.name, args.name
        )));
    }
    change(&mut value, args);
    spend(&mut value.spending, args)?;
    if value.upstreams.is_empty() {
        return Err(Failure::usage(
            "an application needs an upstream: --upstreams NAME (see `quell upstream list`)",
        ));
    }
    Ok((value, version))
}

fn change(value: &mut Application, args: &SetArgs) {
    let put = |to: &mut String, from: &Option<String>| {
        if let Some(from) = from {
            to.clone_from(from);
        }
    };
    put(&mut value.title, &args.title);
    put(&mut value.owner, &args.owner);
    put(&mut value.purpose, &args.purpose);
    put(&mut value.pattern, &args.pattern);
    put(&mut value.contact, &args.contact);
    if !args.upstreams.is_empty() {
        value.upstreams.clone_from(&args.upstreams);
    }
    value.criticality = args.criticality.unwrap_or(value.criticality);
    value.pass_through = args.pass_through.unwrap_or(value.pass_through);
    value.text = args.text.map_or(value.text, Into::into);
    value.record = args.record.map_or(value.record, Into::into);
    value.fail = args.fail.map_or(value.fail, Into::into);
    value.provider_state = args.provider_state.map_or(value.provider_state, Into::into);
    if let Some(canaries) = &args.canaries {
        value.canaries.clone_from(canaries);
    }
    if let Some(hosts) = &args.tool_destinations {
        value.tool_destinations = hosts.iter().filter(|host| !host.is_empty()).cloned().collect();
    }
    if args.user_token_secret.is_some() {
        value.user_token_secret.clone_from(&args.user_token_secret);
    }
    value.user_token = args.user_token.map_or(value.user_token, Into::into);
    let stream = &mut value.stream;
    stream.mode = args.stream_mode.unwrap_or(stream.mode);
    stream.window = args.stream_window.unwrap_or(stream.window);
    stream.window_chars = args.stream_window_chars.unwrap_or(stream.window_chars);
    stream.buffer_bytes = args.stream_buffer_bytes.unwrap_or(stream.buffer_bytes);
}

fn spend(spending: &mut Spending, args: &SetArgs) -> Result<(), Failure> {
    if !args.budgets.is_empty() {
        spending.budgets = listed("budget", &args.budgets)?;
    }
    if !args.prices.is_empty() {
        spending.prices = listed("price", &args.prices)?;
    }
    spending.reserve_tokens = args.reserve_tokens.unwrap_or(spending.reserve_tokens);
    Ok(())
}

/// What a repeated flag says; nothing where it says `none`.
fn listed<T: FromStr<Err: Display>>(flag: &str, given: &[String]) -> Result<Vec<T>, Failure> {
    if given.iter().any(|text| text == "none") {
        return Ok(Vec::new());
    }
    let read = |text: &String| {
        text.parse().map_err(|error: T::Err| Failure::usage(format!("--{flag} {text}: {error}")))
    };
    given.iter().map(read).collect()
}

impl From<Token> for UserToken {
    fn from(token: Token) -> Self {
        match token {
            Token::Optional => Self::Optional,
            Token::Required => Self::Required,
        }
    }
}

impl From<Text> for TextRetention {
    fn from(text: Text) -> Self {
        match text {
            Text::Full => Self::Full,
            Text::Redacted => Self::Redacted,
            Text::Metadata => Self::Metadata,
        }
    }
}

impl From<Record> for RecordPolicy {
    fn from(record: Record) -> Self {
        match record {
            Record::Required => Self::Required,
            Record::BestEffort => Self::BestEffort,
        }
    }
}

impl From<Fail> for FailMode {
    fn from(fail: Fail) -> Self {
        match fail {
            Fail::Open => Self::Open,
            Fail::Closed => Self::Closed,
        }
    }
}

impl From<Provider> for ProviderState {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::Refuse => Self::Refuse,
            Provider::Forward => Self::Forward,
        }
    }
}
