//! `GET /`

use axum::response::Html;
use jiff::{SignedDuration, Timestamp};
use quell_control::nodes::Node;
use quell_control::overview::{self, Overview as Now};
use quell_domain::{MeasureState, Severity};

use crate::http::{Failure, Signed};
use crate::incidents::handler::rows;
use crate::measures::cards;
use crate::moment::{Moment, grouped};
use crate::overview::context::{GatewayView, Overview};
use crate::plot::{Bin, Flag, Histogram};
use crate::shell::Section;

/// Incidents and measures shown before the links to their lists.
const SHOWN: usize = 8;
/// Seconds of a bin.
const BUCKET_SECONDS: i64 = overview::BUCKET_SECONDS as i64;
/// Half hours of a day.
const BINS: i64 = 48;

pub(crate) async fn show(by: Signed) -> Result<Html<String>, Failure> {
    let now = by.console.control.now();
    let mut state = by.console.control.overview(&by.access).await?;
    state
        .incidents
        .sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.opened_at));
    let (headline, summary) = sentences(&state);
    let content = Overview {
        headline,
        summary,
        incidents: rows(&by, &state.incidents[..state.incidents.len().min(SHOWN)], &state.in_force)
            .await?,
        more_incidents: (state.open_incidents as u64).saturating_sub(SHOWN as u64),
        plot: plot(&state, now),
        proposals: cards(&by, &state.waiting[..state.waiting.len().min(SHOWN)], false).await?,
        measures: cards(&by, &state.in_force[..state.in_force.len().min(SHOWN)], false).await?,
        gateways: state.gateways.iter().map(|node| gateway(node, now)).collect(),
        missing: missing(&state.gateways),
    };
    by.page(Section::Overview, &content).await
}

fn sentences(state: &Now) -> (String, String) {
    let open = state.open_incidents;
    let critical = state.incidents.iter().filter(|i| i.severity == Severity::Critical).count();
    let headline = match (open, critical) {
        (0, _) => "No open incidents".into(),
        (1, 0) => "1 open incident".into(),
        (_, 0) => format!("{open} open incidents"),
        (1, _) => "1 open incident, critical".into(),
        _ => format!("{open} open incidents, {critical} critical"),
    };
    let verified = state.in_force.iter().filter(|m| m.state == MeasureState::Verified).count();
    let contained = match state.in_force.len() {
        0 => "Nothing is contained.".into(),
        1 if verified == 1 => "1 measure in force, verified.".into(),
        all if all == verified => format!("{all} measures in force, all verified."),
        all => format!("{verified} of {all} measures verified."),
    };
    let waiting = match state.waiting.len() {
        0 => String::new(),
        1 => " 1 proposal waits for a person.".into(),
        more => format!(" {more} proposals wait for a person."),
    };
    (headline, contained + &waiting)
}

fn plot(state: &Now, now: Timestamp) -> Histogram {
    // Control counts from 24 hours before its own reading of the clock, a moment ago.
    let start = now.as_second() - BINS * BUCKET_SECONDS;
    let mut bins: Vec<Bin> = (0..BINS)
        .map(|n| Bin {
            from: Timestamp::from_second(start + n * BUCKET_SECONDS).unwrap_or(now),
            counts: [0; 4],
        })
        .collect();
    for count in &state.signals {
        let offset = count.from.as_second() - start + BUCKET_SECONDS / 2;
        let index = offset.div_euclid(BUCKET_SECONDS);
        let place = Severity::ALL.iter().position(|severity| *severity == count.severity);
        if let (Ok(index), Some(place)) = (usize::try_from(index), place)
            && let Some(bin) = bins.get_mut(index)
        {
            bin.counts[place] += count.count.unsigned_abs();
        }
    }
    let flags: Vec<Flag> = state
        .incidents
        .iter()
        .map(|incident| Flag {
            at: incident.opened_at,
            title: format!("{} opened", incident.number),
        })
        .collect();
    Histogram::new("Signals", &bins, BUCKET_SECONDS.unsigned_abs(), &flags)
}

/// A gateway's health in words.
pub(crate) fn gateway(node: &Node, now: Timestamp) -> GatewayView {
    let silent = now.duration_since(node.last_seen_at);
    let status = match node.live {
        true if node.current => "live",
        true => "stale",
        false if silent < SignedDuration::from_mins(2) => "stale",
        false => "lost",
    };
    GatewayView {
        name: node.report.gateway.clone(),
        status,
        seen: Moment::new(node.last_seen_at, now),
        epoch: node.report.epoch,
        behind: !node.current,
        in_flight: node.report.in_flight,
        recorded: grouped(node.report.recorded),
        open_breakers: node.report.open_breakers.clone(),
        refused: node.report.refused.clone(),
    }
}

fn missing(gateways: &[Node]) -> Option<String> {
    let lost: Vec<&str> = gateways
        .iter()
        .filter(|node| !node.live)
        .map(|node| node.report.gateway.as_str())
        .collect();
    (!lost.is_empty()).then(|| {
        format!(
            "{} does not report. What passes it is not counted here, and measures there are not \
             verified again.",
            lost.join(", ")
        )
    })
}
