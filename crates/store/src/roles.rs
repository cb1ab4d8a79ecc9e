//! Who holds which role in an incident, and since when.

use jiff::Timestamp;
use quell_domain::IncidentId;
use serde::Serialize;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::row::{inserted, micros, optional_time, parsed, time};
use crate::store::{Read, Tx};

/// One person in one incident role, for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleAssignment {
    /// The incident.
    pub incident: IncidentId,
    /// The incident role, e.g. `commander`.
    pub role: String,
    /// The person's account name.
    pub person: String,
    /// Since when.
    pub assumed_at: Timestamp,
    /// Until when; none while it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renounced_at: Option<Timestamp>,
}

impl Read {
    /// Everybody who held or holds a role in an incident, in the order they assumed it.
    pub async fn roles(&mut self, incident: IncidentId) -> Result<Vec<RoleAssignment>, StoreError> {
        let query = sqlx::query(
            "SELECT incident, role, person, assumed_at, renounced_at FROM incident_roles \
             WHERE incident = $1 ORDER BY assumed_at, role, person",
        );
        let rows = query.bind(incident.to_string()).fetch_all(self.connection()).await?;
        rows.iter().map(assignment).collect()
    }
}

impl Tx {
    /// Gives a person a role from now on. False when the person holds it already.
    pub async fn assume_role(
        &mut self,
        incident: IncidentId,
        role: &str,
        person: &str,
    ) -> Result<bool, StoreError> {
        let now = micros(self.now());
        let insert = sqlx::query(
            "INSERT INTO incident_roles (incident, role, person, assumed_at) \
             SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT) \
             WHERE NOT EXISTS (SELECT 1 FROM incident_roles WHERE incident = $1 AND role = $2 \
             AND person = $3 AND renounced_at IS NULL)",
        );
        let insert = insert.bind(incident.to_string()).bind(role).bind(person).bind(now);
        inserted(insert, self.connection()).await
    }

    /// Takes a role back from now on. False when the person does not hold it.
    pub async fn renounce_role(
        &mut self,
        incident: IncidentId,
        role: &str,
        person: &str,
    ) -> Result<bool, StoreError> {
        let now = micros(self.now());
        let update = sqlx::query(
            "UPDATE incident_roles SET renounced_at = $1 \
             WHERE incident = $2 AND role = $3 AND person = $4 AND renounced_at IS NULL",
        );
        let update = update.bind(now).bind(incident.to_string()).bind(role).bind(person);
        inserted(update, self.connection()).await
    }
}

fn assignment(row: &AnyRow) -> Result<RoleAssignment, StoreError> {
    Ok(RoleAssignment {
        incident: parsed(row, "incident")?,
        role: row.try_get("role")?,
        person: row.try_get("person")?,
        assumed_at: time(row, "assumed_at")?,
        renounced_at: optional_time(row, "renounced_at")?,
    })
}
