//! Intended: every measure in force is held by every live gateway and proved by its probes, and
//! none outlives its expiry. Observed: what gateways reported. Period: a second, and every report.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quell_domain::{Actor, Measure, MeasureId, MeasureState};
use quell_response::MeasureEvent;
use quell_response::measure::has_run_out;
use quell_store::{GatewayRecord, Read};

use crate::handle::Control;
use crate::measures::{advance, note_containment};
use crate::nodes::{Probed, is_live, probed};
use crate::refused::Refused;

/// What was observed.
struct Seen<'a> {
    /// Live gateways.
    live: Vec<&'a GatewayRecord>,
    /// Last probes by measure.
    probes: BTreeMap<MeasureId, Probed>,
    now: Timestamp,
}

impl Control {
    /// Records what gateways acknowledged and proved, and what ran out.
    pub async fn reconcile_enforcement(&self) -> Result<(), Refused> {
        // Looking costs no write transaction; only changes do.
        if due(&mut self.read().await?, self.now()).await?.is_empty() {
            return Ok(());
        }
        let mut unit = self.unit(&Actor::System).await?;
        let now = unit.now();
        for (measure, event) in due(&mut unit, now).await? {
            if matches!(event, MeasureEvent::Expire) && leaves_snapshot(&measure) {
                unit.epoch().await?;
            }
            let next = advance(&mut unit, &measure, &event, &Actor::System).await?;
            if next.state == MeasureState::Verified {
                note_containment(&mut unit, &next).await?;
            }
        }
        unit.commit().await?;
        // A step may make the next one due: acknowledged and already proved.
        Box::pin(self.reconcile_enforcement()).await
    }
}

fn leaves_snapshot(measure: &Measure) -> bool {
    measure.state.in_force()
}

/// The next step of every measure that has one.
async fn due(read: &mut Read, now: Timestamp) -> Result<Vec<(Measure, MeasureEvent)>, Refused> {
    let measures = read.current_measures().await?;
    if measures.is_empty() {
        return Ok(Vec::new());
    }
    let gateways = read.gateways().await?;
    let mut seen = Seen {
        live: gateways.iter().filter(|g| is_live(g, now)).collect(),
        probes: BTreeMap::new(),
        now,
    };
    for measure in &measures {
        if measure.state.in_force() || measure.state == MeasureState::Lifting {
            seen.probes.insert(measure.id, probed(read, measure.id).await?);
        }
    }
    let next = |measure: Measure| step(&measure, &seen).map(|event| (measure, event));
    Ok(measures.into_iter().filter_map(next).collect())
}

fn step(measure: &Measure, seen: &Seen<'_>) -> Option<MeasureEvent> {
    use MeasureState as S;
    if has_run_out(measure, seen.now) && measure.state != S::Lifting {
        return Some(MeasureEvent::Expire);
    }
    match measure.state {
        S::Requested => refused(measure, seen).or_else(|| acknowledged(measure, seen)),
        S::Acknowledged => proved(measure, seen),
        S::Verified => match proved(measure, seen) {
            Some(fail @ MeasureEvent::Fail { .. }) => Some(fail),
            _ => None,
        },
        // A failed one that every gateway now proves goes the whole way again.
        S::Failed => match (acknowledged(measure, seen), proved(measure, seen)) {
            (Some(acknowledge), Some(MeasureEvent::Verify { .. })) => Some(acknowledge),
            _ => None,
        },
        S::Lifting => lifted(measure, seen),
        S::Proposed | S::Approved | S::Lifted | S::Expired | S::Rejected => None,
    }
}

/// A gateway that could not take the snapshot says why.
fn refused(measure: &Measure, seen: &Seen<'_>) -> Option<MeasureEvent> {
    seen.live.iter().find_map(|gateway| {
        let report = &gateway.report;
        let why = report.refused.as_ref().filter(|_| report.epoch < measure.epoch)?;
        let why: String = why.chars().take(500).collect();
        Some(MeasureEvent::Fail {
            detail: format!("{} refused the snapshot: {why}", report.gateway),
        })
    })
}

fn acknowledged(measure: &Measure, seen: &Seen<'_>) -> Option<MeasureEvent> {
    let total = seen.live.len();
    let holding: Vec<&str> = seen
        .live
        .iter()
        .filter(|gateway| gateway.report.epoch >= measure.epoch)
        .map(|gateway| gateway.report.gateway.as_str())
        .collect();
    (total > 0 && holding.len() == total).then(|| MeasureEvent::Acknowledge {
        detail: format!("{total} of {total} gateways hold it: {}", names(&holding)),
    })
}

/// What the probes of all live gateways together say, if all of them spoke.
fn proved(measure: &Measure, seen: &Seen<'_>) -> Option<MeasureEvent> {
    let probes = seen.probes.get(&measure.id)?;
    let mut met = Vec::new();
    for gateway in &seen.live {
        let name = gateway.report.gateway.as_str();
        match probes.get(name).filter(|probe| probe.epoch >= measure.epoch) {
            Some(probe) if probe.met => met.push(format!("{name}: {}", probe.detail)),
            Some(probe) => {
                return Some(MeasureEvent::Fail { detail: format!("{name}: {}", probe.detail) });
            }
            None => {}
        }
    }
    let all = !seen.live.is_empty() && met.len() == seen.live.len();
    all.then(|| MeasureEvent::Verify { detail: cut(&met.join("; ")) })
}

fn lifted(measure: &Measure, seen: &Seen<'_>) -> Option<MeasureEvent> {
    match proved(measure, seen)? {
        MeasureEvent::Verify { detail } => Some(MeasureEvent::ConfirmLift { detail }),
        _ => None,
    }
}

fn names(all: &[&str]) -> String {
    cut(&all.join(", "))
}

fn cut(text: &str) -> String {
    text.chars().take(2_000).collect()
}
