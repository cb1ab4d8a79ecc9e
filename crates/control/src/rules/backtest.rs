//! Proposed rules over the interaction logs: what they would have done, before they go live.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use quell_detection::{Backtest, RuleSet};
use quell_domain::backtest::{BacktestReport, RuleHits};
use quell_domain::snapshot::ContentFile;
use quell_domain::{AccessRole, Interaction, RuleChangeId};
use quell_lake::{LogReader, Order, gateways, log_dir, scan};
use quell_store::{BacktestSummary, RuleChange, RuleChangeKind};
use serde_json::json;

use super::effective_content;
use crate::access::Access;
use crate::handle::Control;
use crate::interactions::parse_record;
use crate::refused::Refused;

/// Exchanges a backtest looks at unless told otherwise, and at most.
const LIMIT: usize = 20_000;
const LIMIT_MAX: usize = 100_000;
/// How far back it looks unless told otherwise.
const SPAN: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Stretches of time a series has, about.
const STRETCHES: i64 = 48;
/// Records read at once.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 8 << 20;
/// Rules tested at once.
const RULES_MAX: usize = 500;

/// What to test on what.
#[derive(Debug, Clone, Default)]
pub struct BacktestRequest {
    /// A rule in force.
    pub rule: Option<String>,
    /// Proposed content, laid over what is in force; its rules are tested.
    pub files: Vec<ContentFile>,
    /// Exchanges of this application only.
    pub application: Option<String>,
    /// Exchanges that began at or after this; a week ago when absent.
    pub from: Option<Timestamp>,
    /// Exchanges that began before this; now when absent.
    pub to: Option<Timestamp>,
    /// The newest so many; 0 means 20,000.
    pub limit: usize,
}

/// Which recorded exchanges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Of this application; of all when absent.
    pub application: Option<String>,
    /// Began at or after this.
    pub from: Timestamp,
    /// Began before this.
    pub to: Timestamp,
    /// The newest so many.
    pub limit: usize,
}

/// What was tested on what, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestOutcome {
    /// The findings.
    pub report: BacktestReport,
    /// Which exchanges were looked at.
    pub traffic: Traffic,
    /// Whether there were more than the limit.
    pub truncated: bool,
}

impl Traffic {
    fn fits(&self, record: &Interaction) -> bool {
        self.application.as_ref().is_none_or(|name| *name == record.application)
            && record.started_at >= self.from
            && record.started_at < self.to
    }
}

impl Control {
    /// Runs rules over recorded exchanges. What matches says something about their text, so it
    /// takes the role that may read text, and is an event.
    pub async fn backtest(
        &self,
        access: &Access,
        request: BacktestRequest,
    ) -> Result<BacktestOutcome, Refused> {
        access.require(AccessRole::Responder)?;
        let now = self.now();
        let traffic = Traffic {
            application: request.application,
            from: request.from.unwrap_or_else(|| now.checked_sub(SPAN).unwrap_or(now)),
            to: request.to.unwrap_or(now),
            limit: match request.limit {
                0 => LIMIT,
                limit => limit.min(LIMIT_MAX),
            },
        };
        let mut read = self.read().await?;
        let mut content = effective_content(&mut read).await?;
        content.extend(request.files.iter().cloned());
        let set = if request.files.is_empty() {
            self.rule_book().current(&mut read).await?
        } else {
            Arc::new(super::compiled_apart(content).await?)
        };
        let tested = tested(&set, request.rule.as_deref(), &request.files)?;
        let applications = read.applications().await?.into_iter();
        let canaries = applications.map(|row| (row.value.name, row.value.canaries)).collect();
        drop(read);
        let lakes = self.options().lake_dirs.clone();
        let run = move || over_logs(&lakes, set, &tested, traffic, &canaries);
        let outcome = tokio::task::spawn_blocking(run).await.map_err(Refused::files)??;
        self.remember(access, &outcome).await?;
        Ok(outcome)
    }

    async fn remember(&self, access: &Access, outcome: &BacktestOutcome) -> Result<(), Refused> {
        let mut unit = self.unit(&access.actor).await?;
        for hits in &outcome.report.rules {
            let change = self.noted(access, outcome, hits);
            unit.note_rule_change(&change).await?;
        }
        let rules: Vec<&str> = outcome.report.rules.iter().map(|hits| hits.rule.as_str()).collect();
        let data = json!({
            "rules": rules, "application": outcome.traffic.application,
            "judged": outcome.report.judged, "matched": outcome.report.matched,
        });
        unit.event(None, "rule.backtested", data);
        unit.commit().await?;
        Ok(())
    }

