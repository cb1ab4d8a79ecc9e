//! `quell range conversations`: measures or trains the judge of conversations.

use std::path::PathBuf;

use quell_detection::conversation::ConversationModel;
use quell_range::conversations::{corpus, evaluate, train};
use serde_json::json;

use super::Context;
use crate::exit::Failure;

/// `quell range conversations`
#[derive(Debug, clap::Args)]
pub(crate) struct ConversationsArgs {
    /// A part of the detection corpora, e.g. `corpora/detection/dev`. Measuring reads
    /// `multi_turn.jsonl.gz`, training `harmful.jsonl.gz` and `text.jsonl.gz`.
    #[arg(long, value_name = "DIR", required = true)]
    data: Vec<PathBuf>,
    /// Train, and write the model here.
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Measure this model; the shipped one without it.
    #[arg(long, value_name = "FILE", conflicts_with = "train")]
    model: Option<PathBuf>,
    /// Everything generated comes from here.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Measures, or trains.
pub(super) fn run(cx: &Context, args: &ConversationsArgs) -> Result<(), Failure> {
    let read = |name: &str| -> Result<Vec<corpus::Row>, Failure> {
        let mut rows = Vec::new();
        for folder in &args.data {
            rows.extend(corpus::rows(folder, name).map_err(|e| Failure::error(e.to_string()))?);
        }
        Ok(rows)
    };
    if let Some(path) = &args.train {
        let file = train(&read("harmful")?, &read("text")?, args.seed);
        let text = serde_json::to_string_pretty(&file).map_err(anyhow::Error::from)? + "\n";
        std::fs::write(path, text)
            .map_err(|error| Failure::error(format!("{}: {error}", path.display())))?;
        let said = format!("wrote {}; {}", path.display(), file.provenance);
        return cx.done(&json!({"wrote": path, "provenance": file.provenance}), &said);
    }
    let loaded;
    let model = match &args.model {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::error(format!("{}: {error}", path.display())))?;
            loaded = ConversationModel::load(&text).map_err(|e| Failure::error(e.to_string()))?;
            &loaded
        }
        None => ConversationModel::embedded().ok_or_else(|| {
            Failure::error("the shipped conversation model is damaged".to_owned())
        })?,
    };
    let counts = evaluate(model, &read("multi_turn")?);
    let mut lines =
        vec![format!("{:52} {:>6} {:>8} {:>8} {:>6}", "", "rows", "flagged", "certain", "early")];
    for (name, count) in &counts {
        lines.push(format!(
            "{name:52} {:>6} {:>8} {:>8} {:>6}",
            count.rows, count.flagged, count.certain, count.early
        ));
    }
    cx.done(&json!({"counts": counts}), &lines.join("\n"))
}
