//! `quell incident`: the cases.

use clap::ValueEnum;
use jiff::Timestamp;
use quell_domain::{IncidentKind, IncidentState, Severity};
use serde_json::{Value, json};

use super::{Context, moment};
use crate::client::{Client, Query, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/incidents";

/// `quell incident …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum IncidentCommand {
    /// List incidents, newest first; only open ones unless told otherwise.
    List(Box<ListArgs>),
    /// Show one incident with its measures and latest signals.
    Show {
        /// Its number (INC-2026-0001) or id.
        incident: String,
    },
    /// Declare an incident that no rule saw.
    Declare(DeclareArgs),
    /// Move an incident through its states.
    Transition(TransitionArgs),
    /// Set how bad it is. Only people lower a severity.
    Severity {
        /// Its number or id.
        incident: String,
        /// critical, high, medium, low.
        severity: Severity,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Set what sort of incident it is.
    Kind {
        /// Its number or id.
        incident: String,
        /// E.g. jailbreak, prompt_injection, data_exfiltration.
        kind: IncidentKind,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// List the incident roles, and who holds or held each.
    Roles {
        /// Its number or id.
        incident: String,
    },
    /// Give a person an incident role from now on.
    Assign {
        /// Its number or id.
        incident: String,
        /// The role; see `quell incident roles`.
        role: String,
        /// The person's account name.
        person: String,
    },
    /// Take an incident role back from a person.
    Renounce {
        /// Its number or id.
        incident: String,
        /// The role.
        role: String,
        /// The person's account name.
        person: String,
    },
    /// Write a note into the timeline. No prompt or response text: refer to the interaction.
    Note {
        /// Its number or id.
        incident: String,
        /// The note.
        text: String,
        /// The event it corrects, evt_….
        #[arg(long, value_name = "EVENT")]
        corrects: Option<String>,
    },
    /// Print the timeline, oldest first.
    Timeline {
        /// Its number or id.
        incident: String,
        /// Only events after this sequence number.
        #[arg(long, default_value_t = 0, value_name = "N")]
        after: i64,
    },
    /// Close an incident.
    Close {
        /// Its number or id.
        incident: String,
        /// Why it is over.
        #[arg(long)]
        reason: String,
    },
}

/// `quell incident list`
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Ended ones too.
    #[arg(long, conflicts_with = "ended")]
    all: bool,
    /// Only ended ones.
    #[arg(long)]
    ended: bool,
    /// In this state.
    #[arg(long)]
    state: Option<IncidentState>,
    /// Of this severity.
    #[arg(long)]
    severity: Option<Severity>,
    /// Of this kind.
    #[arg(long)]
    kind: Option<IncidentKind>,
    /// In this application.
    #[arg(long)]
    app: Option<String>,
    /// With this text in title or number.
    #[arg(long)]
    text: Option<String>,
    /// Opened at or after: a time, or a span back like 2h.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    since: Option<Timestamp>,
    /// Opened before.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    until: Option<Timestamp>,
    #[command(flatten)]
    page: output::Page,
}

/// `quell incident declare`
#[derive(Debug, clap::Args)]
pub(crate) struct DeclareArgs {
    /// The application.
    #[arg(long)]
    app: String,
    /// What sort: jailbreak, prompt_injection, data_exfiltration, …, unclassified.
    #[arg(long, default_value = "unclassified")]
    kind: IncidentKind,
    /// How bad: critical, high, medium, low.
    #[arg(long)]
    severity: Severity,
    /// One line for lists.
    #[arg(long)]
    title: String,
    /// What happened.
    #[arg(long, default_value = "")]
    summary: String,
}

/// `quell incident transition`
#[derive(Debug, clap::Args)]
pub(crate) struct TransitionArgs {
    /// Its number or id.
    incident: String,
    /// What happens to it.
    #[arg(value_enum)]
    event: Happening,
    /// Why; needed for dismiss, relapse, close and reopen.
    #[arg(long, default_value = "")]
    reason: String,
    /// For merge: the incident it continues in, number or id.
    #[arg(long, value_name = "INCIDENT", required_if_eq("event", "merge"))]
    into: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Happening {
    /// It is one: people are on it.
    #[value(alias = "declared")]
    Declare,
    /// It was none.
    #[value(alias = "dismissed")]
    Dismiss,
    /// It continues in another.
    #[value(alias = "merged")]
    Merge,
    /// Harm has stopped.
    #[value(alias = "contained")]
    Contain,
    /// Harm goes on after all.
    #[value(alias = "relapsed")]
    Relapse,
    /// Work on the cause begins.
    #[value(alias = "eradicating")]
    Eradicate,
    /// Traffic comes back step by step.
    #[value(alias = "recovering")]
    Recover,
    /// Back to normal, watched.
    #[value(alias = "monitoring")]
    Monitor,
    /// Done.
    #[value(alias = "closed")]
    Close,
    /// It was not over.
    #[value(alias = "reopened")]
    Reopen,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: IncidentCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        IncidentCommand::List(args) => list(cx, &client, &args).await,
        IncidentCommand::Show { incident } => {
            let detail = client.get(&at(&incident, "")).await?;
            cx.show(&detail, shown)
        }
        IncidentCommand::Declare(args) => {
            let body = json!({
                "application": args.app, "kind": args.kind, "severity": args.severity,
                "title": args.title, "summary": args.summary,
            });
            let made = client.post(PATH, &body).await?;
            cx.show(&made, |made| format!("{} declared", output::cell(made, "/incident/number")))
        }
        IncidentCommand::Transition(args) => {
            let event = args.event.to_possible_value().map(|value| value.get_name().to_owned());
            let body = json!({"event": event, "reason": args.reason, "into": args.into});
            change(cx, &client, &args.incident, &body).await
        }
        IncidentCommand::Close { incident, reason } => {
            let body = json!({"event": "close", "reason": reason});
            change(cx, &client, &incident, &body).await
        }
        IncidentCommand::Severity { incident, severity, reason } => {
            let body = json!({"severity": severity, "reason": reason});
            let made = client.put(&at(&incident, "/severity"), &body).await?;
            cx.show(&made, |made| stands(made, "/incident/severity"))
        }
        IncidentCommand::Kind { incident, kind, reason } => {
            let body = json!({"kind": kind, "reason": reason});
            let made = client.put(&at(&incident, "/kind"), &body).await?;
            cx.show(&made, |made| stands(made, "/incident/kind"))
        }
        IncidentCommand::Roles { incident } => {
            let roles = client.get(&at(&incident, "/roles")).await?;
            cx.show(&roles, |roles| roles_shown(output::rows(roles, "")))
        }
        IncidentCommand::Assign { incident, role, person } => {
            let path = format!("/roles/{}/{}", segment(&role), segment(&person));
            client.put(&at(&incident, &path), &json!({})).await?;
            let made = json!({"incident": incident, "role": role, "person": person});
            cx.done(&made, &format!("{person} is {role} of {incident}"))
        }
        IncidentCommand::Renounce { incident, role, person } => {
            let path = format!("/roles/{}/{}", segment(&role), segment(&person));
            client.delete(&at(&incident, &path)).await?;
            let made = json!({"incident": incident, "role": role, "person": person});
            cx.done(&made, &format!("{person} is no longer {role} of {incident}"))
        }
        IncidentCommand::Note { incident, text, corrects } => {
            let body = json!({"text": text, "corrects": corrects});
            let made = client.post(&at(&incident, "/notes"), &body).await?;
            cx.show(&made, |made| format!("note {} added", output::cell(made, "/id")))
        }
        IncidentCommand::Timeline { incident, after } => {
            let events = timeline(&client, &incident, after).await?;
            cx.show(&events, |events| timeline_shown(output::rows(events, "")))
        }
    }
}

fn at(incident: &str, rest: &str) -> String {
    format!("{PATH}/{}{rest}", segment(incident))
}

async fn list(cx: &Context, client: &Client, args: &ListArgs) -> Result<(), Failure> {
    let open = match (args.all || args.state.is_some(), args.ended) {
        (_, true) => Some(false),
        (true, false) => None,
        (false, false) => Some(true),
    };
    let query = Query::new()
        .with("open", open)
        .with("state", args.state)
        .with("severity", args.severity)
        .with("kind", args.kind)
        .with("application", args.app.as_ref())
        .with("text", args.text.as_ref())
        .with("from", args.since)
        .with("to", args.until);
    let page = client.get(&args.page.add_to(query).of(PATH)).await?;
    cx.show(&page, |page| output::page(page, &COLUMNS))
}

const COLUMNS: [(&str, &str); 7] = [
    ("NUMBER", "/number"),
    ("SEVERITY", "/severity"),
    ("STATE", "/state"),
    ("KIND", "/kind"),
    ("APPLICATION", "/application"),
    ("OPENED", "/opened_at"),
    ("TITLE", "/title"),
];

async fn change(cx: &Context, client: &Client, name: &str, body: &Value) -> Result<(), Failure> {
    let made = client.post(&at(name, "/changes"), body).await?;
    cx.show(&made, |made| stands(made, "/incident/state"))
}

fn stands(made: &Value, pointer: &str) -> String {
    format!("{} is now {}", output::cell(made, "/incident/number"), output::cell(made, pointer))
}

/// The whole timeline after `after`; the API gives a thousand events at a time.
async fn timeline(client: &Client, incident: &str, after: i64) -> Result<Value, Failure> {
    let (mut events, mut after) = (Vec::new(), after);
    loop {
        let query = Query::new().with("after", Some(after));
        let batch = client.get(&query.of(&at(incident, "/timeline"))).await?;
        let batch = output::rows(&batch, "");
        let last = batch.last().and_then(|event| event["sequence"].as_i64());
        events.extend_from_slice(batch);
        match last {
            Some(last) if last > after => after = last,
            _ => return Ok(Value::Array(events)),
        }
    }
}

fn shown(detail: &Value) -> String {
    let mut parts = vec![output::list(
        detail,
        &[
            ("number", "/incident/number"),
            ("id", "/incident/id"),
            ("title", "/incident/title"),
            ("state", "/incident/state"),
            ("possible", "/possible"),
            ("severity", "/incident/severity"),
            ("because", "/incident/severity_rationale"),
            ("kind", "/incident/kind"),
            ("reasons", "/incident/reasons"),
            ("application", "/incident/application"),
            ("summary", "/incident/summary"),
            ("users", "/incident/affected/users"),
            ("sessions", "/incident/affected/sessions"),
            ("addresses", "/incident/affected/addresses"),
            ("keys", "/incident/affected/keys"),
            ("signals", "/incident/signal_count"),
            ("interactions", "/interactions"),
            ("first signal", "/incident/first_signal_at"),
            ("last signal", "/incident/last_signal_at"),
            ("opened", "/incident/opened_at"),
            ("declared", "/incident/declared_at"),
            ("contained", "/incident/contained_at"),
            ("closed", "/incident/closed_at"),
            ("closed because", "/incident/closing_reason"),
            ("continues in", "/incident/merged_into"),
        ],
    )];
    let measures = super::contain::table(output::rows(detail, "/measures"));
    parts.push(format!("measures\n{measures}"));
    let signals = output::table(output::rows(detail, "/signals"), &SIGNALS);
    parts.push(format!("latest signals\n{signals}"));
    parts.join("\n\n")
}

const SIGNALS: [(&str, &str); 5] = [
    ("AT", "/at"),
    ("RULE", "/signal/rule"),
    ("SEVERITY", "/signal/severity"),
    ("USER", "/principal/user/value"),
    ("INTERACTION", "/interaction"),
];

fn roles_shown(roles: &[Value]) -> String {
    let mut lines = Vec::new();
    for role in roles {
        let people = output::rows(role, "/assignments");
        if people.is_empty() {
            lines.push(json!({"role": role["role"], "title": role["title"]}));
        }
        for person in people {
            let mut line = person.clone();
            line["role"].clone_from(&role["role"]);
            line["title"].clone_from(&role["title"]);
            lines.push(line);
        }
    }
    output::table(
        &lines,
        &[
            ("ROLE", "/role"),
            ("TITLE", "/title"),
            ("PERSON", "/person"),
            ("SINCE", "/assumed_at"),
            ("UNTIL", "/renounced_at"),
        ],
    )
}

fn timeline_shown(events: &[Value]) -> String {
    if events.is_empty() {
        return "(none)".into();
    }
    let line = |event: &Value| {
        let data = event["data"].as_object().into_iter().flatten();
        let data: Vec<String> =
            data.map(|(key, value)| format!("{key}={}", output::cell(value, ""))).collect();
        let [sequence, at, kind, actor] = ["/sequence", "/occurred_at", "/kind", "/actor"]
            .map(|place| output::cell(event, place));
        format!("{sequence:>4}  {at}  {kind}  by {actor}  {}", data.join(" ")).trim_end().to_owned()
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}
