//! `quell token`: what programs present to the control API.

use jiff::Timestamp;
use quell_domain::AccessRole;
use serde_json::json;

use super::{Context, moment};
use crate::client::segment;
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/tokens";

/// `quell token …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token. Its text is shown once.
    Create(CreateArgs),
    /// List tokens; texts are not kept.
    List,
    /// Withdraw a token.
    Revoke {
        /// Its id, tok_….
        // Not called `token`: that is the flag of every command, and clap would take this for it.
        #[arg(value_name = "TOKEN")]
        id: String,
    },
}

/// `quell token create`
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Its name: 1 to 64 of a-z 0-9 -.
    name: String,
    /// What it may do: viewer, responder, approver, admin.
    #[arg(long, default_value = "viewer")]
    role: AccessRole,
    /// For a gateway on another machine: opens the node endpoints and nothing else.
    #[arg(long)]
    node: bool,
    /// When it stops working: a time, or a span like 90d.
    #[arg(long, value_parser = moment::future, value_name = "WHEN")]
    expires: Option<Timestamp>,
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: TokenCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        TokenCommand::Create(args) => {
            let body = json!({
                "name": args.name, "role": args.role, "node": args.node,
                "expires_at": args.expires,
            });
            let made = client.post(PATH, &body).await?;
            output::secret(cx.globals.json, &made, "/token/id")
        }
        TokenCommand::List => {
            let all = client.get(PATH).await?;
            cx.show(&all, |all| output::table(output::rows(all, ""), &COLUMNS))
        }
        TokenCommand::Revoke { id } => {
            cx.confirm(&format!("Revoke {id}? Whatever uses it will be refused."))?;
            client.delete(&format!("{PATH}/{}", segment(&id))).await?;
            cx.done(&json!({"revoked": id}), &format!("{id} revoked"))
        }
    }
}

const COLUMNS: [(&str, &str); 8] = [
    ("ID", "/id"),
    ("NAME", "/name"),
    ("OWNER", "/owner"),
    ("ROLE", "/role"),
    ("NODE", "/node"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("REVOKED", "/revoked_at"),
];
