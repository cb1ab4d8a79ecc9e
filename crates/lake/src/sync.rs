//! fsync, on its own thread, so that appending never waits for it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Files with written bytes that power loss would take.
#[derive(Debug, Default)]
pub(crate) struct Syncer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// At most the segment being written and those sealed since the last tick.
    dirty: Vec<(PathBuf, Arc<File>)>,
    closed: bool,
    failed: Option<Arc<str>>,
}

impl Syncer {
    /// Syncs what is dirty every `period`, until closed and clean.
    pub(crate) fn run(&self, period: Duration) {
        while self.round(period) {}
    }

    /// Notes that `file` has bytes to sync.
    pub(crate) fn mark(&self, path: &Path, file: &Arc<File>) {
        let mut state = self.state.lock();
        if !state.dirty.iter().any(|(_, known)| Arc::ptr_eq(known, file)) {
            state.dirty.push((path.to_owned(), Arc::clone(file)));
            self.changed.notify_one();
        }
    }

    /// Syncs what is left and ends the thread.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    /// What the last failed fsync said, once.
    pub(crate) fn take_failure(&self) -> Option<Arc<str>> {
        self.state.lock().failed.take()
    }

    /// One wait and one sync. False when closed and clean.
    fn round(&self, period: Duration) -> bool {
        let mut state = self.state.lock();
        while state.dirty.is_empty() {
            if state.closed {
                return false;
            }
            self.changed.wait(&mut state);
        }
        if !state.closed {
            self.changed.wait_while_for(&mut state, |state| !state.closed, period);
        }
        let dirty = std::mem::take(&mut state.dirty);
        drop(state);
        for (path, file) in dirty {
            if let Err(error) = file.sync_data() {
                tracing::error!(segment = %path.display(), %error, "fsync of the interaction log failed");
                self.state.lock().failed = Some(error.to_string().into());
            }
        }
        true
    }
}
