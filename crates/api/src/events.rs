//! What changes, as server-sent events, for pages and tools that stay open.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use quell_control::{Control, FeedItem};
use tokio::sync::watch;

use crate::problem::Result;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long one stream lasts. Then the client resumes with `Last-Event-ID`, and proves again who
/// it is.
const LIFETIME: Duration = Duration::from_mins(10);

/// Streams changes as they are committed: `{seq, incident, kind, region}` with `id: seq`. Resumes
/// after `Last-Event-ID`; without it, begins with the next change. Ends after ten minutes.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "incidents",
    params(("last-event-id" = Option<i64>, Header, description = "Resume after this event")),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub(crate) async fn stream_events(
    State(control): State<Control>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let head = control.feed_head();
    let seen = last_event_id(&headers).unwrap_or(*head.borrow());
    let batches = stream::unfold(Feed { control, head, seen }, Feed::next);
    let events = batches.flat_map(stream::iter).map(Ok).take_until(tokio::time::sleep(LIFETIME));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn last_event_id(headers: &HeaderMap) -> Option<i64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

struct Feed {
    control: Control,
    head: watch::Receiver<i64>,
    seen: i64,
}

impl Feed {
    /// The next batch, once there is one. Ends when control stops or cannot read.
    async fn next(mut self) -> Option<(Vec<Event>, Self)> {
        let seen = self.seen;
        self.head.wait_for(|head| *head > seen).await.ok()?;
        let items = match self.control.feed_after(seen).await {
            Ok(items) => items,
            Err(error) => {
                // The client reconnects and resumes where it was.
                tracing::warn!(%error, "an event stream ended early");
                return None;
            }
        };
        self.seen = items.last().map_or(*self.head.borrow(), |item| item.seq);
        Some((items.iter().filter_map(event).collect(), self))
    }
}

fn event(item: &FeedItem) -> Option<Event> {
    Event::default().id(item.seq.to_string()).event("change").json_data(item).ok()
}
