//! What changed, for pages that stay open: resumable by the events' global sequence.

use quell_domain::IncidentId;
use serde::Serialize;
use tokio::sync::watch;

use crate::handle::Control;
use crate::refused::Refused;

/// Most items of one batch.
pub(crate) const FEED_MAX: u32 = 500;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedItem {
    /// Global sequence of the event; resume after it.
    pub seq: i64,
    /// The incident concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The event's kind.
    pub kind: String,
    /// The part of a page it changes.
    pub region: &'static str,
}

impl Control {
    /// Changes after `seq`, oldest first.
    pub async fn feed_after(&self, seq: i64) -> Result<Vec<FeedItem>, Refused> {
        let events = self.store().read().await?.events_after(seq, FEED_MAX).await?;
        let items = events.into_iter().map(|event| FeedItem {
            seq: event.global_sequence,
            incident: event.incident,
            region: region(&event.kind),
            kind: event.kind,
        });
        Ok(items.collect())
    }

    /// The sequence of the newest change; `changed` on it wakes whoever waits for more.
    pub fn feed_head(&self) -> watch::Receiver<i64> {
        self.head().subscribe()
    }
}

/// The part of a page that an event of this kind changes.
fn region(kind: &str) -> &'static str {
    match kind.split('.').next().unwrap_or_default() {
        "incident" => "header",
        "measure" | "approval" => "containment",
        "role" => "roles",
        "note" => "notes",
        "evidence" => "evidence",
        "signal" | "interaction" => "interactions",
        "gateway" => "gateways",
        _ => "timeline",
    }
}
