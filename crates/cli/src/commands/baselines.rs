//! `quell baselines`: what is normal for each application, and what left it.

use serde_json::{Value, json};

use super::Context;
use crate::client::{Query, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/baselines";

/// `quell baselines …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum BaselinesCommand {
    /// List every scope: what is known of it, and what alarms now.
    List,
    /// Show one metric of an application or of a part of it, and its alarms.
    Show(Box<ShowArgs>),
    /// Set how many false alarms a week are bearable.
    Set {
        /// The application.
        app: String,
        /// For each of its scopes, a week: 0.1 to 50. Thresholds follow at midnight, UTC.
        #[arg(long, value_name = "N")]
        false_alarms_per_week: f64,
    },
}

/// `quell baselines show`
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The application.
    app: String,
    /// application, model, endpoint, principal, tool.
    #[arg(long)]
    dimension: Option<String>,
    /// Which model, endpoint, principal class or tool.
    #[arg(long)]
    part: Option<String>,
    /// The metric; requests by default.
    #[arg(long)]
    metric: Option<String>,
    /// Hours shown, 1 to 336; 24 by default.
    #[arg(long, value_name = "N")]
    hours: Option<u32>,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: BaselinesCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        BaselinesCommand::List => {
            let all = client.get(PATH).await?;
            cx.show(&all, listed)
        }
        BaselinesCommand::Show(args) => {
            let query = Query::new()
                .with("dimension", args.dimension)
                .with("part", args.part)
                .with("metric", args.metric)
                .with("hours", args.hours);
            let found = client.get(&query.of(&format!("{PATH}/{}", segment(&args.app)))).await?;
            cx.show(&found, shown)
        }
        BaselinesCommand::Set { app, false_alarms_per_week } => {
            let body = json!({"false_alarms_per_week": false_alarms_per_week});
            client.put(&format!("{PATH}/{}/budget", segment(&app)), &body).await?;
            let text = format!(
                "{app}: {false_alarms_per_week} false alarms a week for each scope; thresholds \
                 follow at midnight, UTC"
            );
            cx.done(
                &json!({"application": app, "false_alarms_per_week": false_alarms_per_week}),
                &text,
            )
        }
    }
}

fn listed(all: &Value) -> String {
    let rows: Vec<Value> = output::rows(all, "")
        .iter()
        .map(|row| {
            let alarming: Vec<String> = output::rows(row, "/alarming")
                .iter()
                .map(|a| format!("{} {}", output::cell(a, "/metric"), output::cell(a, "/change")))
                .collect();
            let mut row = row.clone();
            row["state"] = if alarming.is_empty() {
                row["phase"].clone()
            } else {
                json!(format!("ALARM {}", alarming.join(", ")))
            };
            row
        })
        .collect();
    if rows.is_empty() {
        return "no application has traffic yet".to_owned();
    }
    output::table(
        &rows,
        &[
            ("APPLICATION", "/application"),
            ("DIMENSION", "/dimension"),
            ("PART", "/part"),
            ("STATE", "/state"),
            ("ALARMS 7D", "/alarms_7d"),
            ("LAST SEEN", "/last_seen"),
        ],
    )
}

fn shown(found: &Value) -> String {
    let mut text = output::list(
        found,
        &[
            ("metric", "/metric"),
            ("unit", "/unit"),
            ("phase", "/baseline/phase"),
            ("false alarms a week", "/false_alarms_per_week"),
            ("factor on thresholds", "/factor"),
        ],
    );
    let points: Vec<Value> = output::rows(found, "/points").iter().map(point).collect();
    let last = points.len().saturating_sub(24);
    text.push_str("\n\n");
    text.push_str(&output::table(
        &points[last..],
        &[
            ("FROM", "/at"),
            ("VALUE", "/value"),
            ("EXPECTED", "/expected"),
            ("LOW", "/low"),
            ("HIGH", "/high"),
        ],
    ));
    let alarms = output::rows(found, "/alarms");
    if !alarms.is_empty() {
        text.push_str("\n\n");
        text.push_str(&output::table(
            alarms,
            &[
                ("ALARM", "/metric"),
                ("CHANGE", "/change"),
                ("SINCE", "/since"),
                ("UNTIL", "/until"),
                ("VALUE", "/value"),
                ("EXPECTED", "/expected"),
            ],
        ));
    }
    text
}

/// A cell with its time in words.
fn point(point: &Value) -> Value {
    let mut point = point.clone();
    let at = point["start"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok());
    point["at"] = json!(at.map(|at| at.strftime("%m-%d %H:%M").to_string()));
    point
}
