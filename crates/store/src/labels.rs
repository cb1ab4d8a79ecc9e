//! Labels on signals, and how rules fare by them.

use jiff::Timestamp;
use quell_domain::feedback::{Label, LabelSource};
use quell_domain::{Actor, IncidentId};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{inserted, micros, parsed, time};
use crate::signals::{SignalRecord, signal, split_cursor};
use crate::store::{Read, Tx};

/// What somebody said about a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignalLabel {
    /// The signal's id.
    pub signal: String,
    /// Whether it was right.
    pub label: Label,
    /// How the label came about.
    pub source: LabelSource,
    /// The rule that raised the signal.
    pub rule: String,
    /// The application.
    pub application: String,
    /// The incident it belonged to then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Who said it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Which labels a list shows. Empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelFilter {
    /// Saying this.
    pub label: Option<Label>,
    /// About signals of this rule.
    pub rule: Option<String>,
    /// About signals of this application.
    pub application: Option<String>,
    /// Of this incident.
    pub incident: Option<IncidentId>,
    /// Given at or after.
    pub from: Option<Timestamp>,
    /// Given before.
    pub to: Option<Timestamp>,
}

/// How often a rule matched, and how it was judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleFigures {
    /// The rule's id.
    pub rule: String,
    /// Signals of the last 24 hours.
    pub day: i64,
    /// Signals of the last 7 days.
    pub week: i64,
    /// Of those of the last 7 days, how many would have been redacted or blocked had the rule been
    /// enforced.
    pub would_act: i64,
    /// Signals of any time that were labelled confirmed.
    pub confirmed: i64,
    /// Signals of any time that were labelled false positives.
    pub false_positive: i64,
}

impl RuleFigures {
    /// Confirmed among labelled signals, in percent; none without a label.
    pub const fn precision(&self) -> Option<i64> {
        match self.confirmed + self.false_positive {
            0 => None,
            all => Some((self.confirmed * 100 + all / 2) / all),
        }
    }
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Read {
    /// The label of a signal.
    pub async fn signal_label(&mut self, id: &str) -> Result<Option<SignalLabel>, StoreError> {
        let query = sqlx::query("SELECT * FROM signal_labels WHERE signal = $1").bind(id);
        query.fetch_optional(self.connection()).await?.as_ref().map(label).transpose()
    }

    /// A page of labels with their signals, newest first.
    pub async fn labels(
        &mut self,
        filter: &LabelFilter,
        page: &PageRequest,
    ) -> Result<Page<(SignalLabel, SignalRecord)>, StoreError> {
        let (before, before_id) = split_cursor(page.cursor.as_deref());
        let query = sqlx::query(
            "SELECT l.signal, l.label, l.source, l.rule, l.application, l.incident, l.actor, l.at, \
             l.reason, s.doc FROM signal_labels l JOIN signals s ON s.id = l.signal WHERE \
             (CAST($1 AS TEXT) IS NULL OR l.label = $1) \
             AND (CAST($2 AS TEXT) IS NULL OR l.rule = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR l.application = $3) \
             AND (CAST($4 AS TEXT) IS NULL OR l.incident = $4) \
             AND (CAST($5 AS BIGINT) IS NULL OR l.at >= $5) \
             AND (CAST($6 AS BIGINT) IS NULL OR l.at < $6) \
             AND (CAST($7 AS BIGINT) IS NULL OR l.at < $7 OR (l.at = $7 AND l.signal < $8)) \
             ORDER BY l.at DESC, l.signal DESC LIMIT $9",
        )
        .bind(filter.label.map(Label::as_str))
        .bind(&filter.rule)
        .bind(&filter.application)
        .bind(filter.incident.map(|id| id.to_string()))
        .bind(filter.from.map(micros))
        .bind(filter.to.map(micros))
        .bind(before)
        .bind(before_id)
        .bind(page.fetch());
        let rows = query.fetch_all(self.connection()).await?;
        let items = rows.iter().map(|row| Ok((label(row)?, signal(row)?)));
        let items = items.collect::<Result<_, StoreError>>()?;
        Ok(Page::cut(items, page, |(label, _): &(SignalLabel, SignalRecord)| {
            format!("{}.{}", micros(label.at), label.signal)
        }))
    }

    /// The figures of every rule that matched in the 7 days before `now` or was ever labelled.
    pub async fn rule_figures(&mut self, now: Timestamp) -> Result<Vec<RuleFigures>, StoreError> {
        let now = micros(now);
        let query = sqlx::query(
            "SELECT rule, CAST(SUM(CASE WHEN at >= $1 THEN 1 ELSE 0 END) AS BIGINT) AS day, \
             COUNT(*) AS week, CAST(SUM(would_act) AS BIGINT) AS would_act \
             FROM signals WHERE at >= $2 GROUP BY rule",
        )
        .bind(now - DAY_MICROS)
        .bind(now - 7 * DAY_MICROS);
        let mut all = std::collections::BTreeMap::<String, RuleFigures>::new();
        for row in query.fetch_all(self.connection()).await? {
            let rule: String = row.try_get("rule")?;
            let figures = RuleFigures {
                rule: rule.clone(),
                day: row.try_get("day")?,
                week: row.try_get("week")?,
                would_act: row.try_get("would_act")?,
                ..RuleFigures::default()
            };
            all.insert(rule, figures);
        }
        let query = sqlx::query(
            "SELECT rule, label, COUNT(*) AS n FROM signal_labels GROUP BY rule, label",
        );
        for row in query.fetch_all(self.connection()).await? {
            let rule: String = row.try_get("rule")?;
            let n = row.try_get("n")?;
            let label = parsed(&row, "label")?;
            let figures = all.entry(rule.clone()).or_default();
            figures.rule = rule;
            match label {
                Label::Confirmed => figures.confirmed = n,
                Label::FalsePositive => figures.false_positive = n,
            }
        }
        Ok(all.into_values().collect())
    }
}

impl Tx {
    /// Stores a label, over the one the signal has.
    pub async fn put_signal_label(&mut self, label: &SignalLabel) -> Result<(), StoreError> {
        let upsert = sqlx::query(
            "INSERT INTO signal_labels \
             (signal, label, source, rule, application, incident, actor, at, reason) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (signal) DO UPDATE SET \
             label = excluded.label, source = excluded.source, incident = excluded.incident, \
             actor = excluded.actor, at = excluded.at, reason = excluded.reason",
        )
        .bind(&label.signal)
        .bind(label.label.as_str())
        .bind(label.source.as_str())
        .bind(&label.rule)
        .bind(&label.application)
        .bind(label.incident.map(|id| id.to_string()))
        .bind(label.actor.to_string())
        .bind(micros(label.at))
        .bind(&label.reason);
        upsert.execute(self.connection()).await?;
        Ok(())
    }

