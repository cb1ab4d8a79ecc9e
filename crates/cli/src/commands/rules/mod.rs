//! `quell rules`: detection rules and content. `lint`, `test`, `import` and `explain --text` need no
//! server.

mod backtest;
mod content;
mod explain;
pub(super) mod files;
mod import;

use std::path::{Path, PathBuf};

use quell_detection::{Diagnostic, Level, RuleInfo, RuleSet, lint, run_examples};
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;
use quell_domain::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::Context;
use crate::client::segment;
use crate::exit::Failure;
use crate::output;

const PATH: &str = "/api/v1/rules";

/// `quell rules …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RulesCommand {
    /// List the rules in force, or offline those shipped or of a folder.
    List(Source),
    /// Say what a rule looks for, what it does and what happened to it; or why a text matches.
    Explain(explain::ExplainArgs),
    /// Check content for mistakes. Offline; exit code 5 if there is an error.
    Lint {
        /// A folder with rules/ and patterns/, laid over what is shipped; without it, what is
        /// shipped.
        path: Option<PathBuf>,
        /// Exit code 5 on warnings, too.
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Run the examples that rules carry. Offline; exit code 5 if one fails.
    Test {
        /// A folder with rules/ and patterns/, laid over what is shipped.
        path: Option<PathBuf>,
    },
    /// Run proposed rules over recorded traffic: what they would have done. Nothing goes live.
    Backtest(backtest::BacktestArgs),
    /// Let a rule act on traffic. Refused without a fresh backtest, or if that matched more than one
    /// exchange in a thousand.
    Promote {
        /// The rule's id.
        rule: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Pass over the checks; that it was forced is recorded.
        #[arg(long)]
        force: bool,
    },
    /// Let a rule report only.
    Demote {
        /// The rule's id.
        rule: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Translate rules of another project into content files. Offline.
    Import(import::ImportArgs),
    /// List the filters: what is suppressed, why, and until when.
    Filters,
    /// Let a rule report only (shadow) or act (enforce); enforce for a rule that ships in shadow is
    /// a promotion.
    Mode {
        /// The rule's id.
        rule: String,
        /// shadow or enforce.
        #[arg(required_unless_present = "reset")]
        mode: Option<RuleMode>,
        /// Why.
        #[arg(long, required_unless_present = "reset")]
        reason: Option<String>,
        /// Back to the mode it ships with.
        #[arg(long, conflicts_with_all = ["mode", "reason"])]
        reset: bool,
    },
    /// The content files that override or extend what is shipped.
    #[command(subcommand)]
    Content(content::ContentCommand),
}

/// Where rules come from.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Offline: what is shipped with this binary.
    #[arg(long)]
    shipped: bool,
    /// Offline: a folder with rules/ and patterns/, laid over what is shipped.
    #[arg(long, value_name = "DIR", conflicts_with = "shipped")]
    folder: Option<PathBuf>,
}

impl Source {
    const fn is_offline(&self) -> bool {
        self.shipped || self.folder.is_some()
    }

    /// The files laid over what is shipped.
    fn files(&self) -> Result<Vec<ContentFile>, Failure> {
        Ok(self.folder.as_deref().map(files::read).transpose()?.unwrap_or_default())
    }
}

/// Runs `command`.
pub(crate) async fn run(cx: &Context, command: RulesCommand) -> Result<(), Failure> {
    match command {
        RulesCommand::List(source) => {
            let rules = views(cx, &source).await?;
            cx.show(&Value::Array(rules), |rules| output::table(output::rows(rules, ""), &COLUMNS))
        }
        RulesCommand::Explain(args) => explain::run(cx, args).await,
        RulesCommand::Backtest(args) => backtest::run(cx, args).await,
        RulesCommand::Promote { rule, reason, force } => {
            cx.confirm(&format!("Let {rule} act on traffic?"))?;
            let path = format!("{PATH}/{}/promote", segment(&rule));
            let change =
                cx.client()?.post(&path, &json!({"reason": reason, "force": force})).await?;
            cx.done(&change, &format!("{rule}: enforce"))
        }
        RulesCommand::Demote { rule, reason } => {
            let path = format!("{PATH}/{}/demote", segment(&rule));
            let change = cx.client()?.post(&path, &json!({"reason": reason})).await?;
            cx.done(&change, &format!("{rule}: shadow"))
        }
        RulesCommand::Import(args) => import::run(cx, &args),
        RulesCommand::Filters => {
            let filters = cx.client()?.get("/api/v1/filters").await?;
            cx.show(&filters, |filters| output::table(output::rows(filters, ""), &FILTERS))
        }
        RulesCommand::Lint { path, deny_warnings } => check(cx, path.as_deref(), deny_warnings),
        RulesCommand::Test { path } => test(cx, path.as_deref()),
        RulesCommand::Mode { rule, mode, reason, .. } => {
            set_mode(cx, &rule, mode.zip(reason)).await
        }
        RulesCommand::Content(command) => content::run(cx, command).await,
    }
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "/info/id"),
    ("SEVERITY", "/info/severity"),
    ("KIND", "/info/kind"),
    ("MODE", "/info/mode"),
    ("EFFECT", "/info/effect"),
    ("DIRECTION", "/info/direction"),
    ("TITLE", "/info/title"),
];

