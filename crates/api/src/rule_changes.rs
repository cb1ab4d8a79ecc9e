//! A rule's way from shadow to enforce and back.

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::rules::{BacktestOutcome, BacktestRequest, Promotion};
use quell_domain::backtest::BacktestReport;
use quell_domain::snapshot::ContentFile;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::extract::{Json, Path};
use crate::measures::Reason;
use crate::problem::Result;
use crate::records::RuleChange;

/// What to test on which recorded exchanges.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhatToBacktest {
    /// A rule in force.
    #[serde(default)]
    rule: Option<String>,
    /// Proposed content files, laid over what is in force; their rules are tested.
    #[serde(default)]
    files: Vec<ContentFile>,
    /// Exchanges of this application only.
    #[serde(default)]
    application: Option<String>,
    /// Exchanges that began at or after this; a week ago when absent.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Exchanges that began before this; now when absent.
    #[serde(default)]
    to: Option<Timestamp>,
    /// The newest so many: 20,000 when absent, at most 100,000.
    #[serde(default)]
    limit: Option<u32>,
}

/// What a backtest found, on which exchanges.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Backtested {
    /// The application, if only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    /// The exchanges looked at began at or after this.
    from: Timestamp,
    /// And before this.
    to: Timestamp,
    /// Whether there were more exchanges than the limit; the newest were looked at.
    truncated: bool,
    /// Matched exchanges that were not stopped anyway, as a share of those judged: 0 to 1.
    share: f64,
    /// The findings.
    report: BacktestReport,
}

impl From<BacktestOutcome> for Backtested {
    fn from(outcome: BacktestOutcome) -> Self {
        let BacktestOutcome { report, traffic, truncated } = outcome;
        let (application, from, to) = (traffic.application, traffic.from, traffic.to);
        Self { application, from, to, truncated, share: report.share(), report }
    }
}

/// Runs a rule, or proposed content, over recorded exchanges. Needs the role responder; the result
/// is kept in the rules' history.
#[utoipa::path(
    post, path = "/api/v1/rules/backtest", tag = "rules", request_body = WhatToBacktest,
    responses((status = 200, body = Backtested))
)]
pub(crate) async fn backtest_rules(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(what): Json<WhatToBacktest>,
) -> Result<Reply<Backtested>> {
    let request = BacktestRequest {
        rule: what.rule,
        files: what.files,
        application: what.application,
        from: what.from,
        to: what.to,
        limit: what.limit.map_or(0, |limit| limit as usize),
    };
    Ok(Reply(control.backtest(&access, request).await?.into()))
}

/// Why a rule may act.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromotionReason {
    /// Why.
    reason: String,
    /// Pass over the checks: a fresh backtest of the rule as it is, and few matches in it.
    #[serde(default)]
    force: bool,
}

/// Lets a rule act on traffic. Refused without a fresh backtest, or when that matched more than
/// one exchange in a thousand, unless forced.
#[utoipa::path(
    post, path = "/api/v1/rules/{rule}/promote", tag = "rules", request_body = PromotionReason,
    params(("rule", description = "The rule's id")),
    responses((status = 200, body = RuleChange))
)]
pub(crate) async fn promote_rule(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(rule): Path<String>,
    Json(why): Json<PromotionReason>,
) -> Result<Reply<RuleChange>> {
    let promotion = Promotion { reason: why.reason, force: why.force };
    Ok(Reply(control.promote_rule(&access, &rule, &promotion).await?))
}

/// Lets a rule report only.
#[utoipa::path(
    post, path = "/api/v1/rules/{rule}/demote", tag = "rules", request_body = Reason,
    params(("rule", description = "The rule's id")),
    responses((status = 200, body = RuleChange))
)]
pub(crate) async fn demote_rule(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(rule): Path<String>,
    Json(why): Json<Reason>,
) -> Result<Reply<RuleChange>> {
    Ok(Reply(control.demote_rule(&access, &rule, &why.reason).await?))
}
