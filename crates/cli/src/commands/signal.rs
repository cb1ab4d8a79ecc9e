//! `quell signal` and `quell feedback`: findings, and what people say about them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use quell_domain::Severity;
use quell_domain::feedback::Label;
use serde_json::{Value, json};

use super::{Context, moment};
use crate::client::{Query, segment};
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/signals";
const FEEDBACK: &str = "/api/v1/feedback";

/// `quell signal …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SignalCommand {
    /// List signals, newest first.
    List(Box<SignalArgs>),
    /// Show one signal and what was said about it; the text is in its interaction.
    Show {
        /// Its id, sig_….
        signal: String,
    },
    /// Say whether a signal was right: confirmed or false_positive.
    Label {
        /// Its id, sig_….
        signal: String,
        /// confirmed or false_positive.
        label: Label,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Take a label away.
    Unlabel {
        /// Its id, sig_….
        signal: String,
    },
}

/// `quell signal list`
#[derive(Debug, clap::Args)]
pub(crate) struct SignalArgs {
    /// Of this application.
    #[arg(long)]
    app: Option<String>,
    /// Raised by this rule.
    #[arg(long)]
    rule: Option<String>,
    /// critical, high, medium, low.
    #[arg(long)]
    severity: Option<Severity>,
    /// At or after: a time, or a span back like 2h.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    since: Option<Timestamp>,
    /// Before.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    until: Option<Timestamp>,
    #[command(flatten)]
    page: output::Page,
}

/// `quell feedback …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum FeedbackCommand {
    /// List labels, newest first.
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        page: output::Page,
    },
    /// Say how every rule fares: matches, would-blocks, labels, precision.
    Rules,
    /// Write the labelled texts as rows to train on. That they were read is an event.
    Export {
        /// The file to write; - is standard output.
        file: PathBuf,
        /// Why you need the texts. Stored in the timeline.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        which: Which,
    },
}

/// Which labels.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// confirmed or false_positive.
    #[arg(long)]
    label: Option<Label>,
    /// About signals of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// About signals of this application.
    #[arg(long)]
    app: Option<String>,
    /// Given at or after: a time, or a span back like 30d.
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    since: Option<Timestamp>,
}

const SIGNALS: [(&str, &str); 7] = [
    ("ID", "/signal/id"),
    ("AT", "/at"),
    ("APPLICATION", "/application"),
    ("SEVERITY", "/signal/severity"),
    ("RULE", "/signal/rule"),
    ("MODE", "/signal/mode"),
    ("USER", "/principal/user/value"),
];

const SIGNAL: [(&str, &str); 18] = [
    ("id", "/record/signal/id"),
    ("at", "/record/at"),
    ("means", "/record/signal/title"),
    ("rule", "/record/signal/rule"),
    ("kind", "/record/signal/kind"),
    ("severity", "/record/signal/severity"),
    ("mode", "/record/signal/mode"),
    ("effect", "/record/signal/effect"),
    ("direction", "/record/signal/direction"),
    ("facts", "/record/signal/facts"),
    ("spans", "/record/signal/spans"),
    ("application", "/record/application"),
    ("interaction", "/record/interaction"),
    ("incident", "/record/incident"),
    ("label", "/label/label"),
    ("labelled by", "/label/actor"),
    ("labelled at", "/label/at"),
    ("because", "/label/reason"),
];

const LABELS: [(&str, &str); 6] = [
    ("SIGNAL", "/label/signal"),
    ("LABEL", "/label/label"),
    ("FROM", "/label/source"),
    ("RULE", "/label/rule"),
    ("BY", "/label/actor"),
    ("AT", "/label/at"),
];

const FIGURES: [(&str, &str); 7] = [
    ("RULE", "/rule"),
    ("24 H", "/day"),
    ("7 D", "/week"),
    ("WOULD ACT", "/would_act"),
    ("CONFIRMED", "/confirmed"),
    ("FALSE", "/false_positive"),
    ("PRECISION %", "/precision"),
];

/// Runs `quell signal …`.
pub(crate) async fn run(cx: &Context, command: SignalCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        SignalCommand::List(args) => {
            let query = Query::new()
                .with("application", args.app.as_ref())
                .with("rule", args.rule.as_ref())
                .with("severity", args.severity)
                .with("from", args.since)
                .with("to", args.until);
            let page = client.get(&args.page.add_to(query).of(PATH)).await?;
            cx.show(&page, |page| output::page(page, &SIGNALS))
        }
        SignalCommand::Show { signal } => {
            let shown = client.get(&format!("{PATH}/{}", segment(&signal))).await?;
            cx.show(&shown, |shown| output::list(shown, &SIGNAL))
        }
        SignalCommand::Label { signal, label, reason } => {
            let path = format!("{PATH}/{}/label", segment(&signal));
            let stored = client.put(&path, &json!({"label": label, "reason": reason})).await?;
            cx.done(&stored, &format!("{signal}: {label}"))
        }
        SignalCommand::Unlabel { signal } => {
            client.delete(&format!("{PATH}/{}/label", segment(&signal))).await?;
            cx.done(&json!({"signal": signal, "label": null}), &format!("{signal}: no label"))
        }
    }
}