const FILTERS: [(&str, &str); 5] = [
    ("ID", "/id"),
    ("EXPIRES", "/expires"),
    ("RULES", "/rules"),
    ("REVIEWED BY", "/reviewed_by"),
    ("REASON", "/reason"),
];

/// Rules as the API shows them, from wherever they are asked of.
async fn views(cx: &Context, source: &Source) -> Result<Vec<Value>, Failure> {
    if !source.is_offline() {
        let rules = cx.client()?.get(PATH).await?;
        return Ok(output::rows(&rules, "").to_vec());
    }
    let files = source.files()?;
    let view = |info: &RuleInfo| json!({"info": info, "shipped_mode": info.mode, "setting": null});
    Ok(compiled(&files)?.rules().iter().map(view).collect())
}

fn compiled(on_top: &[ContentFile]) -> Result<RuleSet, Failure> {
    RuleSet::with_overrides(on_top).map_err(|errors| Failure::negative(errors.to_string()))
}

fn check(cx: &Context, path: Option<&Path>, deny_warnings: bool) -> Result<(), Failure> {
    let own = path.map(files::read).transpose()?;
    let mut all = quell_detection::content::embedded();
    all.extend(own.iter().flatten().cloned());
    let mut found = lint(&all, SystemClock::new().now());
    if let Some(own) = &own {
        // Warnings about what is shipped are not this author's.
        let mine = |path: &str| own.iter().any(|file| file.path == path);
        found.retain(|finding| finding.level == Level::Error || mine(&finding.path));
    }
    let checked = own.map_or(all.len(), |own| own.len());
    let errors = found.iter().filter(|finding| finding.level == Level::Error).count();
    let warnings = found.len() - errors;
    let value = json!({
        "files": checked, "errors": errors, "warnings": warnings,
        "findings": found.iter().map(finding).collect::<Vec<_>>(),
    });
    cx.show(&value, |_| {
        let mut lines: Vec<String> =
            found.iter().map(|finding| output::plain(&finding.to_string())).collect();
        lines.push(format!("{checked} files: {errors} errors, {warnings} warnings"));
        lines.join("\n")
    })?;
    if errors > 0 || (deny_warnings && warnings > 0) {
        return Err(Failure::negative("the content has findings"));
    }
    Ok(())
}

fn finding(finding: &Diagnostic) -> Value {
    let level = if finding.level == Level::Error { "error" } else { "warning" };
    json!({
        "path": finding.path, "line": finding.line, "level": level, "rule": finding.rule,
        "message": finding.message, "help": finding.help,
    })
}

fn test(cx: &Context, path: Option<&Path>) -> Result<(), Failure> {
    let own = path.map(files::read).transpose()?.unwrap_or_default();
    let rules = std::sync::Arc::new(compiled(&own)?);
    let report = run_examples(&rules);
    let value = serde_json::to_value(&report).map_err(anyhow::Error::from)?;
    cx.show(&value, |_| {
        let mut lines: Vec<String> = report
            .failures
            .iter()
            .map(|failure| {
                let (rule, number) = (&failure.rule, failure.number);
                let matched = failure.matched.join(", ");
                format!(
                    "{rule}: {} example {number} failed; it matched [{matched}]",
                    failure.expected
                )
            })
            .collect();
        for rule in &report.untested {
            lines.push(format!("{rule}: lacks a positive or a negative example"));
        }
        lines.push(format!(
            "{} rules, {} examples: {} failed, {} rules untested",
            rules.rules().len(),
            report.checked,
            report.failures.len(),
            report.untested.len()
        ));
        lines.join("\n")
    })?;
    if report.failures.is_empty() {
        return Ok(());
    }
    Err(Failure::negative(format!("{} examples failed", report.failures.len())))
}

async fn set_mode(
    cx: &Context,
    rule: &str,
    choice: Option<(RuleMode, String)>,
) -> Result<(), Failure> {
    let path = format!("{PATH}/{}/mode", segment(rule));
    let client = cx.client()?;
    let Some((mode, reason)) = choice else {
        client.delete(&path).await?;
        return cx.done(&json!({"rule": rule, "mode": null}), &format!("{rule}: as it ships"));
    };
    if mode == RuleMode::Enforce {
        cx.confirm(&format!("Let {rule} act on traffic?"))?;
    }
    client.put(&path, &json!({"mode": mode, "reason": reason})).await?;
    cx.done(&json!({"rule": rule, "mode": mode}), &format!("{rule}: {mode}"))
}