    /// Takes a label away. False when there was none.
    pub async fn delete_signal_label(&mut self, signal: &str) -> Result<bool, StoreError> {
        let delete = sqlx::query("DELETE FROM signal_labels WHERE signal = $1").bind(signal);
        inserted(delete, self.connection()).await
    }

    /// Labels every signal of an incident that has no label; how many.
    pub async fn label_incident(
        &mut self,
        incident: IncidentId,
        label: Label,
        actor: &Actor,
        reason: &str,
    ) -> Result<u64, StoreError> {
        let now = micros(self.now());
        let insert = sqlx::query(
            "INSERT INTO signal_labels \
             (signal, label, source, rule, application, incident, actor, at, reason) \
             SELECT id, CAST($1 AS TEXT), CAST($2 AS TEXT), rule, application, incident, \
             CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS TEXT) FROM signals \
             WHERE incident = $6 ON CONFLICT (signal) DO NOTHING",
        )
        .bind(label.as_str())
        .bind(LabelSource::Incident.as_str())
        .bind(actor.to_string())
        .bind(now)
        .bind(reason)
        .bind(incident.to_string());
        Ok(insert.execute(self.connection()).await?.rows_affected())
    }

    /// Takes away the labels that the end of this incident gave; how many.
    pub async fn unlabel_incident(&mut self, incident: IncidentId) -> Result<u64, StoreError> {
        let delete = sqlx::query("DELETE FROM signal_labels WHERE incident = $1 AND source = $2")
            .bind(incident.to_string())
            .bind(LabelSource::Incident.as_str());
        Ok(delete.execute(self.connection()).await?.rows_affected())
    }
}

fn label(row: &AnyRow) -> Result<SignalLabel, StoreError> {
    let incident: Option<&str> = row.try_get("incident")?;
    Ok(SignalLabel {
        signal: row.try_get("signal")?,
        label: parsed(row, "label")?,
        source: parsed(row, "source")?,
        rule: row.try_get("rule")?,
        application: row.try_get("application")?,
        incident: incident
            .map(str::parse)
            .transpose()
            .map_err(|_| StoreError::corrupt("value in incident"))?,
        actor: parsed(row, "actor")?,
        at: time(row, "at")?,
        reason: row.try_get("reason")?,
    })
}
