//! `quell evidence`: what was preserved. `verify` needs no server, no key and no configuration.

use std::io::Write;
use std::path::{Path, PathBuf};

use quell_evidence::{Sha256Digest, VerifyLimits, VerifyReport};
use serde_json::{Value, json};

use super::Context;
use crate::client::{Client, Query, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/evidence";

/// `quell evidence …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum EvidenceCommand {
    /// List preserved items, oldest first.
    List {
        /// Of this incident, number or id.
        #[arg(long)]
        incident: Option<String>,
        #[command(flatten)]
        page: output::Page,
    },
    /// Print the bytes of one item. That they were read is recorded.
    Show {
        /// Its id, evi_….
        item: String,
        /// Why. Stored in the timeline.
        #[arg(long)]
        reason: String,
    },
    /// Capture what there is now about an incident.
    Capture {
        /// Its number or id.
        incident: String,
    },
    /// Write an incident's evidence as one tar, and check it.
    Export {
        /// Its number or id.
        incident: String,
        /// Why. Stored in the timeline.
        #[arg(long)]
        reason: String,
        /// The file to write; default: INCIDENT.tar here. Never overwritten.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a bundle, a tar or a folder. Offline; exit code 5 if anything is wrong with it.
    Verify {
        /// The bundle.
        bundle: PathBuf,
        /// The manifest digest noted at export: then not even a bundle rewritten as a whole passes.
        #[arg(long, value_name = "SHA256")]
        manifest: Option<Sha256Digest>,
    },
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: EvidenceCommand) -> Result<(), Failure> {
    match command {
        EvidenceCommand::List { incident, page } => {
            let client = cx.client()?;
            let incident = match &incident {
                Some(name) => Some(super::contain::incident_id(&client, name).await?),
                None => None,
            };
            let query = page.add_to(Query::new().with("incident", incident));
            let page = client.get(&query.of(PATH)).await?;
            cx.show(&page, |page| output::page(page, &COLUMNS))
        }
        EvidenceCommand::Show { item, reason } => {
            let query = Query::new().with("reason", Some(reason));
            let path = query.of(&format!("{PATH}/{}/content", segment(&item)));
            output::raw(&cx.client()?.download(&path).await?)
        }
        EvidenceCommand::Capture { incident } => {
            let path = format!("/api/v1/incidents/{}/evidence", segment(&incident));
            let made = cx.client()?.post(&path, &json!({})).await?;
            cx.show(&made, |made| {
                let [new, total, digest] =
                    ["/new", "/total", "/manifest_sha256"].map(|place| output::cell(made, place));
                format!("{new} new of {total} items; manifest {digest}")
            })
        }
        EvidenceCommand::Export { incident, reason, output } => {
            let path = output.unwrap_or_else(|| file_name(&incident));
            export(cx, &cx.client()?, &incident, &reason, &path).await
        }
        EvidenceCommand::Verify { bundle, manifest } => verify(cx, &bundle, manifest),
    }
}

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "/id"),
    ("NAME", "/name"),
    ("SIZE", "/size"),
    ("COLLECTED", "/collected_at"),
    ("BY", "/actor"),
    ("SOURCE", "/source"),
];

fn file_name(incident: &str) -> PathBuf {
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    PathBuf::from(format!("{}.tar", incident.chars().map(fits).collect::<String>()))
}

/// Downloads to a private file beside `path`, checks it, and only then gives it its name.
async fn export(
    cx: &Context,
    client: &Client,
    incident: &str,
    reason: &str,
    path: &Path,
) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::usage(format!("{} exists; name another file", path.display())));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| {
        Failure::usage(format!("cannot write in {}: {error}", folder.display()))
    })?;
    let query = Query::new().with("reason", Some(reason));
    let from = query.of(&format!("/api/v1/incidents/{}/evidence.tar", segment(incident)));
    client.download_into(&from, file.as_file_mut()).await?;
    file.flush()?;
    file.as_file().sync_all()?;
    let report = check(file.path(), None)?;
    if !report.is_intact() {
        return Err(Failure::negative(format!(
            "what arrived is not intact: {}",
            problems(&report)
        )));
    }
    file.persist_noclobber(path)
        .map_err(|error| Failure::error(format!("{}: {}", path.display(), error.error)))?;
    let value = json!({"file": path, "report": report});
    let digest = report.manifest_sha256.map(|digest| digest.to_string()).unwrap_or_default();
    let text = format!(
        "{}: {} items, intact\nmanifest {digest}\nKeep this digest apart from the file, and check \
         with: quell evidence verify {} --manifest {digest}",
        path.display(),
        report.items_ok,
        path.display()
    );
    cx.done(&value, &text)
}

fn verify(cx: &Context, bundle: &Path, expected: Option<Sha256Digest>) -> Result<(), Failure> {
    let report = check(bundle, expected)?;
    let mut value = serde_json::to_value(&report).map_err(anyhow::Error::from)?;
    value["intact"] = json!(report.is_intact());
    cx.show(&value, |value| verdict(value, &report, expected))?;
    if report.is_intact() {
        return Ok(());
    }
    Err(Failure::negative(format!("{} is not intact", bundle.display())))
}

fn check(bundle: &Path, expected: Option<Sha256Digest>) -> Result<VerifyReport, Failure> {
    quell_evidence::verify(bundle, expected, &VerifyLimits::default())
        .map_err(|error| Failure::negative(error.to_string()))
}

fn verdict(value: &Value, report: &VerifyReport, expected: Option<Sha256Digest>) -> String {
    let mut text = output::list(
        value,
        &[
            ("incident", "/number"),
            ("id", "/incident"),
            ("manifest", "/manifest_sha256"),
            ("items unchanged", "/items_ok"),
        ],
    );
    if !report.is_intact() {
        return format!("{text}\nNOT INTACT: {}", problems(report));
    }
    text.push_str("\nintact: every item is what the manifest says");
    if expected.is_none() {
        text.push_str(
            "\nCompare the manifest digest with the one noted at export (or give it with --manifest): \
             only that shows that the bundle was not rewritten as a whole.",
        );
    }
    text
}

fn problems(report: &VerifyReport) -> String {
    let mut found = Vec::new();
    if let Some(problem) = &report.manifest_problem {
        found.push(problem.clone());
    }
    for (what, names) in [
        ("missing", &report.missing),
        ("altered", &report.altered),
        ("unexpected", &report.unexpected),
    ] {
        if !names.is_empty() {
            found.push(format!("{what}: {}", names.join(", ")));
        }
    }
    output::plain(&found.join("; "))
}
