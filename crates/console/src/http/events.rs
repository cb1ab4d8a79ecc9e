//! Server-sent events: which region of which incident changed. Resumable, bounded.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::http::{Failure, Signed};

/// Open streams at once.
pub(crate) const STREAMS_MAX: usize = 256;
/// A stream ends after this long and the browser resumes it: so a lapsed session ends its stream,
/// and a stopping server is not held up.
const STREAM_LIFE: Duration = Duration::from_mins(2);
/// Events of one burst worth telling apart; beyond it, one event says that everything changed.
const BURST_MAX: usize = 50;

/// Where to resume.
#[derive(Debug, Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: Option<i64>,
}

/// `GET /events`
pub(crate) async fn stream(
    by: Signed,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let permit = by.console.streams.clone().try_acquire_owned().map_err(|_| {
        Failure::new(503, "Too many pages are open; this one does not update by itself.")
    })?;
    let mut head = by.console.control.feed_head();
    let newest = *head.borrow_and_update();
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let sequence = resumed.or(after.after).unwrap_or(newest).clamp(0, newest);
    // Wakes at once for whatever was missed.
    head.mark_changed();
    let deadline = tokio::time::Instant::now() + STREAM_LIFE;
    let feed = Feed { by, head, sequence, deadline, waiting: Vec::new(), _permit: permit };
    Ok(Sse::new(stream::unfold(feed, Feed::next)).keep_alive(KeepAlive::default()))
}

struct Feed {
    by: Signed,
    head: watch::Receiver<i64>,
    sequence: i64,
    deadline: tokio::time::Instant,
    waiting: Vec<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        while self.waiting.is_empty() {
            match tokio::time::timeout_at(self.deadline, self.head.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return None,
            }
            self.head.borrow_and_update();
            self.read().await?;
        }
        let event = self.waiting.pop()?;
        Some((Ok(event), self))
    }

    /// Fills `waiting`, newest first, from what happened after `sequence`.
    async fn read(&mut self) -> Option<()> {
        let items = self.by.console.control.feed_after(self.sequence).await.ok()?;
        let Some(last) = items.last().map(|item| item.seq) else { return Some(()) };
        self.sequence = last;
        if items.len() > BURST_MAX {
            self.sequence = last.max(*self.head.borrow());
            let all = serde_json::json!({"seq": self.sequence, "region": "all"});
            self.waiting.push(Event::default().id(self.sequence.to_string()).data(all.to_string()));
        } else {
            self.waiting.extend(items.iter().rev().map(|item| {
                let data = serde_json::json!({
                    "seq": item.seq, "incident": item.incident, "region": item.region,
                });
                Event::default().id(item.seq.to_string()).data(data.to_string())
            }));
        }
        Some(())
    }
}
