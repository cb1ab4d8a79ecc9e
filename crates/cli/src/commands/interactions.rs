//! `quell interactions`: what went through the gateways. Text is shown for a reason only, and that
//! it was read is an event.

use jiff::Timestamp;
use quell_domain::interaction::Outcome;
use serde_json::{Value, json};

use super::{Context, moment};
use crate::client::{Client, Query, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/interactions";

/// `quell interactions …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum InteractionsCommand {
    /// List exchanges without their text, newest first.
    List(Box<ListArgs>),
    /// Show one exchange; its text only with --reason.
    Show {
        /// Its id, int_….
        interaction: String,
        /// Why you read the text. Stored in the timeline.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Find exchanges by their text, in any case. That it was searched is an event.
    Search(SearchArgs),
}

/// `quell interactions list`
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Of this application.
    #[arg(long)]
    app: Option<String>,
    /// By this user.
    #[arg(long)]
    user: Option<String>,
    /// In this session.
    #[arg(long)]
    session: Option<String>,
    /// allowed, would_block, degraded, redacted, blocked, fallback, shut_down.
    #[arg(long)]
    outcome: Option<Outcome>,
    /// In which this rule matched.
    #[arg(long)]
    rule: Option<String>,
    /// Only those with findings.
    #[arg(long)]
    flagged: bool,
    /// Of this incident (number or id), oldest first, with why each belongs to it.
    #[arg(long, conflicts_with_all = ["app", "user", "session", "outcome", "rule", "flagged", "since", "until"])]
    incident: Option<String>,
    #[command(flatten)]
    span: Span,
    /// For --incident: where the page before ended.
    #[arg(long, requires = "incident")]
    cursor: Option<String>,
}

/// `quell interactions search`
#[derive(Debug, clap::Args)]
pub(crate) struct SearchArgs {
    /// The text to find.
    text: String,
    /// In this application.
    #[arg(long)]
    app: Option<String>,
    #[command(flatten)]
    span: Span,
}

/// When, and how many.
#[derive(Debug, clap::Args)]
struct Span {
    /// At or after: a time, or a span back like 2h.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    since: Option<Timestamp>,
    /// Before; for the next page, the time of the last line.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    until: Option<Timestamp>,
    /// At most so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: Option<u32>,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: InteractionsCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        InteractionsCommand::List(args) => match &args.incident {
            Some(incident) => of_incident(cx, &client, incident, &args).await,
            None => list(cx, &client, &args).await,
        },
        InteractionsCommand::Show { interaction, reason: None } => {
            let summary = client.get(&format!("{PATH}/{}", segment(&interaction))).await?;
            cx.show(&summary, |summary| {
                let facts = output::list(summary, &FACTS);
                format!("{facts}\n\nThe text is shown with --reason; that it was read is recorded.")
            })
        }
        InteractionsCommand::Show { interaction, reason: Some(reason) } => {
            let path = format!("{PATH}/{}/text", segment(&interaction));
            let read = client.post(&path, &json!({"reason": reason})).await?;
            cx.show(&read, text_shown)
        }
        InteractionsCommand::Search(args) => {
            let body = json!({
                "text": args.text, "application": args.app, "from": args.span.since,
                "to": args.span.until, "limit": args.span.limit,
            });
            let found = client.post(&format!("{PATH}/search"), &body).await?;
            cx.show(&found, |found| output::table(output::rows(found, ""), &COLUMNS))
        }
    }
}

async fn list(cx: &Context, client: &Client, args: &ListArgs) -> Result<(), Failure> {
    let query = Query::new()
        .with("application", args.app.as_ref())
        .with("user", args.user.as_ref())
        .with("session", args.session.as_ref())
        .with("outcome", args.outcome)
        .with("rule", args.rule.as_ref())
        .with("flagged", args.flagged.then_some(true))
        .with("from", args.span.since)
        .with("to", args.span.until)
        .with("limit", args.span.limit);
    let found = client.get(&query.of(PATH)).await?;
    cx.show(&found, |found| output::table(output::rows(found, ""), &COLUMNS))
}

async fn of_incident(
    cx: &Context,
    client: &Client,
    incident: &str,
    args: &ListArgs,
) -> Result<(), Failure> {
    let query = Query::new().with("limit", args.span.limit).with("cursor", args.cursor.as_ref());
    let path = format!("/api/v1/incidents/{}/interactions", segment(incident));
    let page = client.get(&query.of(&path)).await?;
    cx.show(&page, |page| {
        output::page(
            page,
            &[
                ("ID", "/interaction"),
                ("AT", "/at"),
                ("USER", "/principal/user/value"),
                ("SESSION", "/principal/session/value"),
                ("WHY", "/why"),
            ],
        )
    })
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "/id"),
    ("AT", "/at"),
    ("APPLICATION", "/application"),
    ("USER", "/principal/user/value"),
    ("OUTCOME", "/outcome"),
    ("STATUS", "/status"),
    ("FINDINGS", "/findings"),
];

const FACTS: [(&str, &str); 16] = [
    ("id", "/id"),
    ("at", "/at"),
    ("application", "/application"),
    ("surface", "/endpoint"),
    ("stream", "/stream"),
    ("model", "/model"),
    ("user", "/principal/user/value"),
    ("trust grade", "/principal/user/grade"),
    ("session", "/principal/session/value"),
    ("address", "/principal/address"),
    ("key", "/principal/key"),
    ("status", "/status"),
    ("outcome", "/outcome"),
    ("cut", "/cut"),
    ("findings", "/findings"),
    ("gateway", "/gateway"),
];

fn text_shown(read: &Value) -> String {
    let record = &read["interaction"];
    let mut parts = vec![output::list(
        read,
        &[
            ("id", "/interaction/id"),
            ("at", "/interaction/started_at"),
            ("application", "/interaction/application"),
            ("incidents", "/incidents"),
            ("user", "/interaction/principal/user/value"),
            ("session", "/interaction/principal/session/value"),
            ("model", "/interaction/model_served"),
            ("upstream", "/interaction/upstream"),
            ("status", "/interaction/status"),
            ("outcome", "/interaction/outcome"),
            ("causes", "/interaction/causes"),
            ("not evaluated", "/interaction/not_evaluated"),
            ("cut", "/interaction/cut"),
            ("finish", "/interaction/finish_reasons"),
            ("epoch", "/interaction/epoch"),
        ],
    )];
    for direction in ["request", "response"] {
        for field in output::rows(record, &format!("/{direction}")) {
            let [role, part, place] =
                ["/role", "/part", "/field"].map(|pointer| output::cell(field, pointer));
            let text = output::plain_lines(field["text"].as_str().unwrap_or_default());
            parts.push(format!("--- {direction}: {role} {part} {place}\n{text}"));
        }
    }
    for call in output::rows(record, "/tool_calls") {
        let arguments = output::plain_lines(call["arguments"].as_str().unwrap_or_default());
        parts.push(format!("--- tool call: {}\n{arguments}", output::cell(call, "/name")));
    }
    for signal in output::rows(record, "/signals") {
        let [rule, title, severity] =
            ["/rule", "/title", "/severity"].map(|pointer| output::cell(signal, pointer));
        parts.push(format!("--- signal: {rule} ({severity}) {title}"));
    }
    parts.join("\n\n")
}
