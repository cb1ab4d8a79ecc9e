//! What is going on, on one page.

use jiff::SignedDuration;
use quell_domain::event::TimelineEvent;
use quell_domain::{AccessRole, IncidentRecord, Measure, MeasureState};
use quell_store::{IncidentFilter, PageRequest, SignalCount};
use serde::Serialize;

use crate::access::Access;
use crate::handle::Control;
use crate::nodes::Node;
use crate::refused::Refused;

/// The state of things now.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// How many incidents are open.
    pub open_incidents: i64,
    /// The newest of them.
    pub incidents: Vec<IncidentRecord>,
    /// Measures in force or being lifted.
    pub in_force: Vec<Measure>,
    /// Measures that wait for a person.
    pub waiting: Vec<Measure>,
    /// Signals of the last 24 hours, per half hour and severity.
    #[serde(skip)]
    pub signals: Vec<SignalCount>,
    /// Gateways.
    pub gateways: Vec<Node>,
    /// The newest events.
    pub latest: Vec<TimelineEvent>,
    /// The newest epoch.
    pub epoch: u64,
}

/// Seconds of one bucket of [`Overview::signals`].
pub const BUCKET_SECONDS: u32 = 1_800;

impl Control {
    /// The state of things now.
    pub async fn overview(&self, access: &Access) -> Result<Overview, Refused> {
        access.require(AccessRole::Viewer)?;
        let gateways = self.nodes(access).await?;
        let mut read = self.read().await?;
        let now = self.now();
        let open = IncidentFilter { open: Some(true), ..IncidentFilter::default() };
        let incidents = read.incidents(&open, &PageRequest::first(10)).await?.items;
        let measures = read.current_measures().await?;
        let (waiting, in_force) = measures.into_iter().partition(|measure| {
            matches!(measure.state, MeasureState::Proposed | MeasureState::Approved)
        });
        let from = now - SignedDuration::from_hours(24);
        Ok(Overview {
            open_incidents: read.open_incident_count().await?,
            incidents,
            in_force,
            waiting,
            signals: read.signals_over_time(None, from, now, BUCKET_SECONDS).await?,
            gateways,
            latest: read.latest_events(20).await?,
            epoch: read.epoch().await?,
        })
    }
}
