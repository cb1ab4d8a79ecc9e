//! Signals that control has read from the interaction log, and which incident they belong to.

use jiff::Timestamp;
use quell_domain::{IncidentId, InteractionId, Principal, Severity, Signal};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{doc, inserted, micros, number, parsed, to_doc};
use crate::store::{Read, Tx};

/// A signal and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignalRecord {
    /// The finding. Its id makes replay insert nothing.
    pub signal: Signal,
    /// The incident it belongs to, if it made one or joined one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The application.
    pub application: String,
    /// The interaction; none for a correlation over several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<InteractionId>,
    /// Who.
    pub principal: Principal,
    /// When, by the interaction's own time.
    pub at: Timestamp,
}

/// Which signals a list shows. Empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignalFilter {
    /// Of this incident.
    pub incident: Option<IncidentId>,
    /// Of this application.
    pub application: Option<String>,
    /// Raised by this rule.
    pub rule: Option<String>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// How many signals of one severity fell into one bucket of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalCount {
    /// Where the bucket begins.
    pub from: Timestamp,
    /// The severity.
    pub severity: Severity,
    /// How many.
    pub count: i64,
}

macro_rules! page_of_signals {
    ($first_condition:literal) => {
        concat!(
            "SELECT incident, doc FROM signals WHERE ",
            $first_condition,
            " AND (CAST($2 AS TEXT) IS NULL OR application = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR rule = $3) \
             AND (CAST($4 AS TEXT) IS NULL OR severity = $4) \
             AND (CAST($5 AS BIGINT) IS NULL OR at >= $5) \
             AND (CAST($6 AS BIGINT) IS NULL OR at < $6) \
             AND (CAST($7 AS BIGINT) IS NULL OR at < $7 OR (at = $7 AND id < $8)) \
             ORDER BY at DESC, id DESC LIMIT $9"
        )
    };
}

// Two texts, so that an incident's page never walks the signals of all others.
const OF_ALL: &str = page_of_signals!("CAST($1 AS TEXT) IS NULL");
const OF_ONE_INCIDENT: &str = page_of_signals!("incident = $1");

impl Read {
    /// A page of signals, newest first.
    pub async fn signals(
        &mut self,
        filter: &SignalFilter,
        page: &PageRequest,
    ) -> Result<Page<SignalRecord>, StoreError> {
        let (before, before_id) = split_cursor(page.cursor.as_deref());
        let query = sqlx::query(match filter.incident {
            Some(_) => OF_ONE_INCIDENT,
            None => OF_ALL,
        })
        .bind(filter.incident.map(|id| id.to_string()))
        .bind(&filter.application)
        .bind(&filter.rule)
        .bind(filter.severity.map(Severity::as_str))
        .bind(filter.from.map(micros))
        .bind(filter.to.map(micros))
        .bind(before)
        .bind(before_id)
        .bind(page.fetch());
        let rows = query.fetch_all(self.connection()).await?;
        let items = rows.iter().map(signal).collect::<Result<_, _>>()?;
        Ok(Page::cut(items, page, |record: &SignalRecord| {
            format!("{}.{}", micros(record.at), record.signal.id)
        }))
    }

    /// One signal.
    pub async fn signal(&mut self, id: &str) -> Result<Option<SignalRecord>, StoreError> {
        let query = sqlx::query("SELECT incident, doc FROM signals WHERE id = $1").bind(id);
        let row = query.fetch_optional(self.connection()).await?;
        row.as_ref().map(signal).transpose()
    }

    /// How many signals an incident holds.
    pub async fn signal_count(&mut self, incident: IncidentId) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS n FROM signals WHERE incident = $1");
        number(query.bind(incident.to_string()), self.connection()).await
    }

    /// Signals in `[from, to)` per bucket of `bucket_seconds` and severity, of one rule or of all,
    /// empty ones left out, oldest first.
    pub async fn signals_over_time(
        &mut self,
        rule: Option<&str>,
        from: Timestamp,
        to: Timestamp,
        bucket_seconds: u32,
    ) -> Result<Vec<SignalCount>, StoreError> {
        let width = i64::from(bucket_seconds.max(1)) * 1_000_000;
        let query = sqlx::query(
            "SELECT (at - $1) / $2 AS bucket, severity, COUNT(*) AS n FROM signals \
             WHERE at >= $1 AND at < $3 AND (CAST($4 AS TEXT) IS NULL OR rule = $4) \
             GROUP BY 1, 2 ORDER BY 1, 2",
        );
        let query = query.bind(micros(from)).bind(width).bind(micros(to)).bind(rule);
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter()
            .map(|row| {
                let start = micros(from) + row.try_get::<i64, _>("bucket")? * width;
                Ok(SignalCount {
                    from: Timestamp::from_microsecond(start)
                        .map_err(|_| StoreError::corrupt("signal time"))?,
                    severity: parsed(row, "severity")?,
                    count: row.try_get("n")?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Stores a signal. False when it was there already; then nothing changes.
    pub async fn insert_signal(&mut self, record: &SignalRecord) -> Result<bool, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO signals \
             (id, incident, application, rule, kind, severity, interaction, at, doc, would_act) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&record.signal.id)
        .bind(record.incident.map(|id| id.to_string()))
        .bind(&record.application)
        .bind(&record.signal.rule)
        .bind(record.signal.kind.as_str())
        .bind(record.signal.severity.as_str())
        .bind(record.interaction.map(|id| id.to_string()))
        .bind(micros(record.at))
        .bind(to_doc(record)?)
        .bind(i64::from(record.signal.would_act()));
        inserted(insert, self.connection()).await
    }

    /// Puts a signal under an incident. False when there is no such signal.
    pub async fn assign_signal(
        &mut self,
        id: &str,
        incident: IncidentId,
    ) -> Result<bool, StoreError> {
        let update = sqlx::query("UPDATE signals SET incident = $1 WHERE id = $2");
        inserted(update.bind(incident.to_string()).bind(id), self.connection()).await
    }

    /// Moves every signal of one incident to another.
    pub async fn move_signals(
        &mut self,
        from: IncidentId,
        to: IncidentId,
    ) -> Result<(), StoreError> {
        let update = sqlx::query("UPDATE signals SET incident = $1 WHERE incident = $2");
        update.bind(to.to_string()).bind(from.to_string()).execute(self.connection()).await?;
        Ok(())
    }
}

/// The column stands above the document: signals move when incidents merge.
pub(crate) fn signal(row: &AnyRow) -> Result<SignalRecord, StoreError> {
    let mut record: SignalRecord = doc(row)?;
    let incident: Option<&str> = row.try_get("incident")?;
    record.incident = incident
        .map(str::parse)
        .transpose()
        .map_err(|_| StoreError::corrupt("value in incident"))?;
    Ok(record)
}

/// A place in a list ordered by time and id.
pub(crate) fn split_cursor(cursor: Option<&str>) -> (Option<i64>, Option<&str>) {
    let parts = cursor.and_then(|cursor| cursor.split_once('.'));
    match parts.and_then(|(at, id)| Some((at.parse().ok()?, id))) {
        Some((at, id)) => (Some(at), Some(id)),
        None => (None, None),
    }
}
