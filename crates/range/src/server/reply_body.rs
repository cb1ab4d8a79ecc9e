//! Response bodies: whole, or events paced like a model that writes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame as BodyFrame;

use crate::wire::Frame;

/// What a body may fail with: a connection dropped on purpose.
pub(super) type BodyError = std::io::Error;
/// Any body the range answers with.
pub(super) type ReplyBody = UnsyncBoxBody<Bytes, BodyError>;

/// How a paced body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// After the last piece.
    Whole,
    /// Half way, then silence for this long.
    Stalled(Duration),
    /// Half way, in the middle of an event, then the proper end of the body.
    Torn,
    /// Half way: the connection is dropped.
    Dropped,
}

/// A body in one piece.
pub(super) fn whole(text: String) -> ReplyBody {
    Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Events with a wait before the first and between tokens.
pub(super) fn events(
    frames: Vec<Frame>,
    first: Duration,
    interval: Duration,
    ending: Ending,
) -> ReplyBody {
    let half = frames.len() / 2;
    let until = if ending == Ending::Whole { frames.len() } else { half };
    let pieces = frames.into_iter().take(until + 1).enumerate();
    let body = stream::unfold(pieces, move |mut pieces| async move {
        let (place, frame) = pieces.next()?;
        let wait = if place == 0 { first } else { interval };
        if (place == 0 || frame.paced) && !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let data = |text: &str| Ok(BodyFrame::data(Bytes::copy_from_slice(text.as_bytes())));
        if ending == Ending::Whole || place < until {
            return Some((data(&frame.text), pieces));
        }
        match ending {
            Ending::Whole => None,
            Ending::Stalled(silence) => {
                tokio::time::sleep(silence).await;
                None
            }
            Ending::Torn => {
                // Events are mostly ASCII around their middle; a torn character is torn too.
                let torn: String =
                    frame.text.chars().take(frame.text.chars().count() / 2).collect();
                Some((data(&torn), pieces))
            }
            Ending::Dropped => Some((Err(BodyError::other("dropped on purpose")), pieces)),
        }
    });
    StreamBody::new(body).boxed_unsync()
}
