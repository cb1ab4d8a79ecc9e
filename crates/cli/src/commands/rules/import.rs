//! `quell rules import`: rules of another project, translated into content files.

use std::path::{Path, PathBuf};

use quell_detection::{AtrImport, from_atr, run_examples};
use quell_domain::snapshot::ContentFile;
use serde_json::json;

use super::{compiled, files};
use crate::commands::Context;
use crate::exit::Failure;
use crate::output;

const FILES_MAX: usize = 5_000;
const DEPTH_MAX: usize = 6;

/// `quell rules import`
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// A rule file, or a folder of them.
    path: PathBuf,
    /// Which project's format.
    #[arg(long, value_enum)]
    format: Format,
    /// The folder to write rules/ and patterns/ into. Nothing in it is overwritten.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Agent Threat Rules.
    Atr,
}

/// Runs the import.
pub(super) fn run(cx: &Context, args: &ImportArgs) -> Result<(), Failure> {
    let mut documents = Vec::new();
    read(&args.path, &args.path, 0, &mut documents)?;
    let mut import = match args.format {
        Format::Atr => from_atr(&documents),
    };
    if import.is_empty() {
        return Err(Failure::usage(format!("{}: no rule could be read", args.path.display())));
    }
    let offered = import.examples();
    let failed = failures(&import)?;
    import.keep_proven(&failed);
    let count = |kind: &str| failed.iter().filter(|(_, expected, _)| *expected == kind).count();
    let (lost, wrong) = (count("positive"), count("negative"));
    let written = import.files();
    for file in &written {
        write(&args.out, file)?;
    }
    let value = json!({
        "documents": documents.len(), "rules": import.len(), "conditions": import.conditions,
        "examples": {
            "positive": offered.0, "positive_lost": lost,
            "negative": offered.1, "negative_matched": wrong,
        },
        "files": written.iter().map(|file| &file.path).collect::<Vec<_>>(),
        "refused": import.refused,
    });
    cx.show(&value, |value| {
        let refused = output::rows(value, "/refused");
        let columns = [("RULE", "/rule"), ("CONDITION", "/condition"), ("REASON", "/reason")];
        let mut parts = Vec::new();
        if !refused.is_empty() {
            parts.push(output::table(refused, &columns));
        }
        parts.push(format!(
            "{} documents: {} rules with {} conditions, {} things refused; of their own examples \
             {lost} of {} positive are no longer matched and {wrong} of {} negative are\n\
             check with `quell rules lint {out}` and `quell rules backtest {out}`",
            documents.len(),
            import.len(),
            import.conditions,
            import.refused.len(),
            offered.0,
            offered.1,
            out = args.out.display(),
        ));
        parts.join("\n\n")
    })
}

/// Examples of the imported rules that go the wrong way.
fn failures(import: &AtrImport) -> Result<Vec<(String, &'static str, usize)>, Failure> {
    let files = import.files();
    let rules = std::sync::Arc::new(compiled(&files)?);
    let own = |rule: &str| {
        rules.rule(rule).is_some_and(|info| files.iter().any(|file| file.path == info.pack))
    };
    let report = run_examples(&rules);
    let failed = report.failures.into_iter().filter(|failure| own(&failure.rule));
    Ok(failed.map(|failure| (failure.rule, failure.expected, failure.number)).collect())
}

fn read(
    root: &Path,
    path: &Path,
    depth: usize,
    found: &mut Vec<ContentFile>,
) -> Result<(), Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    if path.is_file() {
        if found.len() == FILES_MAX {
            return Err(wrong(format!("more than {FILES_MAX} files")));
        }
        let name = path.strip_prefix(root).ok().filter(|name| !name.as_os_str().is_empty());
        let name = name.or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
        let text = files::text(path)?;
        found.push(ContentFile { path: name.display().to_string(), text });
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(|error| wrong(error.to_string()))?;
    let mut inner: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    inner.sort();
    for entry in inner {
        let extension = entry.extension().and_then(|extension| extension.to_str());
        let yaml = matches!(extension, Some("yaml" | "yml"));
        if (entry.is_dir() && depth < DEPTH_MAX) || (entry.is_file() && yaml) {
            read(root, &entry, depth + 1, found)?;
        }
    }
    Ok(())
}

fn write(out: &Path, file: &ContentFile) -> Result<(), Failure> {
    let path = out.join(&file.path);
    let wrong = |error: std::io::Error| Failure::error(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    let mut new = std::fs::File::create_new(&path).map_err(wrong)?;
    std::io::Write::write_all(&mut new, file.text.as_bytes()).map_err(wrong)
}
