//! `quell contain`: measures, and the approvals they rest on.

mod approvals;
mod wanted;
mod watch;

use quell_domain::MeasureState;
use serde_json::{Value, json};

use super::Context;
use crate::client::{Client, Query, segment};
use crate::exit::Failure;
use crate::output;
pub(crate) use wanted::incident_id;
use wanted::{Level, Wanted};
use watch::{Goal, Waiting};

const PATH: &str = "/api/v1/measures";

/// `quell contain …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ContainCommand {
    /// Apply a measure now. `shutdown` needs --approval.
    Apply(Box<ApplyArgs>),
    /// Suggest a measure for a person to apply with `contain accept`.
    Propose(Box<Wanted>),
    /// Ask for the approval that a shutdown needs.
    RequestApproval(Box<RequestArgs>),
    /// Apply a proposed measure; at level 4 it spends the approval that was granted.
    Accept {
        /// Its id, mea_….
        measure: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Decline a proposed measure (mea_…) or deny a requested approval (apr_…).
    Reject {
        /// Which one.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Grant what somebody else asked for.
    Approve(approvals::ApproveArgs),
    /// List approvals, newest first.
    Approvals(approvals::ApprovalsArgs),
    /// Withdraw a measure in force.
    Lift {
        /// Its id, mea_….
        measure: String,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List measures, newest first; only current ones unless told otherwise.
    List(ListArgs),
    /// Show one measure, with what each gateway's probe of it met.
    Show {
        /// Its id, mea_….
        measure: String,
    },
}

/// `quell contain apply`
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// For shutdown: the approval it rests on, apr_….
    #[arg(long, value_name = "APPROVAL")]
    approval: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

/// `quell contain request-approval`
#[derive(Debug, clap::Args)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    wanted: wanted::Scope,
}

/// `quell contain list`
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Ended ones too.
    #[arg(long, conflicts_with = "ended")]
    all: bool,
    /// Only ended ones.
    #[arg(long)]
    ended: bool,
    /// Of this application.
    #[arg(long)]
    app: Option<String>,
    /// Of this incident, number or id.
    #[arg(long)]
    incident: Option<String>,
    /// In this state.
    #[arg(long)]
    state: Option<MeasureState>,
    #[command(flatten)]
    page: output::Page,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: ContainCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        ContainCommand::Apply(args) => apply(cx, &client, &args).await,
        ContainCommand::Propose(wanted) => propose(cx, &client, &wanted.body(&client).await?).await,
        ContainCommand::RequestApproval(args) => {
            let body = args.wanted.body(&client, Level::Shutdown).await?;
            propose(cx, &client, &body).await
        }
        ContainCommand::Accept { measure, waiting } => {
            let made = client.post(&at(&measure, "/apply"), &json!({})).await?;
            watch::finish(cx, &client, &made, &waiting, Goal::Verified).await
        }
        ContainCommand::Reject { id, reason } if id.starts_with("apr_") => {
            approvals::decide(cx, &client, &id, &json!({"grant": false, "reason": reason})).await
        }
        ContainCommand::Reject { id, reason } => {
            let made = client.post(&at(&id, "/reject"), &json!({"reason": reason})).await?;
            cx.show(&made, |_| format!("{id} declined"))
        }
        ContainCommand::Approve(args) => approvals::approve(cx, &client, &args).await,
        ContainCommand::Approvals(args) => approvals::list(cx, &client, &args).await,
        ContainCommand::Lift { measure, reason, waiting } => {
            cx.confirm(&format!("Lift {measure}? The traffic it stops will pass again."))?;
            let made = client.post(&at(&measure, "/lift"), &json!({"reason": reason})).await?;
            watch::finish(cx, &client, &made, &waiting, Goal::Lifted).await
        }
        ContainCommand::List(args) => list(cx, &client, &args).await,
        ContainCommand::Show { measure } => {
            let detail = client.get(&at(&measure, "")).await?;
            cx.show(&detail, shown)
        }
    }
}

fn at(measure: &str, rest: &str) -> String {
    format!("{PATH}/{}{rest}", segment(measure))
}

