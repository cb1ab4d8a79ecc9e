//! What the demo amounts to, counted from the interaction log, the store and the evidence itself.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use jiff::Timestamp;
use quell_control::Access;
use quell_domain::interaction::Outcome;
use quell_domain::{IncidentId, Interaction, MeasureState};
use quell_evidence::VerifyLimits;
use quell_range::campaign::CampaignReport;
use quell_store::{IncidentFilter, PageRequest, SignalFilter};
use serde_json::{Value, json};

use super::cast::{Cast, words};
use crate::exit::Failure;

/// Incident kinds the demo promises.
const KINDS_PROMISED: usize = 4;

/// The figures.
pub(super) struct Summary {
    log: LogFigures,
    signals: usize,
    incidents: Vec<Value>,
    measures: Vec<Value>,
    unverified: usize,
    evidence_verified: bool,
    campaign: Value,
}

#[derive(Default)]
struct LogFigures {
    interactions: u64,
    blocked: u64,
    cut_streams: u64,
    leaked_chars: u64,
    would_block: u64,
    learned: u64,
}

impl Summary {
    /// Counts.
    pub(super) async fn gather(cast: &Cast, report: &CampaignReport) -> Result<Self, Failure> {
        let log = figures(cast.log_dir()).await?;
        let measures = cast.measures().await?;
        let entered = measures.iter().filter(|measure| measure.state.in_force());
        let unverified = entered.filter(|measure| measure.state != MeasureState::Verified).count();
        let (incidents, first_signals, evidence_verified) = incidents(cast).await?;
        let since_first_signal = |measure: &quell_domain::Measure| {
            let first = first_signals.get(&measure.incident?)?;
            Some(measure.verified_at?.duration_since(*first).as_millis() as i64)
        };
        Ok(Self {
            log,
            signals: count_signals(cast).await?,
            incidents,
            unverified,
            measures: measures
                .iter()
                .map(|measure| {
                    json!({
                        "id": measure.id, "what": words(measure), "state": measure.state,
                        "level": measure.effect.level(), "incident": measure.incident,
                        "actor": measure.actor, "requested_at": measure.requested_at,
                        "acknowledged_at": measure.acknowledged_at,
                        "verified_at": measure.verified_at, "expires_at": measure.expires_at,
                        "verified_ms_after_first_signal": since_first_signal(measure),
                    })
                })
                .collect(),
            evidence_verified,
            campaign: json!({
                "scenarios": report.scenarios, "missed": report.missed_count,
                "missed_by_source": report.corpus_attacks,
                "honest_users": report.honest_users, "honest_touched": report.honest_touched,
            }),
        })
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "interactions": self.log.interactions,
            "signals": self.signals,
            "incidents": self.incidents,
            "measures": self.measures,
            "blocked": self.log.blocked,
            "would_block": self.log.would_block,
            "learned": self.log.learned,
            "cut_streams": self.log.cut_streams,
            "leaked_chars": self.log.leaked_chars,
            "evidence_verified": self.evidence_verified,
            "campaign": self.campaign,
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let touched = self.campaign["honest_touched"].as_array().map_or(0, Vec::len);
        let mut lines = vec![format!(
            "\n{} exchanges, {} signals, {} blocked, {} streams cut ({} characters of a match got out)",
            self.log.interactions,
            self.signals,
            self.log.blocked,
            self.log.cut_streams,
            self.log.leaked_chars
        )];
        lines.push(format!(
            "{} found by the classifier; rules in shadow would have stopped {} more",
            self.log.learned, self.log.would_block
        ));
        for incident in &self.incidents {
            lines.push(format!(
                "  {}  {:<8}  {:<10}  {}",
                text(incident, "number"),
                text(incident, "severity"),
                text(incident, "state"),
                text(incident, "title"),
            ));
        }
        let verified = self.measures.iter().filter(|m| text(m, "state") == "verified").count();
        lines.push(format!(
            "{verified} of {} measures verified; evidence {}; {} attack requests missed; {touched} of {} \
             honest users touched",
            self.measures.len(),
            if self.evidence_verified { "verified" } else { "NOT verified" },
            self.campaign["missed"],
            self.campaign["honest_users"],
        ));
        lines.join("\n")
    }

    /// Whether the demo kept its promises.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let kinds: BTreeSet<&str> = self.incidents.iter().map(|i| text(i, "kind")).collect();
        if kinds.len() < KINDS_PROMISED {
            return Err(Failure::negative(format!(
                "only {} kinds of incident: {kinds:?}",
                kinds.len()
            )));
        }
        if self.unverified > 0 || self.measures.is_empty() {
            return Err(Failure::negative(format!(
                "{} measures are not verified",
                self.unverified
            )));
        }
        if !self.evidence_verified {
            return Err(Failure::negative("the evidence does not verify"));
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

async fn figures(dir: std::path::PathBuf) -> anyhow::Result<LogFigures> {
    tokio::task::spawn_blocking(move || {
        let mut figures = LogFigures::default();
        quell_lake::scan(&dir, quell_lake::Order::OldestFirst, |record| {
            if let Ok(interaction) = serde_json::from_slice::<Interaction>(&record.payload) {
                figures.interactions += 1;
                figures.blocked += u64::from(interaction.outcome == Outcome::Blocked);
                figures.would_block += u64::from(interaction.outcome == Outcome::WouldBlock);
                let mut rules = interaction.signals.iter().map(|signal| signal.rule.as_str());
                figures.learned += u64::from(rules.any(|rule| rule.starts_with("learned_")));
                if let Some(cut) = interaction.cut.filter(|cut| cut.by.contains(':')) {
                    figures.cut_streams += 1;
                    figures.leaked_chars += cut.leaked_chars;
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(figures)
    })
    .await?
}

async fn count_signals(cast: &Cast) -> anyhow::Result<usize> {
    let mut page = PageRequest::first(500);
    let mut count = 0;
    loop {
        let signals =
            cast.control().signals(&Access::system(), &SignalFilter::default(), &page).await?;
        count += signals.items.len();
        match signals.next {
            Some(next) => page.cursor = Some(next),
            None => return Ok(count),
        }
    }
}

/// Every incident with its evidence exported and verified as a stranger would.
async fn incidents(
    cast: &Cast,
) -> anyhow::Result<(Vec<Value>, HashMap<IncidentId, Timestamp>, bool)> {
    let access = Access::system();
    let page = PageRequest::first(200);
    let found = cast.control().incidents(&access, &IncidentFilter::default(), &page).await?.items;
    let folder = tempfile::tempdir()?;
    let mut all_intact = !found.is_empty();
    let mut rows = Vec::new();
    let mut first_signals = HashMap::new();
    for incident in found {
        first_signals.extend(incident.first_signal_at.map(|at| (incident.id, at)));
        let bundle = folder.path().join(&incident.number);
        let exported = cast
            .control()
            .export_evidence_dir(&access, incident.id, "the demo verifies its evidence", &bundle)
            .await?;
        let expected = exported.manifest_sha256.parse()?;
        let report = tokio::task::spawn_blocking(move || {
            quell_evidence::verify(&bundle, Some(expected), &VerifyLimits::default())
        })
        .await??;
        all_intact &= report.is_intact();
        rows.push(json!({
            "id": incident.id, "number": incident.number, "kind": incident.kind,
            "severity": incident.severity, "state": incident.state, "title": incident.title,
            "signals": incident.signal_count, "evidence_items": report.items_ok,
            "evidence_intact": report.is_intact(),
        }));
    }
    Ok((rows, first_signals, all_intact))
}
