//! How one rule fares: what it sees, how often it matched, and how its signals were judged.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use quell_detection::Example;
use quell_domain::AccessRole;
use quell_store::{PageRequest, RuleFigures, SignalCount, SignalFilter, SignalRecord};

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;
use crate::rules::RuleDetail;

/// Seconds of one bucket of [`RuleFares::hits`].
pub const HITS_BUCKET_SECONDS: u32 = 6 * 3_600;
/// Newest signals shown.
const SIGNALS: u32 = 10;
/// Examples of a sort.
const EXAMPLES: usize = 4;
/// Longest example, characters.
const EXAMPLE_CHARS: usize = 400;

/// A rule and how it fares.
#[derive(Debug, Clone)]
pub struct RuleFares {
    /// The rule, its facts, filters and history.
    pub detail: RuleDetail,
    /// Texts that match.
    pub positive: Vec<String>,
    /// Texts that do not.
    pub negative: Vec<String>,
    /// Counts and labels.
    pub figures: RuleFigures,
    /// Where the first bucket of [`Self::hits`] begins.
    pub from: Timestamp,
    /// Signals of the last 7 days, per [`HITS_BUCKET_SECONDS`] and severity.
    pub hits: Vec<SignalCount>,
    /// The newest signals.
    pub signals: Vec<SignalRecord>,
}

impl Control {
    /// What facts mean, by their names.
    pub async fn fact_meanings(&self) -> Result<BTreeMap<String, String>, Refused> {
        let rules = self.rule_book().current(&mut self.read().await?).await?;
        Ok(rules.facts().map(|(fact, meaning)| (fact.to_owned(), meaning.to_owned())).collect())
    }

    /// How often every rule matched lately, and how it was judged.
    pub async fn rule_figures(&self, access: &Access) -> Result<Vec<RuleFigures>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.rule_figures(self.now()).await?)
    }

    /// A rule and how it fares.
    pub async fn rule_fares(&self, access: &Access, id: &str) -> Result<RuleFares, Refused> {
        let detail = self.rule(access, id).await?;
        let now = self.now();
        let from = now - SignedDuration::from_hours(7 * 24);
        let mut read = self.read().await?;
        let figures = read.rule_figures(now).await?.into_iter().find(|known| known.rule == id);
        let filter = SignalFilter { rule: Some(id.to_owned()), ..SignalFilter::default() };
        Ok(RuleFares {
            positive: texts(&detail.examples.positive),
            negative: texts(&detail.examples.negative),
            figures: figures.unwrap_or_default(),
            from,
            hits: read.signals_over_time(Some(id), from, now, HITS_BUCKET_SECONDS).await?,
            signals: read.signals(&filter, &PageRequest::first(SIGNALS)).await?.items,
            detail,
        })
    }
}

fn texts(examples: &[Example]) -> Vec<String> {
    let text = |example: &Example| match example {
        Example::Text(text) => Some(text.clone()),
        Example::Turn(turn) => Some(turn.text.clone()),
        Example::Series(turns) => turns.first().map(|turn| turn.text.clone()),
    };
    let cut = |text: String| match text.char_indices().nth(EXAMPLE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    let found = examples.iter().filter_map(text).filter(|text| !text.trim().is_empty());
    found.take(EXAMPLES).map(cut).collect()
}
