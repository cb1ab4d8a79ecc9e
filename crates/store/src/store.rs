//! Opening the database, and the two kinds of transaction.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{Any, AnyConnection, AnyPool, Executor, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::StoreError;

/// How long a caller waits for a connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 8;

/// Set on every SQLite connection. FULL makes a committed transaction survive power loss, not
/// only `kill -9`.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";

/// Which engine holds the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file beside the product.
    Sqlite,
    /// A server.
    Postgres,
}

impl Backend {
    fn of(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") if url.contains(":memory:") || url.contains("mode=memory") => {
                Err(StoreError::Url("an in-memory database keeps nothing; name a file"))
            }
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(StoreError::Url("unknown scheme")),
        }
    }
}

/// The relational state. Clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    backend: Backend,
    clock: SharedClock,
    ids: SharedIds,
    /// SQLite has one writer. Waiting here is fair and wakes at once; its own waiting is neither.
    writer: Arc<Mutex<()>>,
}

impl Store {
    /// Opens the database at `url` and brings its schema up to date.
    pub async fn open(url: &str, clock: SharedClock, ids: SharedIds) -> Result<Self, StoreError> {
        install_default_drivers();
        let backend = Backend::of(url)?;
        if backend == Backend::Sqlite {
            create_private(url);
        }
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if backend == Backend::Sqlite {
                        connection.execute(SQLITE_SETTINGS).await?;
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await?;
        sqlx::migrate!("./migrations").run(&pool).await.map_err(StoreError::Migration)?;
        Ok(Self { pool, backend, clock, ids, writer: Arc::default() })
    }

    /// Which engine holds the state.
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// A consistent view. Ends when dropped.
    pub async fn read(&self) -> Result<Read, StoreError> {
        let begin = match self.backend {
            Backend::Sqlite => "BEGIN DEFERRED",
            Backend::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        Ok(Read { tx: self.pool.begin_with(begin).await? })
    }

    /// A write transaction. Dropped without [`Tx::commit`], it leaves nothing.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let (turn, begin) = match self.backend {
            Backend::Sqlite => {
                (Some(Arc::clone(&self.writer).lock_owned().await), "BEGIN IMMEDIATE")
            }
            Backend::Postgres => (None, "BEGIN ISOLATION LEVEL READ COMMITTED"),
        };
        let read = Read { tx: self.pool.begin_with(begin).await? };
        Ok(Tx { read, clock: Arc::clone(&self.clock), ids: Arc::clone(&self.ids), _turn: turn })
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A consistent view of the state.
#[derive(Debug)]
pub struct Read {
    tx: Transaction<'static, Any>,
}

impl Read {
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }
}

/// A write transaction; reads as well, through [`Read`].
#[derive(Debug)]
pub struct Tx {
    read: Read,
    clock: SharedClock,
    ids: SharedIds,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Tx {
    /// Makes everything written through this transaction durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.read.tx.commit().await?)
    }

    /// The injected time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The injected source of ids.
    pub const fn ids(&self) -> &SharedIds {
        &self.ids
    }
}

impl Deref for Tx {
    type Target = Read;

    fn deref(&self) -> &Read {
        &self.read
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Read {
        &mut self.read
    }
}

/// Creates the file for its owner only: it holds password hashes. A failure shows when SQLite
/// opens the same path.
fn create_private(url: &str) {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split('?').next().unwrap_or_default();
    if !url.contains("mode=rwc") || path.contains('%') || Path::new(path).exists() {
        return;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if let Err(error) = options.open(path) {
        tracing::warn!(db.path = path, %error, "the database file could not be created");
    }
}
