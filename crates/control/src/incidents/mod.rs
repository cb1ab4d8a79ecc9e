//! Incidents: declared, moved through their states, judged, staffed and read.

mod change;
mod declare;
mod notes;
pub(crate) mod record;
mod roles;
mod severity;
mod view;

pub(crate) use change::data as change_data;
pub use declare::Declaration;
pub use notes::Note;
pub use roles::RoleView;
pub use view::IncidentView;

use jiff::Timestamp;
use quell_domain::{IncidentId, IncidentRecord};
use quell_store::Read;
use serde::Serialize;

use crate::refused::Refused;

/// Longest text of a reason, note or title, characters.
pub const TEXT_CHARS_MAX: usize = 10_000;

/// What a command on an incident gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentReceipt {
    /// The incident now.
    pub incident: IncidentRecord,
    /// Global sequence of the timeline event that says so.
    pub sequence: Option<i64>,
    /// When it was recorded.
    pub at: Timestamp,
}

pub(crate) async fn load(read: &mut Read, id: IncidentId) -> Result<IncidentRecord, Refused> {
    read.incident(id).await?.ok_or_else(|| Refused::not_found("incident", id))
}

/// A text people wrote: trimmed, not empty, not endless.
pub(crate) fn text_of(what: &'static str, text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refused::invalid("text_missing", format!("{what} is needed")));
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Refused::invalid(
            "text_too_long",
            format!("{what} has at most {TEXT_CHARS_MAX} characters"),
        ));
    }
    Ok(text.to_owned())
}
