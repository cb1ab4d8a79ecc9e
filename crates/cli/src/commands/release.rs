//! The server's side of `quell model`: bring a model, try it in shadow, release it by two people, go
//! back.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Context;
use crate::client::{Client, Query};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/models";
/// Largest model read.
const MODEL_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// `quell model …` against a server.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ReleaseCommand {
    /// List the models that people brought, and say which is in force.
    List,
    /// Bring a candidate: it is gated against the model in force. Exit code 5 if the gate refuses.
    Propose {
        /// The file that `quell model train` wrote.
        file: PathBuf,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Let gateways try a candidate beside the model in force; it decides nothing.
    Shadow {
        /// Its SHA-256, or the first 8 or more digits of it.
        model: String,
        /// End the trial.
        #[arg(long)]
        stop: bool,
    },
    /// Ask for the release of the model in shadow; somebody else grants it with
    /// `quell contain approve`.
    Release {
        /// Its SHA-256, or the first 8 or more digits of it.
        model: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Go back to the model that was in force before the present one.
    Rollback {
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

const COLUMNS: [(&str, &str); 9] = [
    ("MODEL", "/short"),
    ("NAME", "/name"),
    ("STATE", "/state"),
    ("GATE", "/gate_said"),
    ("BY", "/proposed_by"),
    ("AT", "/proposed_at"),
    ("JUDGED", "/shadow/judged"),
    ("FLAGS NOW", "/shadow/flagged_now"),
    ("WOULD FLAG", "/shadow/flagged_then"),
];

const GATE: [(&str, &str); 12] = [
    ("model", "/sha256"),
    ("name", "/name"),
    ("gate passed", "/gate/passed"),
    ("because", "/gate/reasons"),
    ("known attacks", "/gate/attacks"),
    ("caught before", "/gate/attacks_before"),
    ("caught now", "/gate/attacks_after"),
    ("harmless texts", "/gate/harmless"),
    ("alarms before", "/gate/alarms_before"),
    ("alarms now", "/gate/alarms_after"),
    ("labels", "/gate/feedback"),
    ("agreed now", "/gate/feedback_after"),
];

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: ReleaseCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        ReleaseCommand::List => {
            let all = client.get(PATH).await?;
            cx.show(&all, listed)
        }
        ReleaseCommand::Propose { file, reason } => propose(cx, &client, &file, &reason).await,
        ReleaseCommand::Shadow { model, stop } => {
            let sha256 = resolve(&client, &model).await?;
            let path = format!("{PATH}/{sha256}/shadow");
            if stop {
                client.delete(&path).await?;
                let said = json!({"sha256": sha256, "state": "candidate"});
                return cx.done(&said, &format!("{} is not tried any more", short(&sha256)));
            }
            let record = client.put(&path, &Value::Null).await?;
            cx.done(&record, &format!("{} judges beside the one in force", short(&sha256)))
        }
        ReleaseCommand::Release { model, reason } => {
            let sha256 = resolve(&client, &model).await?;
            let path = format!("{PATH}/{sha256}/release");
            let approval = client.post(&path, &json!({"reason": reason})).await?;
            let id = output::cell(&approval, "/id");
            let text = format!(
                "approval {id} requested (lapses {}). Somebody else: \
                 quell contain approve {id} --reason …",
                output::cell(&approval, "/expires_at")
            );
            cx.done(&approval, &text)
        }
        ReleaseCommand::Rollback { reason } => {
            cx.confirm("Go back to the model before? Gateways take it with the next epoch.")?;
            let said = client.post(&format!("{PATH}/rollback"), &json!({"reason": reason})).await?;
            let to = match output::cell(&said, "/model/sha256") {
                none if none.is_empty() => "the model that ships".to_owned(),
                sha256 => short(&sha256).to_owned(),
            };
            cx.done(&said, &format!("in force: {to}"))
        }
    }
}

async fn propose(cx: &Context, client: &Client, file: &Path, reason: &str) -> Result<(), Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if size > MODEL_BYTES_MAX {
        return Err(wrong(format!("larger than {MODEL_BYTES_MAX} bytes")));
    }
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let path = Query::new().with("reason", Some(reason)).of(PATH);
    let record = client.upload(&path, bytes.into()).await?;
    cx.show(&record, |record| output::list(record, &GATE))?;
    if record["gate"]["passed"] == true {
        return Ok(());
    }
    Err(Failure::negative("the gate refuses this model; it is stored and cannot be released"))
}

/// The one model whose digest begins with `model`.
async fn resolve(client: &Client, model: &str) -> Result<String, Failure> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !(8..=64).contains(&model.len()) || !digits(model) {
        return Err(Failure::usage("a model is named by 8 to 64 digits of its SHA-256"));
    }
    let all = client.get(PATH).await?;
    let known = output::rows(&all, "/models").iter().filter_map(|row| row["sha256"].as_str());
    let mut found = known.filter(|sha256| sha256.starts_with(&model.to_ascii_lowercase()));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.to_owned()),
        (None, _) => {
            Err(Failure::usage(format!("there is no model {model}; see `quell model list`")))
        }
        (Some(_), Some(_)) => Err(Failure::usage(format!("{model} names several models"))),
    }
}

fn listed(all: &Value) -> String {
    let rows = output::rows(all, "/models").iter().cloned().map(|mut row| {
        row["short"] = json!(short(&output::cell(&row, "/sha256")));
        row["gate_said"] = json!(if row["gate"]["passed"] == true { "passed" } else { "refused" });
        row
    });
    let rows: Vec<Value> = rows.collect();
    let current = output::cell(all, "/current");
    let shipped = if all["current"] == all["shipped"] { " (ships with this release)" } else { "" };
    format!("in force: {}{shipped}\n{}", short(&current), output::table(&rows, &COLUMNS))
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
