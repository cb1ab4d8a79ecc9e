//! Incident roles: assumed and given back, with times.

use quell_domain::{AccessRole, IncidentId};
use quell_store::RoleAssignment;
use quell_triage::{IncidentRole, roles};
use serde_json::json;

use super::load;
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// An incident role and everybody who held it in an incident.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RoleView {
    /// The role.
    pub role: IncidentRole,
    /// Who holds or held it, in the order they assumed it.
    pub assignments: Vec<RoleAssignment>,
}

impl Control {
    /// Every incident role, with who holds or held it.
    pub async fn incident_roles(
        &self,
        access: &Access,
        id: IncidentId,
    ) -> Result<Vec<RoleView>, Refused> {
        access.require(AccessRole::Viewer)?;
        let assignments = self.read().await?.roles(id).await?;
        let views = roles::shipped().into_iter().map(|role| RoleView {
            assignments: assignments.iter().filter(|a| a.role == role.id).cloned().collect(),
            role,
        });
        Ok(views.collect())
    }

    /// Gives `person` a role from now on.
    pub async fn assume_role(
        &self,
        access: &Access,
        id: IncidentId,
        role: &str,
        person: &str,
    ) -> Result<(), Refused> {
        self.turn_role(access, id, role, person, true).await
    }

    /// Takes the role back from `person`.
    pub async fn renounce_role(
        &self,
        access: &Access,
        id: IncidentId,
        role: &str,
        person: &str,
    ) -> Result<(), Refused> {
        self.turn_role(access, id, role, person, false).await
    }

    async fn turn_role(
        &self,
        access: &Access,
        id: IncidentId,
        role: &str,
        person: &str,
        on: bool,
    ) -> Result<(), Refused> {
        access.require(AccessRole::Responder)?;
        if !roles::shipped().iter().any(|known| known.id == role) {
            return Err(Refused::not_found("incident role", role));
        }
        let mut unit = self.unit(&access.actor).await?;
        load(&mut unit, id).await?;
        if on && unit.account_by_name(person).await?.is_none() {
            return Err(Refused::not_found("account", person));
        }
        let (changed, kind) = if on {
            (unit.assume_role(id, role, person).await?, "role.assumed")
        } else {
            (unit.renounce_role(id, role, person).await?, "role.renounced")
        };
        if !changed {
            let message = if on { "holds the role already" } else { "does not hold the role" };
            return Err(Refused::state("role.unchanged", format!("{person} {message}")));
        }
        unit.event(Some(id), kind, json!({"role": role, "person": person}));
        unit.commit().await?;
        Ok(())
    }
}
