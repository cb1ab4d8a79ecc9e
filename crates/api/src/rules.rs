//! Detection rules and the content files they come from.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::rules::{FilterInfo, RuleDetail, RuleView};
use quell_domain::rule::{Direction, FailMode, RuleEffect, RuleMode};
use quell_domain::snapshot::ContentFile;
use quell_domain::taxonomy::TaxonomyRef;
use quell_domain::{IncidentKind, Severity};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::extract::{Json, Path};
use crate::problem::Result;
use crate::records::{RuleChange, RuleSetting};

/// A rule in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rule {
    /// What is known about it, with the mode in force.
    info: Info,
    /// The mode it ships with.
    shipped_mode: RuleMode,
    /// A person's choice about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<RuleSetting>,
}

/// What is known about a rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RuleInfo)]
struct Info {
    /// Its name: what signals and causes carry.
    id: String,
    /// The Sigma UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    sigma_id: Option<String>,
    /// What a match means.
    title: String,
    /// More about it.
    description: String,
    /// Ordinary things that match as well.
    false_positives: Vec<String>,
    /// What sort of incident a match suggests.
    kind: IncidentKind,
    /// How bad.
    severity: Severity,
    /// Whether its effect is carried out.
    mode: RuleMode,
    /// What a match does.
    effect: RuleEffect,
    /// Which way the text goes.
    direction: Direction,
    /// What happens when it could not be asked; the application's choice when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    fail: Option<FailMode>,
    /// Framework references.
    taxonomy: Vec<TaxonomyRef>,
    /// The content file it comes from.
    pack: String,
    /// SHA-256 of what it says and of the patterns it rests on.
    digest: String,
    /// `inline` while the exchange passes, or `after_exchange`.
    #[schema(value_type = String)]
    runs: Value,
    /// Whether it counts other rules over time.
    correlation: bool,
    /// Whether it is only counted by correlations and raises no signal itself.
    counted_only: bool,
    /// Facts it rests on; a trailing `*` stands for any ending.
    facts: Vec<String>,
}

impl From<RuleView> for Rule {
    fn from(view: RuleView) -> Self {
        let RuleView { info, shipped_mode, setting } = view;
        let info = Info {
            id: info.id,
            sigma_id: info.sigma_id,
            title: info.title,
            description: info.description,
            false_positives: info.false_positives,
            kind: info.kind,
            severity: info.severity,
            mode: info.mode,
            effect: info.effect,
            direction: info.direction,
            fail: info.fail,
            taxonomy: info.taxonomy,
            pack: info.pack,
            digest: info.digest,
            runs: json!(info.runs),
            correlation: info.correlation,
            counted_only: info.counted_only,
            facts: info.facts,
        };
        Self { info, shipped_mode, setting }
    }
}

/// Lists every rule in force, with the mode it ships with and the one a person chose.
#[utoipa::path(
    get, path = "/api/v1/rules", tag = "rules",
    responses((status = 200, body = [Rule]))
)]
pub(crate) async fn list_rules(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<Rule>>> {
    Ok(Reply(control.rules(&access).await?.into_iter().map(Rule::from).collect()))
}

/// A rule with everything known about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleAndHistory {
    /// What the list shows.
    #[serde(flatten)]
    rule: Rule,
    /// The facts it rests on, and what each means.
    facts: BTreeMap<String, String>,
    /// Its examples, positive and negative: texts, exchanges or series of exchanges.
    #[schema(value_type = Object)]
    examples: Value,
    /// Filters that name it.
    filters: Vec<Filter>,
    /// Mode changes and backtests, newest first.
    history: Vec<RuleChange>,
}

impl From<RuleDetail> for RuleAndHistory {
    fn from(detail: RuleDetail) -> Self {
        Self {
            rule: detail.view.into(),
            facts: detail.facts,
            examples: json!(detail.examples),
            filters: detail.filters.into_iter().map(Filter::from).collect(),
            history: detail.history,
        }
    }
}

