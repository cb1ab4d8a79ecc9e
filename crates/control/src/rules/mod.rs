//! Detection content: what is shipped, what an operator changed, and what is in force.

mod backtest;
mod lifecycle;

pub use backtest::{BacktestOutcome, BacktestRequest, Traffic, over_logs};
pub use lifecycle::{Promotion, SHARE_MAX};
pub use quell_detection::FilterInfo;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use quell_detection::{Diagnostic, Examples, RuleInfo, RuleSet, content, lint, modes_file};
use quell_domain::AccessRole;
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;
use quell_store::{Read, RuleChange, RuleSetting};
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// Largest content file, bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// The rules that come with the binary: the same for every control in a process.
static SHIPPED: OnceLock<Arc<RuleSet>> = OnceLock::new();

/// The compiled rules in force, compiled again when the content changes.
#[derive(Debug, Default)]
pub(crate) struct RuleBook {
    held: RwLock<Option<(Vec<ContentFile>, Arc<RuleSet>)>>,
}

/// A rule as people see it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RuleView {
    /// What is known about it, with the mode in force.
    pub info: RuleInfo,
    /// The mode it ships with.
    pub shipped_mode: RuleMode,
    /// A person's choice about it.
    pub setting: Option<RuleSetting>,
}

/// A rule with everything known about it.
#[derive(Debug, Clone)]
pub struct RuleDetail {
    /// What the list shows.
    pub view: RuleView,
    /// The facts it rests on, and what each means.
    pub facts: BTreeMap<String, String>,
    /// Its examples.
    pub examples: Examples,
    /// Filters that name it.
    pub filters: Vec<FilterInfo>,
    /// Mode changes and backtests, newest first.
    pub history: Vec<RuleChange>,
}

impl Control {
    /// Every rule in force.
    pub async fn rules(&self, access: &Access) -> Result<Vec<RuleView>, Refused> {
        access.require(AccessRole::Viewer)?;
        let mut read = self.read().await?;
        let plain = self.unset_rules().over(files(&mut read).await?).await?;
        let settings: BTreeMap<String, RuleSetting> = read
            .rule_settings()
            .await?
            .into_iter()
            .map(|row| (row.value.rule.clone(), row.value))
            .collect();
        let set = self.rule_book().current(&mut read).await?;
        let views = set.rules().iter().map(|info| RuleView {
            shipped_mode: plain.rule(&info.id).map_or(info.mode, |rule| rule.mode),
            setting: settings.get(&info.id).cloned(),
            info: info.clone(),
        });
        Ok(views.collect())
    }

    /// One rule with everything known about it.
    pub async fn rule(&self, access: &Access, rule: &str) -> Result<RuleDetail, Refused> {
        let views = self.rules(access).await?;
        let view = views.into_iter().find(|view| view.info.id == rule);
        let view = view.ok_or_else(|| Refused::not_found("rule", rule))?;
        let mut read = self.read().await?;
        let history = read.rule_history(rule).await?;
        let set = self.rule_book().current(&mut read).await?;
        let of_rule = |filter: &&FilterInfo| filter.rules.iter().any(|name| name == rule);
        let facts = set.facts().filter(|(fact, _)| view.info.rests_on(fact));
        Ok(RuleDetail {
            history,
            filters: set.filters().filter(of_rule).cloned().collect(),
            facts: facts.map(|(fact, meaning)| (fact.to_owned(), meaning.to_owned())).collect(),
            examples: view.info.examples.clone(),
            view,
        })
    }

    /// Every filter, applied or expired.
    pub async fn filters(&self, access: &Access) -> Result<Vec<FilterInfo>, Refused> {
        access.require(AccessRole::Viewer)?;
        let set = self.rule_book().current(&mut self.read().await?).await?;
        Ok(set.filters().cloned().collect())
    }

    /// The content files that override or extend what is shipped.
    pub async fn content_files(&self, access: &Access) -> Result<Vec<ContentFile>, Refused> {
        access.require(AccessRole::Viewer)?;
        files(&mut self.read().await?).await
    }

