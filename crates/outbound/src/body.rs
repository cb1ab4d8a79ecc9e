//! Bodies: what is sent, how silence ends, how much is read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::time::{Instant, Sleep};

use crate::error::OutboundError;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request.
pub type RequestBody = BoxBody<Bytes, BoxError>;

/// A request body that is all there.
pub fn full_body(bytes: impl Into<Bytes>) -> RequestBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// Reads a body to its end, up to `limit` bytes.
pub async fn read_body<B>(body: B, limit: usize) -> Result<Bytes, OutboundError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(OutboundError::BodyTooLarge { limit }),
        Err(error) => Err(match error.downcast::<OutboundError>() {
            Ok(own) => *own,
            Err(other) => OutboundError::Protocol(other),
        }),
    }
}

/// `body`, failing with [`OutboundError::IdleTimeout`] when no frame comes for `after`.
pub fn with_idle_timeout<B>(body: B, after: Duration) -> IdleBody<B> {
    IdleBody { body, after, alarm: None }
}

/// See [`with_idle_timeout`]. The time counts only while somebody waits for a frame.
#[derive(Debug)]
pub struct IdleBody<B> {
    body: B,
    after: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<B> Body for IdleBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.alarm = None;
            return Poll::Ready(
                frame.map(|frame| frame.map_err(|error| OutboundError::Protocol(error.into()))),
            );
        }
        let after = this.after;
        let alarm = this
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + after)));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Some(Err(OutboundError::IdleTimeout { after })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
