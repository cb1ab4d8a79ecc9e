//! Which interactions belong to an incident. The interactions themselves are in the log.

use jiff::Timestamp;
use quell_domain::{IncidentId, InteractionId, Principal};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{docs, inserted, micros, number, to_doc};
use crate::store::{Read, Tx};

/// An interaction as part of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentInteraction {
    /// The incident.
    pub incident: IncidentId,
    /// The interaction.
    pub interaction: InteractionId,
    /// The gateway whose log holds it.
    pub gateway: String,
    /// Its sequence number in that log.
    pub sequence: u64,
    /// When it began.
    pub at: Timestamp,
    /// Who.
    pub principal: Principal,
    /// Why it belongs here: a rule's title, `same session`, …
    pub why: String,
}

impl Read {
    /// A page of an incident's interactions, oldest first.
    pub async fn incident_interactions(
        &mut self,
        incident: IncidentId,
        page: &PageRequest,
    ) -> Result<Page<IncidentInteraction>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM incident_interactions WHERE incident = $1 \
             AND (CAST($2 AS TEXT) IS NULL OR interaction > $2) ORDER BY interaction LIMIT $3",
        );
        let query = query.bind(incident.to_string()).bind(&page.cursor).bind(page.fetch());
        let items = docs(query, self.connection()).await?;
        Ok(Page::cut(items, page, |item: &IncidentInteraction| item.interaction.to_string()))
    }

    /// How many interactions an incident holds.
    pub async fn incident_interaction_count(
        &mut self,
        incident: IncidentId,
    ) -> Result<i64, StoreError> {
        let query =
            sqlx::query("SELECT COUNT(*) AS n FROM incident_interactions WHERE incident = $1");
        number(query.bind(incident.to_string()), self.connection()).await
    }

    /// Every incident an interaction belongs to.
    pub async fn incidents_of_interaction(
        &mut self,
        interaction: InteractionId,
    ) -> Result<Vec<IncidentInteraction>, StoreError> {
        let query = sqlx::query(
            "SELECT doc FROM incident_interactions WHERE interaction = $1 ORDER BY incident",
        );
        docs(query.bind(interaction.to_string()), self.connection()).await
    }
}

impl Tx {
    /// Puts an interaction under an incident. False when it is there already.
    pub async fn link_interaction(
        &mut self,
        link: &IncidentInteraction,
    ) -> Result<bool, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO incident_interactions (incident, interaction, at, doc) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (incident, interaction) DO NOTHING",
        )
        .bind(link.incident.to_string())
        .bind(link.interaction.to_string())
        .bind(micros(link.at))
        .bind(to_doc(link)?);
        inserted(insert, self.connection()).await
    }
}