/// Shows one rule: what it looks for, its examples, its filters and its history.
#[utoipa::path(
    get, path = "/api/v1/rules/{rule}", tag = "rules",
    params(("rule", description = "The rule's id")),
    responses((status = 200, body = RuleAndHistory))
)]
pub(crate) async fn get_rule(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(rule): Path<String>,
) -> Result<Reply<RuleAndHistory>> {
    Ok(Reply(control.rule(&access, &rule).await?.into()))
}

/// A reviewed document that keeps a rule's matches from counting, for a limited time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RuleFilter)]
pub(crate) struct Filter {
    /// Its name: what suppressed signals carry.
    id: String,
    /// What it lets pass.
    title: String,
    /// More about it.
    description: String,
    /// Rules whose matches it suppresses.
    rules: Vec<String>,
    /// Why those matches are harmless.
    reason: String,
    /// Who looked at it.
    reviewed_by: String,
    /// From then on it is not applied.
    expires: Timestamp,
    /// The content file it comes from.
    pack: String,
}

impl From<FilterInfo> for Filter {
    fn from(info: FilterInfo) -> Self {
        let FilterInfo {
            id, title, description, rules, reason, reviewed_by, expires, pack, ..
        } = info;
        Self { id, title, description, rules, reason, reviewed_by, expires, pack }
    }
}

/// Lists every filter, applied or expired.
#[utoipa::path(
    get, path = "/api/v1/filters", tag = "rules",
    responses((status = 200, body = [Filter]))
)]
pub(crate) async fn list_filters(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<Filter>>> {
    Ok(Reply(control.filters(&access).await?.into_iter().map(Filter::from).collect()))
}

/// A rule's new mode.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModeChoice {
    /// `shadow` reports what would have happened, `enforce` does it.
    mode: RuleMode,
    /// Why.
    reason: String,
}

/// Gives a rule another mode than it ships with. `enforce` for a rule that ships in shadow is a
/// promotion, with its checks.
#[utoipa::path(
    put, path = "/api/v1/rules/{rule}/mode", tag = "rules", request_body = ModeChoice,
    params(("rule", description = "The rule's id")),
    responses((status = 204))
)]
pub(crate) async fn set_rule_mode(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(rule): Path<String>,
    Json(choice): Json<ModeChoice>,
) -> Result<StatusCode> {
    control.set_rule_mode(&access, &rule, choice.mode, &choice.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a rule back the mode it ships with.
#[utoipa::path(
    delete, path = "/api/v1/rules/{rule}/mode", tag = "rules",
    params(("rule", description = "The rule's id")),
    responses((status = 204))
)]
pub(crate) async fn reset_rule_mode(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(rule): Path<String>,
) -> Result<StatusCode> {
    control.reset_rule_mode(&access, &rule).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the content files that override or extend what is shipped.
#[utoipa::path(
    get, path = "/api/v1/content", tag = "rules",
    responses((status = 200, body = Vec<ContentFile>))
)]
pub(crate) async fn list_content(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<ContentFile>>> {
    Ok(Reply(control.content_files(&access).await?))
}

/// Stores a content file; refused, with the line named, if the rules would not load with it.
#[utoipa::path(
    put, path = "/api/v1/content", tag = "rules", request_body = ContentFile,
    responses((status = 204))
)]
pub(crate) async fn put_content(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(file): Json<ContentFile>,
) -> Result<StatusCode> {
    control.put_content(&access, file).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a content file; what ships under its path is in force again.
#[utoipa::path(
    delete, path = "/api/v1/content/{path}", tag = "rules",
    params(("path", description = "The file's path, with `/` written as `%2F`")),
    responses((status = 204))
)]
pub(crate) async fn delete_content(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(path): Path<String>,
) -> Result<StatusCode> {
    control.delete_content(&access, &path).await?;
    Ok(StatusCode::NO_CONTENT)
}
