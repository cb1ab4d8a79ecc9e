//! `quell key`: what clients of the gateway present.

use jiff::Timestamp;
use serde_json::json;

use super::{Context, moment};
use crate::client::{Query, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/keys";

/// `quell key …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key. Its text is shown once.
    Create(CreateArgs),
    /// List keys; texts are not kept.
    List {
        /// Only of this application.
        #[arg(long)]
        app: Option<String>,
    },
    /// Withdraw a key; gateways refuse it within seconds.
    Revoke {
        /// Its id, key_….
        key: String,
    },
}

/// `quell key create`
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// The application it opens.
    #[arg(long)]
    app: String,
    /// The user it stands for: requests with it then come from an authenticated principal.
    #[arg(long)]
    user: Option<String>,
    /// What it is for.
    #[arg(long, default_value = "")]
    label: String,
    /// When it stops working: a time, or a span like 90d.
    #[arg(long, value_parser = moment::future, value_name = "WHEN")]
    expires: Option<Timestamp>,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: KeyCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        KeyCommand::Create(args) => {
            let body = json!({
                "application": args.app, "label": args.label, "user": args.user,
                "expires_at": args.expires,
            });
            let made = client.post(PATH, &body).await?;
            output::secret(cx.globals.json, &made, "/key/id")
        }
        KeyCommand::List { app } => {
            let query = Query::new().with("application", app.as_ref());
            let all = client.get(&query.of(PATH)).await?;
            cx.show(&all, |all| output::table(output::rows(all, ""), &COLUMNS))
        }
        KeyCommand::Revoke { key } => {
            cx.confirm(&format!("Revoke {key}? Whoever uses it will be refused."))?;
            client.delete(&format!("{PATH}/{}", segment(&key))).await?;
            cx.done(&json!({"revoked": key}), &format!("{key} revoked"))
        }
    }
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "/id"),
    ("APPLICATION", "/application"),
    ("USER", "/user"),
    ("LABEL", "/label"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("REVOKED", "/revoked_at"),
];
