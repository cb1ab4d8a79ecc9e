//! Incidents as they are read.

use quell_domain::{AccessRole, IncidentId, IncidentRecord, Measure};
use quell_store::{IncidentFilter, MeasureFilter, Page, PageRequest, SignalFilter, SignalRecord};
use quell_triage::lifecycle;

use super::load;
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// An incident with what belongs to it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct IncidentView {
    /// The incident.
    pub incident: IncidentRecord,
    /// The events it could take now, by verb.
    pub possible: Vec<&'static str>,
    /// How many interactions it holds.
    pub interactions: i64,
    /// Its measures, newest first.
    pub measures: Vec<Measure>,
    /// Its latest signals, newest first.
    pub signals: Vec<SignalRecord>,
}

impl Control {
    /// A page of incidents, newest first.
    pub async fn incidents(
        &self,
        access: &Access,
        filter: &IncidentFilter,
        page: &PageRequest,
    ) -> Result<Page<IncidentRecord>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.incidents(filter, page).await?)
    }

    /// One incident, by id or by number.
    pub async fn incident(&self, access: &Access, name: &str) -> Result<IncidentView, Refused> {
        access.require(AccessRole::Viewer)?;
        let mut read = self.read().await?;
        let incident = if let Ok(id) = name.parse::<IncidentId>() {
            load(&mut read, id).await?
        } else {
            let found = read.incident_by_number(name).await?;
            found.ok_or_else(|| Refused::not_found("incident", name))?
        };
        let id = incident.id;
        let interactions = read.incident_interaction_count(id).await?;
        let of_incident = MeasureFilter { incident: Some(id), ..MeasureFilter::default() };
        let measures = read.measures(&of_incident, &PageRequest::first(200)).await?.items;
        let of_incident = SignalFilter { incident: Some(id), ..SignalFilter::default() };
        let signals = read.signals(&of_incident, &PageRequest::first(50)).await?.items;
        let possible = lifecycle::possible(incident.state).to_vec();
        Ok(IncidentView { incident, possible, interactions, measures, signals })
    }

    /// A page of signals, newest first.
    pub async fn signals(
        &self,
        access: &Access,
        filter: &SignalFilter,
        page: &PageRequest,
    ) -> Result<Page<SignalRecord>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.signals(filter, page).await?)
    }
}