    /// Stores a content file over what is shipped or stored under its path.
    pub async fn put_content(&self, access: &Access, file: ContentFile) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        if file.text.len() > FILE_BYTES_MAX {
            return Err(Refused::invalid("content.size", "a content file has at most 1 MiB"));
        }
        let name = ["rules/", "patterns/"].iter().find_map(|dir| file.path.strip_prefix(dir));
        let is_name = |name: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/');
            let stem = name.strip_suffix(".yaml");
            stem.is_some_and(|stem| !stem.is_empty() && stem.len() < 200 && stem.bytes().all(fits))
        };
        if !name.is_some_and(is_name) {
            return Err(Refused::invalid(
                "content.path",
                "a content file is rules/….yaml or patterns/….yaml",
            ));
        }
        let mut after = effective_content(&mut self.read().await?).await?;
        after.retain(|known| known.path != file.path);
        after.push(file.clone());
        compiled_apart(after).await?;
        let mut unit = self.unit(&access.actor).await?;
        let version = unit.content_file(&file.path).await?.map(|row| row.version);
        unit.put_content(&file, version).await?;
        let epoch = unit.epoch().await?;
        let sha256 = quell_domain::canonical::sha256_hex(file.text.as_bytes());
        let data = json!({"path": file.path, "sha256": sha256, "epoch": epoch});
        unit.event(None, "content.stored", data);
        unit.commit().await?;
        Ok(())
    }

    /// Takes a stored content file away; a shipped one of that path is in force again.
    pub async fn delete_content(&self, access: &Access, path: &str) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let mut after = effective_content(&mut self.read().await?).await?;
        after.retain(|known| known.path != path);
        compiled_apart(after).await?;
        let mut unit = self.unit(&access.actor).await?;
        if !unit.delete_content(path).await? {
            return Err(Refused::not_found("content file", path));
        }
        let epoch = unit.epoch().await?;
        unit.event(None, "content.deleted", json!({"path": path, "epoch": epoch}));
        unit.commit().await?;
        Ok(())
    }

    /// What is wrong or doubtful about the content in force with `files` on top.
    pub async fn lint_content(
        &self,
        access: &Access,
        on_top: &[ContentFile],
    ) -> Result<Vec<Diagnostic>, Refused> {
        access.require(AccessRole::Viewer)?;
        let mut all = content::embedded();
        all.extend(files(&mut self.read().await?).await?);
        all.extend(on_top.iter().cloned());
        Ok(lint(&all, self.now()))
    }
}

/// The stored content files.
async fn files(read: &mut Read) -> Result<Vec<ContentFile>, Refused> {
    Ok(read.content().await?.into_iter().map(|row| row.value).collect())
}

/// The content that is laid over what is embedded in a gateway: stored files, and the modes that
/// people chose.
pub(crate) async fn effective_content(read: &mut Read) -> Result<Vec<ContentFile>, Refused> {
    let mut stored = files(read).await?;
    let chosen = read.rule_settings().await?.into_iter();
    let modes: BTreeMap<_, _> = chosen.map(|row| (row.value.rule, row.value.mode)).collect();
    if !modes.is_empty() {
        stored.push(modes_file(&modes));
    }
    Ok(stored)
}

fn compiled(overrides: &[ContentFile]) -> Result<RuleSet, Refused> {
    RuleSet::with_overrides(overrides)
        .map_err(|errors| Refused::invalid("content.rules", errors.to_string()))
}

async fn compiled_apart(overrides: Vec<ContentFile>) -> Result<RuleSet, Refused> {
    tokio::task::spawn_blocking(move || compiled(&overrides)).await.map_err(Refused::files)?
}

fn needed(reason: &str) -> Result<String, Refused> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refused::invalid("reason_missing", "a reason is needed"));
    }
    Ok(reason.chars().take(2_000).collect())
}

impl RuleBook {
    /// The rules over the content that `read` sees. Compiling takes long enough to want a thread
    /// of its own, and to be done before a write transaction begins.
    pub(crate) async fn current(&self, read: &mut Read) -> Result<Arc<RuleSet>, Refused> {
        self.over(effective_content(read).await?).await
    }

    /// The rules with `overrides` on top of what is shipped.
    async fn over(&self, overrides: Vec<ContentFile>) -> Result<Arc<RuleSet>, Refused> {
        if overrides.is_empty()
            && let Some(set) = SHIPPED.get()
        {
            return Ok(Arc::clone(set));
        }
        if let Some((known, set)) = self.held.read().as_ref()
            && *known == overrides
        {
            return Ok(Arc::clone(set));
        }
        let set = Arc::new(compiled_apart(overrides.clone()).await?);
        if overrides.is_empty() {
            return Ok(Arc::clone(SHIPPED.get_or_init(|| set)));
        }
        *self.held.write() = Some((overrides, Arc::clone(&set)));
        Ok(set)
    }
}