    fn noted(&self, access: &Access, outcome: &BacktestOutcome, hits: &RuleHits) -> RuleChange {
        let (id, at) = (RuleChangeId::new(self.ids().as_ref()), self.now());
        let traffic = &outcome.traffic;
        let summary = BacktestSummary {
            id,
            at,
            digest: hits.digest.clone(),
            from: traffic.from,
            to: traffic.to,
            application: traffic.application.clone(),
            judged: outcome.report.judged,
            matched: hits.matched,
            already_stopped: hits.already_stopped,
            affected: hits.affected,
        };
        RuleChange {
            id,
            rule: hits.rule.clone(),
            at,
            kind: RuleChangeKind::Backtested,
            actor: access.actor.clone(),
            reason: String::new(),
            from: None,
            to: None,
            backtest: Some(summary),
            forced: false,
        }
    }
}

/// The names of the rules to test.
fn tested(
    set: &RuleSet,
    rule: Option<&str>,
    files: &[ContentFile],
) -> Result<BTreeSet<String>, Refused> {
    let proposed = |pack: &str| files.iter().any(|file| file.path == pack);
    let mut names: BTreeSet<String> = set
        .rules()
        .iter()
        .filter(|info| rule.is_none() && proposed(&info.pack))
        .map(|info| info.id.clone())
        .collect();
    if let Some(rule) = rule {
        let info = set.rule(rule).ok_or_else(|| Refused::not_found("rule", rule))?;
        names.insert(info.id.clone());
    }
    if names.is_empty() {
        let message = "name a rule, or give files with rules";
        return Err(Refused::invalid("backtest.rules", message));
    }
    if names.len() > RULES_MAX {
        let message = format!("at most {RULES_MAX} rules are tested at once");
        return Err(Refused::invalid("backtest.rules", message));
    }
    Ok(names)
}

/// Runs the rules named `tested` over the logs below `lakes`, oldest first. `canaries` are the
/// applications'.
pub fn over_logs(
    lakes: &[PathBuf],
    rules: Arc<RuleSet>,
    tested: &BTreeSet<String>,
    traffic: Traffic,
    canaries: &BTreeMap<String, Vec<String>>,
) -> Result<BacktestOutcome, Refused> {
    let seconds = traffic.to.duration_since(traffic.from).as_secs().max(1);
    let stretch = u32::try_from((seconds / STRETCHES).max(60)).unwrap_or(u32::MAX);
    let mut backtest = Backtest::new(rules, tested, stretch);
    let (mut left, mut truncated) = (traffic.limit, false);
    for lake in lakes {
        for gateway in gateways(lake).map_err(Refused::files)? {
            let dir = log_dir(lake, &gateway);
            let Some((first, last, more)) = stretch_of(&dir, &traffic, left)? else { continue };
            truncated |= more;
            let mut reader = LogReader::open(&dir);
            let mut after = first.saturating_sub(1);
            while after < last && left > 0 {
                let records =
                    reader.read_after(after, BATCH, BATCH_BYTES).map_err(Refused::files)?;
                let Some(newest) = records.last() else { break };
                after = newest.sequence;
                for record in records.iter().filter_map(parse_record) {
                    if traffic.fits(&record) && left > 0 {
                        left -= 1;
                        let own = canaries.get(&record.application);
                        backtest.push(&record, own.map_or(&[], Vec::as_slice));
                    }
                }
            }
        }
    }
    Ok(BacktestOutcome { report: backtest.finish(), traffic, truncated })
}

/// The first and last record of a log that `traffic` asks for, newest first up to `limit`, and
/// whether there were more.
fn stretch_of(
    dir: &Path,
    traffic: &Traffic,
    limit: usize,
) -> Result<Option<(u64, u64, bool)>, Refused> {
    let (mut found, mut count, mut more) = (None, 0, false);
    let late = SignedDuration::from_hours(1);
    let horizon = traffic.from.checked_sub(late).unwrap_or(Timestamp::MIN);
    scan(dir, Order::NewestFirst, |record| {
        let Some(interaction) = parse_record(record) else { return ControlFlow::Continue(()) };
        // Long streams are recorded late: records a little out of order may still come.
        if interaction.started_at < horizon {
            return ControlFlow::Break(());
        }
        if traffic.fits(&interaction) {
            if count == limit {
                more = true;
                return ControlFlow::Break(());
            }
            count += 1;
            let last = found.map_or(record.sequence, |(_, last)| last);
            found = Some((record.sequence, last));
        }
        ControlFlow::Continue(())
    })
    .map_err(Refused::files)?;
    Ok(found.map(|(first, last)| (first, last, more)))
}
