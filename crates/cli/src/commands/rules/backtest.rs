//! `quell rules backtest`: what rules would have done to recorded traffic, before they go live.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use quell_control::rules::{Traffic, over_logs};
use quell_domain::snapshot::ContentFile;
use quell_domain::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{PATH, compiled, files};
use crate::client::{Client, segment};
use crate::commands::{Context, moment};
use crate::exit::Failure;
use crate::output;

/// Texts shown by `--show-text`.
const TEXTS: usize = 5;

/// `quell rules backtest`
#[derive(Debug, clap::Args)]
pub(crate) struct BacktestArgs {
    /// A folder with rules/ and patterns/ that are proposed; its rules are tested.
    #[arg(required_unless_present = "rule", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Test this rule: one in force, or one of the folder.
    #[arg(long)]
    rule: Option<String>,
    /// Exchanges of this application only.
    #[arg(long)]
    app: Option<String>,
    /// Exchanges at or after: a time, or a span back like 7d; a week when absent.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    since: Option<Timestamp>,
    /// Exchanges before.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    until: Option<Timestamp>,
    /// The newest so many.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Offline: read the interaction logs in this folder (data/lake) instead of asking the server.
    /// The result is not kept, so a promotion cannot rest on it.
    #[arg(long, value_name = "LAKE")]
    lake: Option<PathBuf>,
    /// Show the text of the first matches, for this reason. Stored in the timeline.
    #[arg(long, value_name = "REASON", conflicts_with = "lake")]
    show_text: Option<String>,
}

/// Runs the backtest.
pub(super) async fn run(cx: &Context, args: BacktestArgs) -> Result<(), Failure> {
    let proposed = args.folder.as_deref().map(files::read).transpose()?.unwrap_or_default();
    let mut found = if let Some(lake) = &args.lake {
        offline(&args, lake.clone(), &proposed)?
    } else {
        let body = json!({
            "rule": args.rule, "files": proposed, "application": args.app,
            "from": args.since, "to": args.until, "limit": args.limit,
        });
        cx.client()?.post(&format!("{PATH}/backtest"), &body).await?
    };
    if let Some(reason) = &args.show_text {
        found["texts"] = texts(&cx.client()?, &found, reason).await?;
    }
    cx.show(&found, people)
}

fn offline(args: &BacktestArgs, lake: PathBuf, proposed: &[ContentFile]) -> Result<Value, Failure> {
    let rules = Arc::new(compiled(proposed)?);
    let of_folder = |pack: &str| proposed.iter().any(|file| file.path == pack);
    let tested: BTreeSet<String> = rules
        .rules()
        .iter()
        .filter(|info| match &args.rule {
            Some(rule) => info.id == *rule,
            None => of_folder(&info.pack),
        })
        .map(|info| info.id.clone())
        .collect();
    if tested.is_empty() {
        return Err(Failure::usage("there is no such rule; see `quell rules list --shipped`"));
    }
    let now = SystemClock::new().now();
    let week = SignedDuration::from_hours(24 * 7);
    let traffic = Traffic {
        application: args.app.clone(),
        from: args.since.unwrap_or_else(|| now.checked_sub(week).unwrap_or(now)),
        to: args.until.unwrap_or(now),
        limit: args.limit as usize,
    };
    let outcome = over_logs(&[lake], rules, &tested, traffic, &BTreeMap::new())
        .map_err(|refused| Failure::error(refused.to_string()))?;
    Ok(json!({
        "application": outcome.traffic.application, "from": outcome.traffic.from,
        "to": outcome.traffic.to, "truncated": outcome.truncated,
        "share": outcome.report.share(), "report": outcome.report,
    }))
}

async fn texts(client: &Client, found: &Value, reason: &str) -> Result<Value, Failure> {
    let mut texts = Vec::new();
    for example in output::rows(found, "/report/examples").iter().take(TEXTS) {
        let id = example["interaction"].as_str().unwrap_or_default();
        let path = format!("/api/v1/interactions/{}/text", segment(id));
        let read = client.post(&path, &json!({"reason": reason})).await?;
        texts.push(json!({"interaction": id, "request": read["interaction"]["request"]}));
    }
    Ok(Value::Array(texts))
}

const COUNTS: [(&str, &str); 12] = [
    ("judged", "/report/judged"),
    ("without text", "/report/without_text"),
    ("judged in part", "/report/not_evaluated"),
    ("matched", "/report/matched"),
    ("would block", "/report/would_block"),
    ("would redact", "/report/would_redact"),
    ("stopped anyway", "/report/already_stopped"),
    ("suppressed", "/report/suppressed"),
    ("principals seen", "/report/principals"),
    ("principals affected", "/report/affected"),
    ("share of traffic", "/percent"),
    ("span", "/span"),
];

fn people(found: &Value) -> String {
    let mut counts = found.clone();
    let share = found["share"].as_f64().unwrap_or(0.0);
    counts["percent"] = json!(format!("{:.3} %", 100.0 * share));
    let [from, to] = ["/from", "/to"].map(|place| output::cell(found, place));
    let newest = if found["truncated"] == true { ", the newest of more" } else { "" };
    counts["span"] = json!(format!("{from} to {to}{newest}"));
    let mut parts = vec![output::list(&counts, &COUNTS)];
    let rules = output::rows(found, "/report/rules");
    let columns = [("RULE", "/rule"), ("MATCHED", "/matched"), ("PRINCIPALS", "/affected")];
    parts.push(output::table(rules, &columns));
    let series = output::rows(found, "/report/series");
    if !series.is_empty() {
        let columns = [("FROM", "/from"), ("JUDGED", "/judged"), ("MATCHED", "/matched")];
        parts.push(output::table(series, &columns));
    }
    let examples = output::rows(found, "/report/examples");
    if !examples.is_empty() {
        let columns = [
            ("EXCHANGE", "/interaction"),
            ("AT", "/at"),
            ("APPLICATION", "/application"),
            ("OUTCOME", "/outcome"),
            ("RULES", "/rules"),
        ];
        parts.push(output::table(examples, &columns));
    }
    for text in output::rows(found, "/texts") {
        let mut lines = vec![output::cell(text, "/interaction")];
        for field in output::rows(text, "/request") {
            let said = output::plain(field["text"].as_str().unwrap_or_default());
            lines.push(format!("  {}: {said}", output::cell(field, "/role")));
        }
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}
