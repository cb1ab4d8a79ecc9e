//! `quell model train` and `quell model calibrate`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use quell_detection::RuleSet;
use quell_detection::classifier::Classifier;
use quell_domain::InteractionId;
use quell_domain::canonical::sha256_hex;
use quell_training::figures::figures;
use quell_training::gate::{Gate, Verdict};
use quell_training::rows::Row;
use quell_training::sample::Sample;
use quell_training::train::{Settings, recalibrate, train};
use quell_training::{compose, facts};
use serde_json::json;

use super::{open, read};
use crate::commands::Context;
use crate::exit::Failure;
use crate::serve::World;

/// Seed of everything that is made here, so that the same rows give the same bytes.
const SEED: u64 = 1;
/// One in so many rows of feedback is held back for the gate.
const HELD_BACK: u64 = 4;

/// `quell model train`.
#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    /// Folders or files of rows to learn from. Of rows that state a licence only those of the
    /// class `permissive` are learned from; the others serve to calibrate.
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Rows from `quell feedback export`. A quarter is held back: the model is only written if it
    /// passes the gate against the shipped model, or that of --old. Exit code 5 if it does not.
    #[arg(long, value_name = "FILE")]
    feedback: Option<PathBuf>,
    /// The model in use, which the new one must beat.
    #[arg(long, value_name = "FILE", requires = "feedback")]
    old: Option<PathBuf>,
    /// Where the model is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A name for people.
    #[arg(long, default_value = "local")]
    name: String,
}

/// `quell model calibrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct CalibrateArgs {
    /// Folders or files with rows of the label `benign`, as your applications see them; at least
    /// 1,000 of a role, else its thresholds stay.
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    data: Vec<PathBuf>,
    /// The model to start from; without it, the shipped one.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The share of harmless texts that may be flagged.
    #[arg(long, default_value_t = 0.005, value_parser = share)]
    false_alarms: f64,
    /// Where the model is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=0.1).contains(&share) { Ok(share) } else { Err("from 0.001 to 0.1".to_owned()) }
}

fn bar(cx: &Context, length: u64) -> ProgressBar {
    if cx.globals.json { ProgressBar::hidden() } else { ProgressBar::new(length) }
}

/// Trains, and writes the model if the gate lets it pass.
pub(super) fn run(cx: &Context, args: &TrainArgs) -> Result<(), Failure> {
    let rows: Vec<Row> = read::parts(&args.data)?.into_iter().flat_map(|(_, rows)| rows).collect();
    let mut samples: Vec<Sample> = rows.iter().filter_map(Row::sample).collect();
    samples.extend(compose::own(&rows, SEED));
    let mut held_back = Vec::new();
    if let Some(path) = &args.feedback {
        for row in read::rows(path)? {
            let Some(mut sample) = row.sample() else { continue };
            sample.trains = true;
            "feedback".clone_into(&mut sample.source);
            let first = u64::from_str_radix(&sha256_hex(sample.text.as_bytes())[..8], 16);
            let held = first.is_ok_and(|number| number % HELD_BACK == 0);
            if held { held_back.push(sample) } else { samples.push(sample) }
        }
    }
    let learned = samples.iter().filter(|sample| sample.trains).count();
    let digest = digest(&samples);
    let rules = embedded()?;
    let id = interaction();
    let progress = bar(cx, samples.len() as u64);
    for sample in samples.iter_mut().chain(&mut held_back) {
        facts::state(&rules, sample, id);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let progress = bar(cx, 100);
    let share = |done: f32| progress.set_position((done * 100.0) as u64);
    let mut trained = train(&samples, &Settings::default(), share);
    progress.finish_and_clear();
    trained.model.description.name.clone_from(&args.name);
    trained.model.description.data_sha256 = digest;
    let bytes = trained.model.to_bytes().map_err(|error| Failure::error(error.to_string()))?;
    let sha256 = sha256_hex(&bytes);
    let verdict = args
        .feedback
        .is_some()
        .then(|| gate(args.old.as_deref(), &bytes, &sha256, &held_back))
        .transpose()?;
    let passes = verdict.as_ref().is_none_or(|verdict| verdict.passes);
    if passes {
        std::fs::write(&args.out, &bytes)
            .map_err(|error| Failure::error(format!("{}: {error}", args.out.display())))?;
    }
    let seen: Vec<_> =
        trained.judged.iter().filter(|row| !row.source.starts_with("own-")).cloned().collect();
    let left_out = figures(&seen, 0.5);
    let value = json!({
        "sha256": sha256, "learned": learned, "samples": samples.len(), "written": passes,
        "left_out": left_out, "gate": verdict,
    });
    cx.show(&value, |_| {
        let mut text = format!(
            "{learned} of {} texts learned from\nwith whole sources left out: recall {:.3} at 1 % \
             and {:.3} at 0.1 % false alarms\nsha256 {sha256}",
            samples.len(),
            left_out.mean_1_percent,
            left_out.mean_01_percent,
        );
        for reason in verdict.iter().flat_map(|verdict| &verdict.reasons) {
            let _ = write!(text, "\nrefused: {reason}");
        }
        text
    })?;
    if passes { Ok(()) } else { Err(Failure::negative("the gate refuses the model")) }
}

fn gate(
    old: Option<&Path>,
    bytes: &[u8],
    sha256: &str,
    held_back: &[Sample],
) -> Result<Verdict, Failure> {
    let new = Classifier::load(bytes, sha256).map_err(|error| Failure::error(error.to_string()))?;
    Ok(Gate::check(&open(old)?, &new, held_back))
}

/// Moves the thresholds of a model to the given texts.
pub(super) fn calibrate(cx: &Context, args: &CalibrateArgs) -> Result<(), Failure> {
    let rows = read::parts(&args.data)?.into_iter().flat_map(|(_, rows)| rows);
    let mut samples: Vec<Sample> =
        rows.filter(|row| row.label == "benign").filter_map(|row| row.sample()).collect();
    let (rules, id) = (embedded()?, interaction());
    for sample in &mut samples {
        facts::state(&rules, sample, id);
    }
    let mut model = open(args.model.as_deref())?.model().clone();
    let set = recalibrate(&mut model, &samples, args.false_alarms);
    if set.is_empty() {
        return Err(Failure::negative(
            "too few harmless texts: at least 1,000 of a role are needed",
        ));
    }
    let bytes = model.to_bytes().map_err(|error| Failure::error(error.to_string()))?;
    std::fs::write(&args.out, &bytes)
        .map_err(|error| Failure::error(format!("{}: {error}", args.out.display())))?;
    let sha256 = sha256_hex(&bytes);
    let value = json!({"sha256": sha256, "texts": samples.len(), "set": set});
    cx.show(&value, |_| format!("thresholds set for: {}\nsha256 {sha256}", set.join(", ")))
}

fn embedded() -> Result<RuleSet, Failure> {
    RuleSet::embedded().map_err(|errors| Failure::error(errors.to_string()))
}

fn interaction() -> InteractionId {
    InteractionId::new(&*World::new().ids)
}

fn digest(samples: &[Sample]) -> String {
    let mut all = String::new();
    for sample in samples.iter().filter(|sample| sample.trains) {
        all.push_str(&sha256_hex(sample.text.as_bytes()));
    }
    sha256_hex(all.as_bytes())
}
