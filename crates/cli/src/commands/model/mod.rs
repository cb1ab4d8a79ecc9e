//! `quell model`: the classifier's model, made and measured without a server; brought to one, tried
//! and released with `release`.

mod evaluate;
mod read;
mod train;

use std::path::{Path, PathBuf};

use quell_detection::classifier::Classifier;
use quell_domain::canonical::sha256_hex;
use serde_json::json;

use super::Context;
use super::release::ReleaseCommand;
use crate::exit::Failure;
use crate::output;

/// `quell model …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ModelCommand {
    /// Train a model; the same rows give the same bytes. Offline.
    Train(train::TrainArgs),
    /// Say what a model finds and what it misses, source by source. Offline.
    Evaluate(evaluate::EvaluateArgs),
    /// Set a model's thresholds anew on your own harmless texts. Offline.
    Calibrate(train::CalibrateArgs),
    /// Say what a model is.
    Show {
        /// A model file; without it, the shipped one.
        model: Option<PathBuf>,
    },
    #[command(flatten)]
    Server(ReleaseCommand),
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: ModelCommand) -> Result<(), Failure> {
    match command {
        ModelCommand::Train(args) => train::run(cx, &args),
        ModelCommand::Evaluate(args) => evaluate::run(cx, &args),
        ModelCommand::Calibrate(args) => train::calibrate(cx, &args),
        ModelCommand::Show { model } => show(cx, model.as_deref()),
        ModelCommand::Server(command) => super::release::run(cx, command).await,
    }
}

/// Largest model file.
const MAX_MODEL: u64 = 16 << 20;

/// The model of a file, else the shipped one.
fn open(path: Option<&Path>) -> Result<Classifier, Failure> {
    let Some(path) = path else {
        return Classifier::embedded().map_err(|error| Failure::error(error.to_string()));
    };
    let failed = |error: &dyn std::fmt::Display| {
        Failure::error(format!("{} is not a model: {error}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > MAX_MODEL {
        return Err(failed(&format!("it is larger than {MAX_MODEL} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    Classifier::load(&bytes, &sha256_hex(&bytes)).map_err(|error| failed(&error))
}

fn show(cx: &Context, path: Option<&Path>) -> Result<(), Failure> {
    let classifier = open(path)?;
    let model = classifier.model();
    let value = json!({
        "name": model.description.name,
        "sha256": classifier.sha256(),
        "data_sha256": model.description.data_sha256,
        "buckets": model.table.rows.len(),
        "facts": model.description.user.facts.len(),
    });
    cx.show(&value, |value| {
        output::list(
            value,
            &[
                ("name", "/name"),
                ("sha256", "/sha256"),
                ("trained on", "/data_sha256"),
                ("buckets", "/buckets"),
                ("facts", "/facts"),
            ],
        )
    })
}