async fn apply(cx: &Context, client: &Client, args: &ApplyArgs) -> Result<(), Failure> {
    let body = args.wanted.body(client).await?;
    if args.wanted.is_wide() {
        cx.confirm(&format!("{}: this touches every user of it.", args.wanted.in_words()))?;
    }
    let made = match &args.approval {
        Some(approval) => {
            let measure = approvals::measure_for(client, approval, &body).await?;
            client.post(&at(&measure, "/apply"), &json!({})).await?
        }
        None => client.post(PATH, &body).await.map_err(|failure| {
            if failure.problem() == Some("measure.approval_required") {
                failure.with_help(args.wanted.how_to_get_approval())
            } else {
                failure
            }
        })?,
    };
    watch::finish(cx, client, &made, &args.waiting, Goal::Verified).await
}

/// Proposes; at level 4 that asks for an approval, whose id is shown.
async fn propose(cx: &Context, client: &Client, body: &Value) -> Result<(), Failure> {
    let mut body = body.clone();
    body["propose"] = json!(true);
    let mut made = client.post(PATH, &body).await?;
    let measure = output::cell(&made, "/measure/id");
    if body["effect"]["type"] != "shutdown" {
        let text = format!("{measure} proposed; `quell contain accept {measure}` applies it");
        return cx.done(&made, &text);
    }
    let approval = approvals::for_measure(client, &measure).await?;
    let id = output::cell(&approval, "/id");
    let until = output::cell(&approval, "/expires_at");
    made["approval"] = approval;
    let text = format!(
        "{measure} proposed, approval {id} requested (lapses {until}).\n\
         Somebody else with the access role approver grants it: quell contain approve {id} --reason …\n\
         Then it is applied with: quell contain accept {measure}"
    );
    cx.done(&made, &text)
}

async fn list(cx: &Context, client: &Client, args: &ListArgs) -> Result<(), Failure> {
    let incident = match &args.incident {
        Some(name) => Some(incident_id(client, name).await?),
        None => None,
    };
    let current = match (args.all || args.state.is_some(), args.ended) {
        (_, true) => Some(false),
        (true, false) => None,
        (false, false) => Some(true),
    };
    let query = Query::new()
        .with("application", args.app.as_ref())
        .with("incident", incident)
        .with("state", args.state)
        .with("current", current);
    let page = client.get(&args.page.add_to(query).of(PATH)).await?;
    cx.show(&page, |page| output::with_more(page, table(output::rows(page, "/items"))))
}

/// Measures as a table.
pub(crate) fn table(measures: &[Value]) -> String {
    let rows: Vec<Value> = measures
        .iter()
        .map(|measure| {
            let mut row = measure.clone();
            row["target"] = Value::String(target(&measure["target"]));
            row
        })
        .collect();
    output::table(
        &rows,
        &[
            ("ID", "/id"),
            ("LEVEL", "/effect/type"),
            ("TARGET", "/target"),
            ("APPLICATION", "/application"),
            ("STATE", "/state"),
            ("VERIFIED", "/verified_at"),
            ("UNTIL", "/expires_at"),
            ("BY", "/actor"),
        ],
    )
}

/// A target in words: `user mallory`, `pattern "…"`, `everything`.
fn target(target: &Value) -> String {
    let sort = output::cell(target, "/type");
    match sort.as_str() {
        "application" => "everything".into(),
        "pattern" => format!("pattern {:?}", output::cell(target, "/pattern/text")),
        "api_key" => format!("key {}", output::cell(target, "/key")),
        sort => format!("{sort} {}", output::cell(target, &format!("/{sort}"))),
    }
}

/// One measure with its proof.
fn shown(detail: &Value) -> String {
    let mut lines = vec![output::list(
        detail,
        &[
            ("id", "/measure/id"),
            ("level", "/measure/effect/type"),
            ("application", "/measure/application"),
            ("state", "/measure/state"),
            ("reason", "/measure/reason"),
            ("incident", "/measure/incident"),
            ("by", "/measure/actor"),
            ("approval", "/measure/approval"),
            ("epoch", "/measure/epoch"),
            ("created", "/measure/created_at"),
            ("requested", "/measure/requested_at"),
            ("acknowledged", "/measure/acknowledged_at"),
            ("verified", "/measure/verified_at"),
            ("until", "/measure/expires_at"),
            ("ended", "/measure/ended_at"),
            ("detail", "/measure/detail"),
        ],
    )];
    lines.push(format!("target        {}", target(&detail["measure"]["target"])));
    for (gateway, probe) in detail["probes"].as_object().into_iter().flatten() {
        let met = if probe["met"] == true { "met" } else { "NOT met" };
        lines.push(format!(
            "probe by {}: {met} at {}: {}",
            output::plain(gateway),
            output::cell(probe, "/at"),
            output::cell(probe, "/detail")
        ));
    }
    lines.join("\n")
}
