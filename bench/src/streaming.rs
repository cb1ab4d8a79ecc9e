//! Streams: when each token arrives, against when the mock sent it.
//!
//! The text is put together from whatever deltas arrive, so a gateway may cut it into other
//! pieces; the mock's last event says when each piece of text was sent and where it ends.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::StatusCode;
use http_body_util::BodyExt as _;
use quell_domain::clock::SharedClock;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::client::{Connection, Question};
use crate::roles::DELTAS;

/// A stream takes one second; past this it hangs.
const LONGEST: Duration = Duration::from_secs(15);

/// One stream, received whole.
#[derive(Debug)]
pub(crate) struct Received {
    pub first_token_us: f64,
    pub lags_us: Vec<f64>,
}

/// What the mock says at the end.
#[derive(Debug, Deserialize)]
struct Sent {
    ends: Vec<usize>,
    sent_us: Vec<i64>,
}

/// Receives `count` streams at once. The second value counts those that failed.
pub(crate) async fn receive(
    address: SocketAddr,
    question: &Question,
    count: u32,
    clock: &SharedClock,
) -> (Vec<Received>, u64) {
    let mut running = JoinSet::new();
    for _ in 0..count {
        let (question, clock) = (question.clone(), clock.clone());
        running.spawn(tokio::time::timeout(LONGEST, one(address, question, clock)));
    }
    let (mut received, mut failures) = (Vec::new(), 0);
    while let Some(stream) = running.join_next().await {
        match stream {
            Ok(Ok(Ok(stream))) => received.push(stream),
            _ => failures += 1,
        }
    }
    (received, failures)
}

async fn one(
    address: SocketAddr,
    question: Question,
    clock: SharedClock,
) -> anyhow::Result<Received> {
    let mut connection = Connection::open(address).await?;
    let asked_us = clock.now().as_microsecond();
    let mut response = connection.ask(&question).await?;
    ensure!(response.status() == StatusCode::OK, "refused with {}", response.status());
    let mut reading = Reading::default();
    while let Some(frame) = response.body_mut().frame().await {
        let now_us = clock.now().as_microsecond();
        reading.take(&frame?.into_data().unwrap_or_default(), now_us)?;
    }
    reading.result(asked_us)
}

/// A stream as it comes in.
#[derive(Debug, Default)]
struct Reading {
    unread: Vec<u8>,
    text_bytes: usize,
    /// How much text was there, and since when.
    arrivals: Vec<(usize, i64)>,
    sent: Option<Sent>,
    done: bool,
}

impl Reading {
    fn take(&mut self, data: &[u8], now_us: i64) -> anyhow::Result<()> {
        self.unread.extend_from_slice(data);
        while let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.unread.drain(..end + 2).collect();
            let Some(data) = event.strip_prefix(b"data: ") else { continue };
            if data.trim_ascii() == b"[DONE]" {
                self.done = true;
                continue;
            }
            let event: Value = serde_json::from_slice(data)?;
            ensure!(event.get("error").is_none(), "the stream was cut");
            if let Some(text) = event.pointer("/choices/0/delta/content").and_then(Value::as_str) {
                self.text_bytes += text.len();
                self.arrivals.push((self.text_bytes, now_us));
            }
            if let Some(sent) = event.get("bench") {
                self.sent = Some(Sent::deserialize(sent)?);
            }
        }
        Ok(())
    }

    fn result(self, asked_us: i64) -> anyhow::Result<Received> {
        let sent = self.sent.context("the stream's last event is missing")?;
        ensure!(self.done && sent.ends.len() == DELTAS, "the stream is incomplete");
        ensure!(sent.ends.last() == Some(&self.text_bytes), "text was lost or altered");
        let mut arrivals = self.arrivals.iter();
        let mut arrival = arrivals.next();
        let mut lags_us = Vec::with_capacity(DELTAS);
        for (end, sent_us) in sent.ends.iter().zip(&sent.sent_us) {
            while arrival.is_some_and(|(text, _)| text < end) {
                arrival = arrivals.next();
            }
            let (_, arrived_us) = arrival.context("a token did not arrive")?;
            lags_us.push((arrived_us - sent_us) as f64);
        }
        let first = self.arrivals.first().map_or(asked_us, |(_, arrived_us)| *arrived_us);
        Ok(Received { first_token_us: (first - asked_us) as f64, lags_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_other_pieces_is_matched_with_its_sending() {
        let ends: Vec<usize> = (1..=DELTAS).map(|delta| delta * 2).collect();
        let sent_us: Vec<usize> = (1..=DELTAS).map(|delta| delta * 100).collect();
        let all = "ab".repeat(DELTAS);
        let mut reading = Reading::default();
        let mut push = |event: Value, now| {
            reading.take(format!("data: {event}\n\n").as_bytes(), now).unwrap();
        };
        let delta = |text: &str| serde_json::json!({"choices": [{"delta": {"content": text}}]});
        push(delta(&all[..3]), 250);
        push(delta(&all[3..]), 10_000);
        push(serde_json::json!({"bench": {"ends": ends, "sent_us": sent_us}}), 10_001);
        reading.take(b"data: [DO", 10_002).unwrap();
        reading.take(b"NE]\n\n", 10_003).unwrap();
        let received = reading.result(50).unwrap();
        assert_eq!(received.lags_us[..2], [150.0, 9_800.0]);
        assert_eq!(received.lags_us.len(), DELTAS);
        assert_eq!(received.first_token_us.to_bits(), 200_f64.to_bits());
    }

    #[test]
    fn a_cut_stream_is_a_failure() {
        let mut reading = Reading::default();
        assert!(reading.take(b"data: {\"error\": {}}\n\n", 1).is_err());
        assert!(Reading::default().result(0).is_err());
    }
}