/// Runs `quell feedback …`.
pub(crate) async fn feedback(cx: &Context, command: FeedbackCommand) -> Result<(), Failure> {
    let client = cx.client()?;
    match command {
        FeedbackCommand::List { which, page } => {
            let query = Query::new()
                .with("label", which.label)
                .with("rule", which.rule.as_ref())
                .with("application", which.app.as_ref())
                .with("from", which.since);
            let found = client.get(&page.add_to(query).of(FEEDBACK)).await?;
            cx.show(&found, |found| output::page(found, &LABELS))
        }
        FeedbackCommand::Rules => {
            let figures = client.get(&format!("{FEEDBACK}/rules")).await?;
            cx.show(&figures, |figures| output::table(output::rows(figures, ""), &FIGURES))
        }
        FeedbackCommand::Export { file, reason, which } => export(cx, &file, &reason, &which).await,
    }
}

/// Fetches every page, drops doubles and contradictions, writes the file whole or not at all.
async fn export(cx: &Context, file: &Path, reason: &str, which: &Which) -> Result<(), Failure> {
    let client = cx.client()?;
    let mut rows: Vec<Value> = Vec::new();
    let mut skipped = BTreeMap::<&str, u64>::new();
    let mut cursor = Value::Null;
    loop {
        let wanted = json!({
            "reason": reason, "label": which.label, "rule": which.rule, "application": which.app,
            "from": which.since, "cursor": cursor,
        });
        let page = client.post(&format!("{FEEDBACK}/export"), &wanted).await?;
        rows.extend(output::rows(&page, "/rows").iter().cloned());
        for why in ["no_span", "not_found", "not_kept"] {
            *skipped.entry(why).or_default() += page["skipped"][why].as_u64().unwrap_or(0);
        }
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let (kept, doubles, contradictory) = settle(rows);
    let mut text = Vec::new();
    for row in &kept {
        serde_json::to_writer(&mut text, row).map_err(anyhow::Error::from)?;
        text.push(b'\n');
    }
    if file == Path::new("-") {
        output::raw(&text)?;
    } else {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        // The file holds prompts: its owner's only.
        let mut whole = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        whole.write_all(&text)?;
        whole.persist(file).map_err(|error| Failure::from(error.error))?;
    }
    let said = json!({
        "rows": kept.len(), "doubles": doubles, "contradictory": contradictory,
        "skipped": skipped, "file": file,
    });
    if cx.globals.json {
        output::note(&said.to_string());
    } else {
        output::note(&format!(
            "{} rows; left out: {doubles} doubles, {contradictory} texts labelled both ways, \
             {} without a place in the text, {} not found, {} not kept",
            kept.len(),
            skipped["no_span"],
            skipped["not_found"],
            skipped["not_kept"]
        ));
    }
    Ok(())
}

/// Each text of a role once; texts that were labelled both ways not at all.
fn settle(rows: Vec<Value>) -> (Vec<Value>, usize, usize) {
    let key = |row: &Value| (row["role"].to_string(), row["text"].to_string());
    let mut labels = BTreeMap::<_, BTreeSet<String>>::new();
    for row in &rows {
        labels.entry(key(row)).or_default().insert(row["label"].to_string());
    }
    let contradictory = labels.values().filter(|labels| labels.len() > 1).count();
    let (mut seen, mut doubles, mut kept) = (BTreeSet::new(), 0, Vec::new());
    for row in rows {
        let key = key(&row);
        if labels.get(&key).is_some_and(|labels| labels.len() > 1) {
            continue;
        }
        if seen.insert(key) {
            kept.push(row);
        } else {
            doubles += 1;
        }
    }
    (kept, doubles, contradictory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_never_with_two_labels() {
        let row = |text: &str, label: &str| json!({"role": "user", "text": text, "label": label});
        let rows = vec![
            row("a", "attack"),
            row("b", "benign"),
            row("a", "attack"),
            row("c", "attack"),
            row("c", "benign"),
        ];
        let (kept, doubles, contradictory) = settle(rows);
        assert_eq!(kept, [row("a", "attack"), row("b", "benign")]);
        assert_eq!((doubles, contradictory), (1, 1));
    }
}
