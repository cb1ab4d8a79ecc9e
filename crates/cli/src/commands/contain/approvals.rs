//! Approvals: asked for by proposing a shutdown, decided by somebody else, spent once.

use serde_json::{Value, json};

use super::watch::{self, Goal, Waiting};
use crate::client::{Client, Query, segment};
use crate::commands::Context;
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/approvals";
/// Pages looked through for one approval.
const PAGES_MAX: usize = 20;

/// `quell contain approve`
#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    /// The approval (apr_…), or the measure it is about (mea_…).
    id: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Apply the measure at once.
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    waiting: Waiting,
}

/// `quell contain approvals`
#[derive(Debug, clap::Args)]
pub(crate) struct ApprovalsArgs {
    /// Only undecided ones.
    #[arg(long)]
    pending: bool,
    #[command(flatten)]
    page: output::Page,
}

/// Grants an approval.
pub(super) async fn approve(
    cx: &Context,
    client: &Client,
    args: &ApproveArgs,
) -> Result<(), Failure> {
    let id = if args.id.starts_with("mea_") {
        output::cell(&for_measure(client, &args.id).await?, "/id")
    } else {
        args.id.clone()
    };
    if args.waiting.is_wanted() && !args.apply {
        return Err(Failure::usage(
            "--wait goes with --apply: an approval alone changes no traffic",
        ));
    }
    let body = json!({"grant": true, "reason": args.reason, "apply": args.apply});
    if !args.apply {
        return decide(cx, client, &id, &body).await;
    }
    let made = client.post(&format!("{PATH}/{}/decision", segment(&id)), &body).await?;
    watch::finish(cx, client, &made, &args.waiting, Goal::Verified).await
}

/// Decides an approval.
pub(super) async fn decide(
    cx: &Context,
    client: &Client,
    id: &str,
    body: &Value,
) -> Result<(), Failure> {
    let made = client.post(&format!("{PATH}/{}/decision", segment(id)), body).await?;
    cx.show(&made, |made| {
        let decision = output::cell(made, "/approval/decision");
        let measure = output::cell(made, "/approval/measure");
        let next = if decision == "approved" {
            format!("; `quell contain accept {measure}` applies it")
        } else {
            String::new()
        };
        format!("{id} {decision}{next}")
    })
}

/// Lists approvals.
pub(super) async fn list(
    cx: &Context,
    client: &Client,
    args: &ApprovalsArgs,
) -> Result<(), Failure> {
    let query = Query::new().with("pending", args.pending.then_some(true));
    let page = client.get(&args.page.add_to(query).of(PATH)).await?;
    cx.show(&page, |page| output::page(page, &COLUMNS))
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "/id"),
    ("SUMMARY", "/summary"),
    ("MEASURE", "/measure"),
    ("BY", "/requester"),
    ("LAPSES", "/expires_at"),
    ("DECISION", "/decision"),
    ("USED", "/used_at"),
];

/// The newest approval about `measure`.
pub(super) async fn for_measure(client: &Client, measure: &str) -> Result<Value, Failure> {
    find(client, |approval| approval["measure"] == measure)
        .await?
        .ok_or_else(|| Failure::refused(format!("no approval was requested for {measure}")))
}

/// The measure that `approval` is about, if it is the one that `wanted` describes. An approval is
/// bound to the exact action; what else was typed would be ignored.
pub(super) async fn measure_for(
    client: &Client,
    approval: &str,
    wanted: &Value,
) -> Result<String, Failure> {
    let found = find(client, |known| known["id"] == approval).await?;
    let found =
        found.ok_or_else(|| Failure::refused(format!("there is no approval {approval}")))?;
    let id = output::cell(&found, "/measure");
    let detail = client.get(&super::at(&id, "")).await?;
    for part in ["application", "target", "effect"] {
        if detail["measure"][part] != wanted[part] {
            return Err(Failure::usage(format!(
                "{approval} is for another {part}: {}; you asked for {}",
                detail["measure"][part], wanted[part]
            )));
        }
    }
    Ok(id)
}

async fn find(client: &Client, is: impl Fn(&Value) -> bool) -> Result<Option<Value>, Failure> {
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let query = Query::new().with("limit", Some(500)).with("cursor", cursor.as_ref());
        let page = client.get(&query.of(PATH)).await?;
        if let Some(found) = output::rows(&page, "/items").iter().find(|row| is(row)) {
            return Ok(Some(found.clone()));
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    Ok(None)
}
