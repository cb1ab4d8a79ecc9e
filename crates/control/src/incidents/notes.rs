//! Notes: what people write into the timeline. A correction is another note that supersedes.

use quell_domain::event::TimelineEvent;
use quell_domain::{AccessRole, EventId, IncidentId, NoteId};
use serde_json::json;

use super::{load, text_of};
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// Most timeline events read at a time.
const TIMELINE_MAX: u32 = 1_000;

/// A stored note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// Identity.
    pub id: NoteId,
    /// Global sequence of its event.
    pub sequence: i64,
}

impl Control {
    /// Writes a note into an incident's timeline.
    pub async fn add_note(
        &self,
        access: &Access,
        incident: IncidentId,
        text: &str,
        corrects: Option<EventId>,
    ) -> Result<Note, Refused> {
        access.require(AccessRole::Responder)?;
        let text = text_of("a note", text)?;
        let mut unit = self.unit(&access.actor).await?;
        load(&mut unit, incident).await?;
        if let Some(corrected) = corrects {
            let event = unit.event_by_id(corrected).await?;
            if event.incident != Some(incident) {
                return Err(Refused::not_found("event of this incident", corrected));
            }
        }
        let id = NoteId::new(self.ids().as_ref());
        unit.event(Some(incident), "note.added", json!({"note": id, "text": text}));
        unit.supersede(corrects);
        let committed = unit.commit().await?;
        Ok(Note { id, sequence: committed.sequence.unwrap_or(0) })
    }

    /// An incident's timeline after position `after`.
    pub async fn timeline(
        &self,
        access: &Access,
        incident: IncidentId,
        after: i64,
    ) -> Result<Vec<TimelineEvent>, Refused> {
        access.require(AccessRole::Viewer)?;
        let mut read = self.read().await?;
        load(&mut read, incident).await?;
        Ok(read.events_of(incident, after, TIMELINE_MAX).await?)
    }
}
