//! What happened to detection rules: who let them act, why, and on which backtest.

use jiff::Timestamp;
use quell_domain::rule::RuleMode;
use quell_domain::{Actor, RuleChangeId};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::row::{docs, micros, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// Entries shown of one rule.
const SHOWN: i64 = 100;

/// What happened to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleChangeKind {
    /// It may act.
    Promoted,
    /// It only reports.
    Demoted,
    /// It has the mode its file gives it.
    Reset,
    /// It was run over recorded traffic.
    Backtested,
}

impl RuleChangeKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Demoted => "demoted",
            Self::Reset => "reset",
            Self::Backtested => "backtested",
        }
    }
}

/// One entry of a rule's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleChange {
    /// Identity.
    pub id: RuleChangeId,
    /// The rule.
    pub rule: String,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: RuleChangeKind,
    /// Who.
    pub actor: Actor,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The mode before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RuleMode>,
    /// The mode after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<RuleMode>,
    /// The backtest it rests on, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtest: Option<BacktestSummary>,
    /// Whether the checks of a promotion were passed over.
    #[serde(default)]
    pub forced: bool,
}

/// What a backtest said about one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BacktestSummary {
    /// The entry of the history that holds it.
    pub id: RuleChangeId,
    /// When it was run.
    pub at: Timestamp,
    /// SHA-256 of the rule as it was tested.
    pub digest: String,
    /// The exchanges looked at began at or after this.
    pub from: Timestamp,
    /// And before this.
    pub to: Timestamp,
    /// The application, if only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Exchanges judged.
    pub judged: u64,
    /// Exchanges the rule matched.
    pub matched: u64,
    /// Of those, exchanges that were stopped anyway.
    pub already_stopped: u64,
    /// Principals it matched.
    pub affected: u64,
}

impl BacktestSummary {
    /// Matched exchanges that were not stopped anyway, as a share of those judged.
    pub fn share(&self) -> f64 {
        let new = self.matched.saturating_sub(self.already_stopped);
        if self.judged == 0 { 0.0 } else { new as f64 / self.judged as f64 }
    }
}

impl Read {
    /// What happened to a rule, newest first; at most 100 entries.
    pub async fn rule_history(&mut self, rule: &str) -> Result<Vec<RuleChange>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM rule_history WHERE rule = $1 ORDER BY at DESC, id DESC LIMIT $2",
        );
        docs(query.bind(rule).bind(SHOWN), self.connection()).await
    }

    /// The newest backtest of a rule.
    pub async fn last_backtest(&mut self, rule: &str) -> Result<Option<RuleChange>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM rule_history WHERE rule = $1 AND kind = $2 \
             ORDER BY at DESC, id DESC LIMIT 1",
        );
        let query = query.bind(rule).bind(RuleChangeKind::Backtested.as_str());
        optional_doc(query, self.connection()).await
    }
}

impl Tx {
    /// Adds an entry to a rule's history.
    pub async fn note_rule_change(&mut self, change: &RuleChange) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO rule_history (id, rule, at, kind, doc) VALUES ($1, $2, $3, $4, $5)",
        );
        let insert = insert
            .bind(change.id.to_string())
            .bind(&change.rule)
            .bind(micros(change.at))
            .bind(change.kind.as_str())
            .bind(to_doc(change)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }
}
