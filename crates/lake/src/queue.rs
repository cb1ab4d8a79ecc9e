//! The bounded queue between those who append and the writer thread.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::format::MAX_PAYLOAD;

/// Why a record was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too many records or bytes wait for the disk.
    #[error("the interaction log's queue is full: the disk is slower than the traffic")]
    QueueFull,
    /// The record is larger than the log takes.
    #[error("the record has {bytes} bytes, the interaction log takes {MAX_PAYLOAD}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The log was closed.
    #[error("the interaction log is closed")]
    Closed,
    /// The disk refused; appending works again as soon as the disk does.
    #[error("the interaction log cannot be written: {0}")]
    Disk(Arc<str>),
}

/// Resolves to the record's sequence number once the record was handed to the kernel.
/// Dropping it does not take the record back.
#[derive(Debug)]
#[must_use = "a record is acknowledged only when this resolves"]
pub struct Appending(oneshot::Receiver<Result<u64, AppendError>>);

impl Future for Appending {
    type Output = Result<u64, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|received| received.unwrap_or(Err(AppendError::Closed)))
    }
}

impl Appending {
    /// Waits on this thread. Not for async code.
    pub fn wait(self) -> Result<u64, AppendError> {
        self.0.blocking_recv().unwrap_or(Err(AppendError::Closed))
    }
}

/// A record that waits to be written.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) payload: Vec<u8>,
    pub(crate) reply: oneshot::Sender<Result<u64, AppendError>>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    most_records: usize,
    most_bytes: usize,
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Including those being written now.
    records: usize,
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(most_records: usize, most_bytes: usize) -> Self {
        Self { most_records, most_bytes, state: Mutex::default(), filled: Condvar::new() }
    }

    /// Takes a record in. A single record that is larger than the byte limit passes alone.
    pub(crate) fn push(&self, payload: Vec<u8>) -> Result<Appending, AppendError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(AppendError::TooLarge { bytes: payload.len() });
        }
        let (reply, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        let bytes = state.bytes + payload.len();
        if state.records > 0 && (state.records >= self.most_records || bytes > self.most_bytes) {
            return Err(AppendError::QueueFull);
        }
        state.records += 1;
        state.bytes = bytes;
        state.waiting.push_back(Waiting { payload, reply });
        drop(state);
        self.filled.notify_one();
        Ok(Appending(receiver))
    }

    /// Everything that waits, in order; blocks while there is nothing. None: closed and drained.
    pub(crate) fn take(&self) -> Option<VecDeque<Waiting>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            self.filled.wait(&mut state);
        }
        Some(std::mem::take(&mut state.waiting))
    }

    /// Frees the room of records that were answered.
    pub(crate) fn release(&self, records: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.records = state.records.saturating_sub(records);
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
    }

    pub(crate) fn records(&self) -> usize {
        self.state.lock().records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_records_that_are_being_written() {
        let queue = Queue::new(2, 100);
        let _first = queue.push(vec![0; 10]).unwrap();
        let _second = queue.push(vec![0; 10]).unwrap();
        assert_eq!(queue.push(vec![0; 10]).unwrap_err(), AppendError::QueueFull);
        assert_eq!(queue.take().unwrap().len(), 2);
        assert_eq!(queue.push(vec![0; 10]).unwrap_err(), AppendError::QueueFull);
        queue.release(2, 20);
        let _large = queue.push(vec![0; 1_000]).unwrap();
        assert_eq!(queue.push(vec![0; 1]).unwrap_err(), AppendError::QueueFull);
    }

    #[test]
    fn closing_drains_and_then_refuses() {
        let queue = Queue::new(2, 100);
        let _kept = queue.push(vec![1]).unwrap();
        queue.close();
        assert_eq!(queue.push(vec![2]).unwrap_err(), AppendError::Closed);
        assert_eq!(queue.take().unwrap().len(), 1);
        assert!(queue.take().is_none());
    }

    #[test]
    fn a_record_over_the_format_limit_is_refused() {
        let queue = Queue::new(2, 100);
        let refused = queue.push(vec![0; MAX_PAYLOAD + 1]).unwrap_err();
        assert_eq!(refused, AppendError::TooLarge { bytes: MAX_PAYLOAD + 1 });
    }
}
