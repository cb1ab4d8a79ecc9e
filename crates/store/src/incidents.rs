//! Incidents: the cases, their numbers, and the lists people filter.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use quell_domain::{IncidentId, IncidentKind, IncidentRecord, IncidentState, Severity};

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{docs, guarded, micros, number, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// Which incidents a list shows. Empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only open ones, or only ended ones.
    pub open: Option<bool>,
    /// In this state.
    pub state: Option<IncidentState>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// Of this kind.
    pub kind: Option<IncidentKind>,
    /// In this application.
    pub application: Option<String>,
    /// With this text in title or number, whatever the case.
    pub text: Option<String>,
    /// Opened at or after.
    pub from: Option<Timestamp>,
    /// Opened before.
    pub to: Option<Timestamp>,
}

impl Read {
    /// One incident.
    pub async fn incident(&mut self, id: IncidentId) -> Result<Option<IncidentRecord>, StoreError> {
        let query = sqlx::query("SELECT doc FROM incidents WHERE id = $1").bind(id.to_string());
        optional_doc(query, self.connection()).await
    }

    /// The incident with this number, e.g. `INC-2026-0001`.
    pub async fn incident_by_number(
        &mut self,
        number: &str,
    ) -> Result<Option<IncidentRecord>, StoreError> {
        let query = sqlx::query("SELECT doc FROM incidents WHERE number = $1").bind(number);
        optional_doc(query, self.connection()).await
    }

    /// The newest open incident that collects signals under `grouping_key`.
    pub async fn open_incident(
        &mut self,
        application: &str,
        grouping_key: &str,
    ) -> Result<Option<IncidentRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM incidents \
             WHERE application = $1 AND grouping_key = $2 AND is_open = 1 \
             ORDER BY id DESC LIMIT 1",
        );
        optional_doc(query.bind(application).bind(grouping_key), self.connection()).await
    }

    /// Every open incident of one application, newest first, at most `limit`.
    pub async fn open_incidents(
        &mut self,
        application: &str,
        limit: u32,
    ) -> Result<Vec<IncidentRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM incidents WHERE application = $1 AND is_open = 1 \
             ORDER BY id DESC LIMIT $2",
        );
        docs(query.bind(application).bind(i64::from(limit)), self.connection()).await
    }

    /// How many incidents are open.
    pub async fn open_incident_count(&mut self) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS n FROM incidents WHERE is_open = 1");
        number(query, self.connection()).await
    }

    /// A page of incidents, newest first.
    pub async fn incidents(
        &mut self,
        filter: &IncidentFilter,
        page: &PageRequest,
    ) -> Result<Page<IncidentRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM incidents WHERE \
             (CAST($1 AS BIGINT) IS NULL OR is_open = $1) \
             AND (CAST($2 AS TEXT) IS NULL OR state = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR severity = $3) \
             AND (CAST($4 AS TEXT) IS NULL OR kind = $4) \
             AND (CAST($5 AS TEXT) IS NULL OR application = $5) \
             AND (CAST($6 AS TEXT) IS NULL OR search LIKE $6 ESCAPE '!') \
             AND (CAST($7 AS BIGINT) IS NULL OR opened_at >= $7) \
             AND (CAST($8 AS BIGINT) IS NULL OR opened_at < $8) \
             AND (CAST($9 AS TEXT) IS NULL OR id < $9) \
             ORDER BY id DESC LIMIT $10",
        )
        .bind(filter.open.map(i64::from))
        .bind(filter.state.map(IncidentState::as_str))
        .bind(filter.severity.map(Severity::as_str))
        .bind(filter.kind.map(IncidentKind::as_str))
        .bind(&filter.application)
        .bind(filter.text.as_deref().map(containing))
        .bind(filter.from.map(micros))
        .bind(filter.to.map(micros))
        .bind(&page.cursor)
        .bind(page.fetch());
        let items = docs(query, self.connection()).await?;
        Ok(Page::cut(items, page, |incident: &IncidentRecord| incident.id.to_string()))
    }
}

impl Tx {
    /// The next number of the present UTC year. Numbers of transactions that fail stay unused
    /// only where the engine counts outside them; gaps are allowed.
    pub async fn next_incident_number(&mut self) -> Result<String, StoreError> {
        let year = self.now().to_zoned(TimeZone::UTC).year();
        let count = self.next(&format!("incident-{year}")).await?;
        Ok(format!("INC-{year}-{count:04}"))
    }

    /// Stores a new incident.
    pub async fn insert_incident(&mut self, incident: &IncidentRecord) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO incidents (id, number, application, kind, severity, state, is_open, \
             grouping_key, opened_at, search, version, doc) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(incident.id.to_string())
        .bind(&incident.number)
        .bind(&incident.application)
        .bind(incident.kind.as_str())
        .bind(incident.severity.as_str())
        .bind(incident.state.as_str())
        .bind(i64::from(incident.state.is_open()))
        .bind(&incident.grouping_key)
        .bind(micros(incident.opened_at))
        .bind(searchable(incident))
        .bind(incident.version)
        .bind(to_doc(incident)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Stores a changed incident over the version it carries, and raises that.
    pub async fn update_incident(
        &mut self,
        incident: &mut IncidentRecord,
    ) -> Result<(), StoreError> {
        let stored = IncidentRecord { version: incident.version + 1, ..incident.clone() };
        let update = sqlx::query(
            "UPDATE incidents SET kind = $1, severity = $2, state = $3, is_open = $4, \
             grouping_key = $5, search = $6, version = $7, doc = $8 \
             WHERE id = $9 AND version = $10",
        )
        .bind(stored.kind.as_str())
        .bind(stored.severity.as_str())
        .bind(stored.state.as_str())
        .bind(i64::from(stored.state.is_open()))
        .bind(&stored.grouping_key)
        .bind(searchable(&stored))
        .bind(stored.version)
        .bind(to_doc(&stored)?)
        .bind(incident.id.to_string())
        .bind(incident.version);
        guarded(update, "the incident", self.connection()).await?;
        *incident = stored;
        Ok(())
    }
}

/// What a text filter looks in. Lowered here because the engines lower only ASCII alike.
fn searchable(incident: &IncidentRecord) -> String {
    format!("{} {}", incident.number, incident.title).to_lowercase()
}

/// A LIKE pattern that finds `text` literally.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
