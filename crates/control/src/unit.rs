//! One command's transaction: rows first, then its timeline events, then the commit, then whoever
//! waits for news is told.

use std::ops::{Deref, DerefMut};

use jiff::Timestamp;
use quell_domain::event::{NewEvent, TimelineEvent};
use quell_domain::{Actor, EventId, IncidentId};
use quell_store::{OutboxKind, Tx};
use serde_json::{Map, Value};

use crate::handle::Control;
use crate::refused::Refused;

/// A write transaction with what follows from it.
pub(crate) struct Unit<'c> {
    control: &'c Control,
    tx: Tx,
    actor: Actor,
    events: Vec<NewEvent>,
    epoch: Option<u64>,
}

impl Control {
    /// Begins a command of `actor`.
    pub(crate) async fn unit(&self, actor: &Actor) -> Result<Unit<'_>, Refused> {
        let tx = self.store().begin().await?;
        let actor = actor.clone();
        Ok(Unit { control: self, tx, actor, events: Vec::new(), epoch: None })
    }
}

impl Unit<'_> {
    /// Adds a timeline event by the command's own actor, happening now.
    pub(crate) fn event(&mut self, incident: Option<IncidentId>, kind: &str, data: Value) {
        let (actor, now) = (self.actor.clone(), self.tx.now());
        self.event_by(incident, kind, actor, now, data);
    }

    /// Adds a timeline event by somebody else, or that happened at another time.
    pub(crate) fn event_by(
        &mut self,
        incident: Option<IncidentId>,
        kind: &str,
        actor: Actor,
        occurred_at: Timestamp,
        data: Value,
    ) {
        let data = match data {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let (kind, supersedes) = (kind.to_owned(), None);
        self.events.push(NewEvent { incident, kind, actor, occurred_at, supersedes, data });
    }

    /// Adds a timeline event that comes before what this command already said about `incident`.
    pub(crate) fn event_first(
        &mut self,
        incident: IncidentId,
        kind: &str,
        actor: Actor,
        occurred_at: Timestamp,
        data: Value,
    ) {
        let first = self.events.iter().position(|event| event.incident == Some(incident));
        self.event_by(Some(incident), kind, actor, occurred_at, data);
        if let Some(first) = first {
            self.events[first..].rotate_right(1);
        }
    }

    /// The epoch that will carry what this command changes for gateways.
    pub(crate) async fn epoch(&mut self) -> Result<u64, Refused> {
        if let Some(epoch) = self.epoch {
            return Ok(epoch);
        }
        let epoch = self.tx.next_epoch().await?;
        self.epoch = Some(epoch);
        Ok(epoch)
    }

    /// Queues a message to people.
    pub(crate) async fn notify(&mut self, key: &str, payload: &Value) -> Result<(), Refused> {
        self.tx.enqueue(OutboxKind::Notify, key, payload).await?;
        Ok(())
    }

    /// Queues background work.
    pub(crate) async fn job(&mut self, key: &str, payload: &Value) -> Result<(), Refused> {
        self.tx.enqueue(OutboxKind::Job, key, payload).await?;
        Ok(())
    }

    /// Makes it durable, and tells whoever waits.
    pub(crate) async fn commit(mut self) -> Result<Committed, Refused> {
        let mut last = None;
        for event in std::mem::take(&mut self.events) {
            last = Some(self.tx.append_event(event).await?.global_sequence);
        }
        self.tx.commit().await?;
        self.control.committed(last, self.epoch).await;
        Ok(Committed { sequence: last, epoch: self.epoch })
    }
}

/// What a commit gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Global sequence of the last event.
    pub(crate) sequence: Option<i64>,
    /// The new epoch.
    pub(crate) epoch: Option<u64>,
}

impl Deref for Unit<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Unit<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

impl Unit<'_> {
    /// The epoch given out last.
    pub(crate) async fn epoch_held(&mut self) -> Result<u64, Refused> {
        Ok(self.tx.epoch().await?)
    }
}

impl Unit<'_> {
    /// A stored event.
    pub(crate) async fn event_by_id(&mut self, id: EventId) -> Result<TimelineEvent, Refused> {
        self.tx.event(id).await?.ok_or_else(|| Refused::not_found("event", id))
    }

    /// Makes the event added last a correction of another.
    pub(crate) fn supersede(&mut self, corrected: Option<EventId>) {
        if let Some(event) = self.events.last_mut() {
            event.supersedes = corrected;
        }
    }
}
