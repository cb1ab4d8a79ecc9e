//! The state of things now.

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::overview::Overview;
use quell_domain::event::TimelineEvent;
use quell_domain::{IncidentRecord, Measure, Severity};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::nodes::GatewayState;
use crate::problem::Result;

/// How many signals of one severity fell into one half hour.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Signals {
    /// Where the half hour begins.
    from: Timestamp,
    /// The severity.
    severity: Severity,
    /// How many.
    count: i64,
}

/// The state of things now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Now {
    /// How many incidents are open.
    open_incidents: i64,
    /// The newest of them.
    incidents: Vec<IncidentRecord>,
    /// Measures in force or being lifted.
    in_force: Vec<Measure>,
    /// Measures that wait for a person.
    waiting: Vec<Measure>,
    /// Signals of the last 24 hours; half hours without any are left out.
    signals: Vec<Signals>,
    /// Gateways.
    gateways: Vec<GatewayState>,
    /// The newest events, newest first.
    latest: Vec<TimelineEvent>,
    /// The newest epoch.
    epoch: u64,
}

impl From<Overview> for Now {
    fn from(overview: Overview) -> Self {
        let Overview { open_incidents, incidents, in_force, waiting, latest, epoch, .. } = overview;
        let signals = overview.signals.into_iter().map(|counted| Signals {
            from: counted.from,
            severity: counted.severity,
            count: counted.count,
        });
        Self {
            open_incidents,
            incidents,
            in_force,
            waiting,
            signals: signals.collect(),
            gateways: overview.gateways.into_iter().map(GatewayState::from).collect(),
            latest,
            epoch,
        }
    }
}

/// Shows open incidents, measures, signals of the last day, gateways and the latest events.
#[utoipa::path(
    get, path = "/api/v1/overview", tag = "incidents", responses((status = 200, body = Now))
)]
pub(crate) async fn show_overview(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Now>> {
    Ok(Reply(control.overview(&access).await?.into()))
}
