//! `quell rules content`: files that override or extend what is shipped.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::files;
use crate::client::segment;
use crate::commands::Context;
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/content";

/// `quell rules content …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ContentCommand {
    /// List the stored files.
    List,
    /// Store a file; refused, with the line named, if the rules would not load with it.
    Put {
        /// Its path in the content tree: rules/….yaml or patterns/….yaml.
        path: String,
        /// The file to read; default: PATH below the present folder.
        #[arg(long, short, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Remove a stored file; what ships under its path is in force again.
    Remove {
        /// Its path in the content tree.
        path: String,
    },
}

/// Runs `command`.
pub(super) async fn run(cx: &Context, command: ContentCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        ContentCommand::List => {
            let files = client.get(PATH).await?;
            cx.show(&files, |files| {
                let sized = |file: &Value| {
                    let bytes = file["text"].as_str().map_or(0, str::len);
                    json!({"path": file["path"], "bytes": bytes})
                };
                let rows: Vec<Value> = output::rows(files, "").iter().map(sized).collect();
                output::table(&rows, &[("PATH", "/path"), ("BYTES", "/bytes")])
            })
        }
        ContentCommand::Put { path, file } => {
            let text = files::text(&file.unwrap_or_else(|| PathBuf::from(&path)))?;
            client.put(PATH, &json!({"path": path, "text": text})).await?;
            cx.done(&json!({"stored": path}), &format!("{path} stored"))
        }
        ContentCommand::Remove { path } => {
            cx.confirm(&format!("Remove {path}? What it detects is no longer detected."))?;
            client.delete(&format!("{PATH}/{}", segment(&path))).await?;
            cx.done(&json!({"removed": path}), &format!("{path} removed"))
        }
    }
}
