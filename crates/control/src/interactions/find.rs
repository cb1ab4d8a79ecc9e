//! Looks exchanges up in the logs. (A columnar index comes with the lake's next step; until then
//! a search reads the newest records, up to a stated limit.)

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use quell_domain::interaction::Outcome;
use quell_domain::{Interaction, InteractionId};
use quell_lake::{LogReader, LogRecord, Order, gateways, log_dir, scan};

use super::InteractionSummary;
use crate::handle::Control;
use crate::refused::Refused;

/// Records one search looks at, over all gateways.
pub(super) const SCANNED_MAX: usize = 50_000;
/// Most results.
pub(super) const RESULTS_MAX: usize = 500;
/// How far before the time in its id an exchange may have been recorded.
const ID_MARGIN: SignedDuration = SignedDuration::from_mins(1);

/// Which exchanges a search shows. Empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InteractionFilter {
    /// Of this application.
    pub application: Option<String>,
    /// By this user.
    pub user: Option<String>,
    /// In this session.
    pub session: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// In which this rule matched.
    pub rule: Option<String>,
    /// Only those with findings.
    pub flagged: bool,
    /// With this text in any field, whatever the case. Searching it is an event.
    pub text: Option<String>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before; also the cursor of the next page.
    pub to: Option<Timestamp>,
    /// Most results; 0 means 50.
    pub limit: usize,
}

impl InteractionFilter {
    fn fits(&self, interaction: &Interaction) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let principal = &interaction.principal;
        is(&self.application, Some(&interaction.application))
            && is(&self.user, principal.user.as_ref().map(|user| user.value.as_str()))
            && is(&self.session, principal.session.as_ref().map(|s| s.value.as_str()))
            && self.outcome.is_none_or(|outcome| interaction.outcome == outcome)
            && self
                .rule
                .as_ref()
                .is_none_or(|rule| interaction.signals.iter().any(|signal| signal.rule == *rule))
            && (!self.flagged || !interaction.signals.is_empty())
            && self.from.is_none_or(|from| interaction.started_at >= from)
            && self.to.is_none_or(|to| interaction.started_at < to)
            && self.text.as_ref().is_none_or(|text| {
                let text = text.to_lowercase();
                let fields = interaction.request.iter().chain(&interaction.response);
                fields.into_iter().any(|field| field.text.to_lowercase().contains(&text))
            })
    }
}

impl Control {
    /// The newest exchanges that fit, newest first.
    pub(super) async fn find_interactions(
        &self,
        filter: InteractionFilter,
    ) -> Result<Vec<InteractionSummary>, Refused> {
        let limit = if filter.limit == 0 { 50 } else { filter.limit.min(RESULTS_MAX) };
        let lakes = self.options().lake_dirs.clone();
        let search = move || -> Result<Vec<InteractionSummary>, Refused> {
            let mut found = Vec::new();
            let mut left = SCANNED_MAX;
            for lake in lakes {
                for gateway in gateways(&lake).map_err(Refused::files)? {
                    let mut here = 0;
                    scan(&log_dir(&lake, &gateway), Order::NewestFirst, |record| {
                        left = left.saturating_sub(1);
                        if let Some(interaction) = parse(record)
                            && filter.fits(&interaction)
                        {
                            let sequence = record.sequence;
                            found.push(InteractionSummary::new(&gateway, sequence, &interaction));
                            here += 1;
                        }
                        if here >= limit || left == 0 {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(())
                        }
                    })
                    .map_err(Refused::files)?;
                }
            }
            found.sort_by_key(|summary| std::cmp::Reverse((summary.at, summary.id)));
            found.truncate(limit);
            Ok(found)
        };
        tokio::task::spawn_blocking(search).await.map_err(Refused::files)?
    }

    /// Where an exchange lies: known for those of incidents, else searched from the newest back to
    /// the time in its id.
    pub(crate) async fn locate(
        &self,
        id: InteractionId,
    ) -> Result<(String, u64, Interaction), Refused> {
        let link = self.read().await?.incidents_of_interaction(id).await?.into_iter().next();
        let lakes = self.options().lake_dirs.clone();
        let search = move || -> Result<Option<(String, u64, Interaction)>, Refused> {
            if let Some(link) = &link {
                for lake in &lakes {
                    let mut reader = LogReader::open(&log_dir(lake, &link.gateway));
                    let record = reader.find(link.sequence).map_err(Refused::files)?;
                    if let Some(interaction) = record.as_ref().and_then(parse)
                        && interaction.id == id
                    {
                        return Ok(Some((link.gateway.clone(), link.sequence, interaction)));
                    }
                }
            }
            search_back(&lakes, id)
        };
        let found = tokio::task::spawn_blocking(search).await.map_err(Refused::files)??;
        found.ok_or_else(|| Refused::not_found("interaction", id))
    }
}

fn search_back(
    lakes: &[std::path::PathBuf],
    id: InteractionId,
) -> Result<Option<(String, u64, Interaction)>, Refused> {
    let millis = (id.uuid().as_u128() >> 80) as i64;
    let born = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN);
    let mut found = None;
    // An id that claims to be old must not make anybody read the whole log.
    let mut left = SCANNED_MAX;
    for lake in lakes {
        for gateway in gateways(lake).map_err(Refused::files)? {
            scan(&log_dir(lake, &gateway), Order::NewestFirst, |record| {
                let Some(interaction) = parse(record) else { return ControlFlow::Continue(()) };
                if interaction.id == id {
                    found = Some((gateway.clone(), record.sequence, interaction));
                    return ControlFlow::Break(());
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    return ControlFlow::Break(());
                }
                // Long streams are recorded late, so older records may still come; not for ever.
                if born.duration_since(interaction.started_at) > ID_MARGIN * 60 {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
            .map_err(Refused::files)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

pub(crate) fn parse(record: &LogRecord) -> Option<Interaction> {
    serde_json::from_slice(&record.payload).ok()
}
