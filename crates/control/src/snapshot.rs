//! Compiles what the store holds into what gateways run on.
//!
//! The snapshot is a function of the store: the epoch is raised in the transaction that changes
//! its content. What gateways report back (acknowledged, verified) is left out of it, else every
//! acknowledgement would be a new epoch to acknowledge.

use quell_domain::measure::{Measure, MeasureState};
use quell_domain::snapshot::{Snapshot, SnapshotContent};
use quell_store::{ModelState, Read};

use crate::refused::Refused;
use crate::rules::effective_content;

/// The snapshot of what `read` sees. None before the first epoch.
pub(crate) async fn compile(read: &mut Read) -> Result<Option<Snapshot>, Refused> {
    let epoch = read.epoch().await?;
    if epoch == 0 {
        return Ok(None);
    }
    let (measures, lifting) = read
        .current_measures()
        .await?
        .into_iter()
        .filter(|measure| measure.state.in_force() || measure.state == MeasureState::Lifting)
        .map(normalised)
        .partition(|measure| measure.state != MeasureState::Lifting);
    let content = SnapshotContent {
        applications: values(read.applications().await?),
        upstreams: values(read.upstreams().await?),
        keys: read.key_bindings().await?,
        content: effective_content(read).await?,
        measures,
        lifting,
        model: digest(read, ModelState::Released).await?,
        shadow_model: digest(read, ModelState::Shadow).await?,
    };
    Ok(Some(Snapshot::new(epoch, content)))
}

async fn digest(read: &mut Read, state: ModelState) -> Result<Option<String>, Refused> {
    Ok(read.model_in(state).await?.map(|model| model.sha256))
}

fn values<T>(rows: Vec<quell_store::Versioned<T>>) -> Vec<T> {
    rows.into_iter().map(|row| row.value).collect()
}

/// Without what only control needs.
fn normalised(measure: Measure) -> Measure {
    let state = match measure.state {
        MeasureState::Lifting => MeasureState::Lifting,
        _ => MeasureState::Requested,
    };
    Measure { state, acknowledged_at: None, verified_at: None, detail: None, version: 0, ..measure }
}
