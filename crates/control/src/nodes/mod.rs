//! Gateways: what they fetch and what they report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_domain::budget::SpendReport;
use quell_domain::snapshot::{GatewayReport, ProbeResult, Snapshot};
use quell_domain::{AccessRole, Actor, MeasureId};
use quell_store::{GatewayRecord, Read};
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;
use crate::unit::Unit;

/// A gateway that has not reported for this long is not live.
pub const LIVE_WITHIN: Duration = Duration::from_secs(15);
/// Longest long poll.
pub const POLL_MAX: Duration = Duration::from_secs(30);
/// Most probe results of one report.
const PROBES_MAX: usize = 10_000;
/// Longest kept text of a probe's result, characters.
const DETAIL_CHARS: usize = 1_000;

/// What each gateway's last probe of a measure met.
pub(crate) type Probed = BTreeMap<String, ProbeResult>;

/// A gateway as people see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Node {
    /// When it first reported.
    pub first_seen_at: Timestamp,
    /// When it last reported.
    pub last_seen_at: Timestamp,
    /// Whether that was lately.
    pub live: bool,
    /// Whether it runs on the newest epoch.
    pub current: bool,
    /// What it last reported, without what is spent: [`Control::spend`] tells that.
    pub report: GatewayReport,
    /// How far its log has been read.
    pub read_to: u64,
}

impl Control {
    /// The snapshot after `epoch`, as soon as there is one; none if there is none within `wait`.
    pub async fn snapshot_after(&self, epoch: u64, wait: Duration) -> Option<Arc<Snapshot>> {
        let mut snapshots = self.snapshots().subscribe();
        let newer = snapshots.wait_for(|held| held.as_ref().is_some_and(|s| s.epoch > epoch));
        match tokio::time::timeout(wait.min(POLL_MAX), newer).await {
            Ok(Ok(held)) => held.clone(),
            _ => None,
        }
    }

    /// Takes a gateway's report, and draws the conclusions at once.
    pub async fn report(&self, report: GatewayReport) -> Result<(), Refused> {
        check_name(&report.gateway)?;
        if report.probes.len() > PROBES_MAX {
            return Err(Refused::invalid("report.probes", "too many probe results in one report"));
        }
        let holders = report.spend.as_ref().map_or(0, |spend| spend.holders.len());
        if holders > SpendReport::HOLDERS_MAX {
            return Err(Refused::invalid(
                "report.spend",
                "too many holders of budgets in one report",
            ));
        }
        let mut unit = self.unit(&Actor::System).await?;
        let known = unit.gateways().await?;
        if !known.iter().any(|record| record.report.gateway == report.gateway) {
            unit.event(None, "gateway.joined", json!({"gateway": report.gateway}));
        }
        unit.put_gateway_report(&report).await?;
        let epoch = unit.epoch_held().await?;
        let held = self.snapshot().filter(|snapshot| snapshot.epoch == report.epoch);
        let differs = held.is_some_and(|snapshot| snapshot.hash != report.hash);
        if report.epoch > epoch || (differs && report.refused.is_none()) {
            // A restored database: gateways remember later epochs than it does.
            unit.raise_epoch(report.epoch.max(epoch)).await?;
            unit.epoch().await?;
            let data = json!({"gateway": report.gateway, "epoch": report.epoch});
            unit.event(None, "gateway.ahead", data);
        }
        for probe in &report.probes {
            note_probe(&mut unit, &report.gateway, probe).await?;
        }
        unit.commit().await?;
        self.reconcile_enforcement().await
    }

    /// Every gateway that ever reported.
    pub async fn nodes(&self, access: &Access) -> Result<Vec<Node>, Refused> {
        access.require(AccessRole::Viewer)?;
        let mut read = self.read().await?;
        let (epoch, now) = (read.epoch().await?, self.now());
        let mut nodes = Vec::new();
        for record in read.gateways().await? {
            let read_to = read.log_cursor(&record.report.gateway).await?.unwrap_or(0);
            nodes.push(Node {
                first_seen_at: record.first_seen_at,
                last_seen_at: record.last_seen_at,
                live: is_live(&record, now),
                current: record.report.epoch == epoch,
                report: GatewayReport { spend: None, ..record.report },
                read_to,
            });
        }
        Ok(nodes)
    }

    /// Forgets a gateway that is gone for good.
    pub async fn remove_node(&self, access: &Access, name: &str) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        if !unit.delete_gateway(name).await? {
            return Err(Refused::not_found("gateway", name));
        }
        unit.event(None, "gateway.removed", json!({"gateway": name}));
        unit.commit().await?;
        Ok(())
    }
}

/// Whether a gateway counts as running.
pub(crate) fn is_live(record: &GatewayRecord, now: Timestamp) -> bool {
    let age = now.duration_since(record.last_seen_at);
    age <= SignedDuration::try_from(LIVE_WITHIN).unwrap_or(SignedDuration::ZERO)
}

fn check_name(name: &str) -> Result<(), Refused> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(Refused::invalid(
            "gateway.name",
            "a gateway's name must be 1 to 64 of a-z 0-9 - .",
        ));
    }
    Ok(())
}

fn probes_setting(measure: MeasureId) -> String {
    format!("probes:{measure}")
}

/// The last probe of `measure` by each gateway.
pub(crate) async fn probed(read: &mut Read, measure: MeasureId) -> Result<Probed, Refused> {
    let text = read.setting(&probes_setting(measure)).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

async fn note_probe(
    unit: &mut Unit<'_>,
    gateway: &str,
    probe: &ProbeResult,
) -> Result<(), Refused> {
    if unit.measure(probe.measure).await?.is_none() {
        return Ok(());
    }
    let mut all = probed(unit, probe.measure).await?;
    if all.get(gateway).is_some_and(|known| known.epoch > probe.epoch) {
        return Ok(());
    }
    let detail = probe.detail.chars().take(DETAIL_CHARS).collect();
    all.insert(gateway.to_owned(), ProbeResult { detail, ..probe.clone() });
    let text = serde_json::to_string(&all).unwrap_or_default();
    unit.put_setting(&probes_setting(probe.measure), &text).await?;
    Ok(())
}
