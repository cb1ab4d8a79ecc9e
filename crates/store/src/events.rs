//! Timeline events: append only, sealed on insert, read back from the very bytes that were sealed.

use jiff::Timestamp;
use quell_domain::event::{NewEvent, TimelineEvent};
use quell_domain::{Actor, EventId, IncidentId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::outbox::OutboxKind;
use crate::row::{micros, number};
use crate::store::{Read, Tx};

/// The longest batch of events.
const MOST: u32 = 1_000;

impl Read {
    /// The events of an incident after position `after`, in order.
    pub async fn events_of(
        &mut self,
        incident: IncidentId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<TimelineEvent>, StoreError> {
        let query = sqlx::query(
            "SELECT sha256, canonical FROM events WHERE incident = $1 AND sequence > $2 \
             ORDER BY sequence LIMIT $3",
        );
        let query = query.bind(incident.to_string()).bind(after).bind(i64::from(limit.min(MOST)));
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(event).collect()
    }

    /// All events after global position `after`, in order. None is ever skipped: positions are
    /// committed in the order they are given out.
    pub async fn events_after(
        &mut self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<TimelineEvent>, StoreError> {
        let query = sqlx::query(
            "SELECT sha256, canonical FROM events WHERE global_sequence > $1 \
             ORDER BY global_sequence LIMIT $2",
        );
        let query = query.bind(after).bind(i64::from(limit.min(MOST)));
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(event).collect()
    }

    /// The newest events of the whole system, newest first.
    pub async fn latest_events(&mut self, limit: u32) -> Result<Vec<TimelineEvent>, StoreError> {
        let query = sqlx::query(
            "SELECT sha256, canonical FROM events ORDER BY global_sequence DESC LIMIT $1",
        );
        let rows = query.bind(i64::from(limit.min(MOST))).fetch_all(self.connection()).await?;
        rows.iter().map(event).collect()
    }

    /// One event.
    pub async fn event(&mut self, id: EventId) -> Result<Option<TimelineEvent>, StoreError> {
        let query = sqlx::query("SELECT sha256, canonical FROM events WHERE id = $1");
        let row = query.bind(id.to_string()).fetch_optional(self.connection()).await?;
        row.as_ref().map(event).transpose()
    }

    /// The global position of the newest event; 0 when there is none.
    pub async fn last_event(&mut self) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT COALESCE(MAX(global_sequence), 0) AS n FROM events");
        number(query, self.connection()).await
    }
}

impl Tx {
    /// Seals and appends an event, and queues it for the ledger.
    ///
    /// From here to the commit no other transaction can append: change rows first, append last.
    pub async fn append_event(&mut self, new: NewEvent) -> Result<TimelineEvent, StoreError> {
        // Counting first takes the counter's lock, so that what follows sees every earlier event.
        let global_sequence = self.next("event").await?;
        let sequence = match new.incident {
            None => 0,
            Some(incident) => self.next_in_incident(incident).await?,
        };
        let mut salt = [0; 16];
        self.ids().random(&mut salt);
        let id = EventId::new(self.ids().as_ref());
        let recorded_at = self.now();
        let event = TimelineEvent::seal(new, id, sequence, global_sequence, recorded_at, salt)?;
        self.insert_event(&event).await?;
        let payload = json!({"event": event.id, "sha256": event.sha256});
        self.enqueue(OutboxKind::Ledger, &format!("ledger:{}", event.id), &payload).await?;
        Ok(event)
    }

    async fn next_in_incident(&mut self, incident: IncidentId) -> Result<i64, StoreError> {
        let query = sqlx::query(
            "SELECT COALESCE(MAX(sequence), 0) + 1 AS n FROM events WHERE incident = $1",
        );
        number(query.bind(incident.to_string()), self.connection()).await
    }

    async fn insert_event(&mut self, event: &TimelineEvent) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO events \
             (global_sequence, id, incident, sequence, kind, recorded_at, sha256, canonical) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(event.global_sequence)
        .bind(event.id.to_string())
        .bind(event.incident.map(|id| id.to_string()))
        .bind(event.sequence)
        .bind(&event.kind)
        .bind(micros(event.recorded_at))
        .bind(&event.sha256)
        .bind(event.canonical_bytes()?);
        insert.execute(self.connection()).await?;
        Ok(())
    }
}

/// The shape of [`TimelineEvent::canonical_bytes`].
#[derive(Deserialize)]
struct Sealed {
    id: EventId,
    incident: Option<IncidentId>,
    sequence: i64,
    global_sequence: i64,
    kind: String,
    actor: Actor,
    occurred_at_us: i64,
    recorded_at_us: i64,
    supersedes: Option<EventId>,
    data: Map<String, Value>,
    salt: String,
}

fn event(row: &AnyRow) -> Result<TimelineEvent, StoreError> {
    let bytes: Vec<u8> = row.try_get("canonical")?;
    let corrupt = || StoreError::corrupt("timeline event");
    let sealed: Sealed = serde_json::from_slice(&bytes).map_err(|_| corrupt())?;
    let at = |micros| Timestamp::from_microsecond(micros).map_err(|_| corrupt());
    Ok(TimelineEvent {
        id: sealed.id,
        incident: sealed.incident,
        sequence: sealed.sequence,
        global_sequence: sealed.global_sequence,
        kind: sealed.kind,
        actor: sealed.actor,
        occurred_at: at(sealed.occurred_at_us)?,
        recorded_at: at(sealed.recorded_at_us)?,
        supersedes: sealed.supersedes,
        data: sealed.data,
        salt: sealed.salt,
        sha256: row.try_get("sha256")?,
    })
}
