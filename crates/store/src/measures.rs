//! Containment measures.

use jiff::Timestamp;
use quell_domain::{IncidentId, Measure, MeasureId, MeasureState};

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{docs, guarded, micros, optional_doc, to_doc};
use crate::store::{Read, Tx};

/// Which measures a list shows. Empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeasureFilter {
    /// Of this application.
    pub application: Option<String>,
    /// Of this incident.
    pub incident: Option<IncidentId>,
    /// In this state.
    pub state: Option<MeasureState>,
    /// Only those not ended yet, or only ended ones.
    pub current: Option<bool>,
}

impl Read {
    /// One measure.
    pub async fn measure(&mut self, id: MeasureId) -> Result<Option<Measure>, StoreError> {
        let query = sqlx::query("SELECT doc FROM measures WHERE id = $1").bind(id.to_string());
        optional_doc(query, self.connection()).await
    }

    /// Every measure that has not ended: proposed, approved, in force or being lifted; oldest
    /// first.
    pub async fn current_measures(&mut self) -> Result<Vec<Measure>, StoreError> {
        let query = sqlx::query("SELECT doc FROM measures WHERE is_current = 1 ORDER BY id");
        docs(query, self.connection()).await
    }

    /// A page of measures, newest first.
    pub async fn measures(
        &mut self,
        filter: &MeasureFilter,
        page: &PageRequest,
    ) -> Result<Page<Measure>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM measures WHERE \
             (CAST($1 AS TEXT) IS NULL OR application = $1) \
             AND (CAST($2 AS TEXT) IS NULL OR incident = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR state = $3) \
             AND (CAST($4 AS BIGINT) IS NULL OR is_current = $4) \
             AND (CAST($5 AS TEXT) IS NULL OR id < $5) \
             ORDER BY id DESC LIMIT $6",
        )
        .bind(&filter.application)
        .bind(filter.incident.map(|id| id.to_string()))
        .bind(filter.state.map(MeasureState::as_str))
        .bind(filter.current.map(i64::from))
        .bind(&page.cursor)
        .bind(page.fetch());
        let items = docs(query, self.connection()).await?;
        Ok(Page::cut(items, page, |measure: &Measure| measure.id.to_string()))
    }

    /// Measures that have not ended and whose time has run out.
    pub async fn expired_measures(&mut self, now: Timestamp) -> Result<Vec<Measure>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM measures WHERE is_current = 1 AND expires_at <= $1 ORDER BY id",
        );
        docs(query.bind(micros(now)), self.connection()).await
    }
}

impl Tx {
    /// Stores a new measure.
    pub async fn insert_measure(&mut self, measure: &Measure) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO measures \
             (id, application, incident, state, is_current, expires_at, version, doc) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(measure.id.to_string())
        .bind(&measure.application)
        .bind(measure.incident.map(|id| id.to_string()))
        .bind(measure.state.as_str())
        .bind(i64::from(is_current(measure.state)))
        .bind(measure.expires_at.map(micros))
        .bind(measure.version)
        .bind(to_doc(measure)?);
        insert.execute(self.connection()).await?;
        Ok(())
    }

    /// Stores a changed measure over the version it carries, and raises that.
    pub async fn update_measure(&mut self, measure: &mut Measure) -> Result<(), StoreError> {
        let stored = Measure { version: measure.version + 1, ..measure.clone() };
        let update = sqlx::query(
            "UPDATE measures SET incident = $1, state = $2, is_current = $3, expires_at = $4, \
             version = $5, doc = $6 WHERE id = $7 AND version = $8",
        )
        .bind(stored.incident.map(|id| id.to_string()))
        .bind(stored.state.as_str())
        .bind(i64::from(is_current(stored.state)))
        .bind(stored.expires_at.map(micros))
        .bind(stored.version)
        .bind(to_doc(&stored)?)
        .bind(measure.id.to_string())
        .bind(measure.version);
        guarded(update, "the measure", self.connection()).await?;
        *measure = stored;
        Ok(())
    }
}

const fn is_current(state: MeasureState) -> bool {
    !matches!(state, MeasureState::Lifted | MeasureState::Expired | MeasureState::Rejected)
}
