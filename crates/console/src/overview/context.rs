//! What is happening now.

use serde::Serialize;

use crate::incidents::context::{IncidentRow, sample_rows};
use crate::moment::Moment;
use crate::plot::{Bin, Flag, Histogram};
use crate::render::Page;
use crate::sample;
use crate::views::MeasureView;

/// The overview.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The situation in one sentence.
    pub headline: String,
    /// What stands behind it, in one more.
    pub summary: String,
    /// Open incidents, worst first.
    pub incidents: Vec<IncidentRow>,
    /// How many more there are.
    pub more_incidents: u64,
    /// Signals over time.
    pub plot: Histogram,
    /// Measures that wait for a person.
    pub proposals: Vec<MeasureView>,
    /// Measures in force.
    pub measures: Vec<MeasureView>,
    /// Gateways and when they were last heard of.
    pub gateways: Vec<GatewayView>,
    /// What could not be read just now.
    pub missing: Option<String>,
}

impl Page for Overview {
    const TEMPLATE: &'static str = "overview/page.html";
    const REGIONS: &'static [&'static str] =
        &["posture", "headline", "incidents", "signals", "proposals", "measures", "gateways"];
}

/// A gateway's health.
#[derive(Debug, Clone, Serialize)]
pub struct GatewayView {
    /// Its name.
    pub name: String,
    /// `live`, `stale`, `lost`.
    pub status: &'static str,
    /// When it last reported.
    pub seen: Moment,
    /// The epoch it runs on.
    pub epoch: u64,
    /// Whether a newer epoch exists.
    pub behind: bool,
    /// Requests running.
    pub in_flight: u64,
    /// Exchanges recorded since start.
    pub recorded: String,
    /// Upstreams it stopped asking.
    pub open_breakers: Vec<String>,
    /// Why it refused the newest snapshot.
    pub refused: Option<String>,
}

impl Overview {
    /// A bad night, a quiet day, and a partial answer.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let night = Self {
            headline: "4 open incidents, 1 critical".into(),
            summary: "2 of 3 measures verified; 2 proposals wait for a person.".into(),
            incidents: sample_rows()
                .into_iter()
                .filter(|row| row.state.is_open())
                .take(5)
                .collect(),
            more_incidents: 1,
            plot: sample_plot(),
            proposals: sample::proposals(),
            measures: sample::in_force(),
            gateways: sample_gateways(),
            missing: None,
        };
        let quiet = Self {
            headline: "No open incidents".into(),
            summary: "Nothing is contained. 2 gateways are live.".into(),
            incidents: Vec::new(),
            more_incidents: 0,
            plot: Histogram::new("Signals", &bins(|_| [0; 4]), 1_800, &[]),
            proposals: Vec::new(),
            measures: Vec::new(),
            gateways: sample_gateways()[..1].to_vec(),
            missing: None,
        };
        let partial = Self {
            gateways: Vec::new(),
            missing: Some("Signals of the last 20 minutes are not counted yet: the log of gw-2 cannot be reached.".into()),
            ..night.clone()
        };
        vec![("night", night), ("quiet", quiet), ("partial", partial)]
    }
}

fn bins(counts: impl Fn(i64) -> [u64; 4]) -> Vec<Bin> {
    (0..48).map(|n| Bin { from: sample::ago((47 - n) * 1_800), counts: counts(n) }).collect()
}

fn sample_plot() -> Histogram {
    let counts = |n: i64| {
        let wave = (n * 7 % 5) as u64;
        match n {
            46..=47 => [9 + wave, 14, 6, 3],
            44..=45 => [1, 6 + wave, 4, 2],
            38..=41 => [0, wave, 7 + wave, 3],
            _ => [0, u64::from(n % 11 == 3), wave / 2, (n * 3 % 4) as u64],
        }
    };
    let opened = Flag { at: sample::ago(720), title: "INC-2026-0042 opened".into() };
    Histogram::new("Signals", &bins(counts), 1_800, &[opened])
}

/// One healthy gateway, one that is behind, one that is gone.
pub(crate) fn sample_gateways() -> Vec<GatewayView> {
    let healthy = GatewayView {
        name: "gw-1".into(),
        status: "live",
        seen: sample::moment(1),
        epoch: 118,
        behind: false,
        in_flight: 23,
        recorded: "41\u{202f}882".into(),
        open_breakers: Vec::new(),
        refused: None,
    };
    let behind = GatewayView {
        name: "gw-2".into(),
        status: "stale",
        seen: sample::moment(47),
        epoch: 117,
        behind: true,
        open_breakers: vec!["openai-eu".into()],
        ..healthy.clone()
    };
    vec![healthy, behind]
}
