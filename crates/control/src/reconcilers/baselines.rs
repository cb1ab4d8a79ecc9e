//! Intended: every record of every gateway's log was counted once for the baselines, and every
//! ended cell is closed. Observed: the saved cursors. Period: 5 s.
//!
//! What was counted, how far the logs were read for it, and what its alarms lead to are one
//! transaction. A crash in between repeats the reading from the saved state, so nothing is counted
//! twice. Of several control processes one keeps the baselines, until it falls silent.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use quell_baselines::{Book, BookAlarm, DAYS_KEPT, Observation, SavedScope};
use quell_detection::BaselineAlarm;
use quell_domain::budget::ModelPrice;
use quell_domain::rule::RuleMode;
use quell_domain::{Actor, EventId, Interaction, Principal, Signal};
use quell_lake::{LakeError, LogReader, gateways, log_dir};
use quell_store::{BaselineScope, BaselineState, Read, SignalRecord};

use crate::baselines::{dimension, saved_scopes, settings};
use crate::handle::Control;
use crate::refused::Refused;

/// Records of one reading.
const RECORDS_MAX: usize = 1_000;
/// Bytes of one reading.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Readings between two saves while catching up.
const READINGS_MAX: usize = 50;
/// Seconds a cell stays open after its end, for records that are on their way.
const GRACE: i64 = 30;
/// Seconds between two saves while no cell ends.
const SAVE_EVERY: i64 = 30;
/// How long whoever keeps the baselines may be silent before another process takes over.
const SILENT: SignedDuration = SignedDuration::from_mins(2);
/// A gateway that reported within this was listening; seconds of silence that are believed.
const LISTENING: SignedDuration = SignedDuration::from_mins(15);

/// What one process keeps between runs. All of it can be lost: it is read back from the store.
#[derive(Default)]
pub(crate) struct Baselines {
    holder: Option<String>,
    loaded: Option<Loaded>,
}

struct Loaded {
    book: Book,
    cursors: BTreeMap<String, u64>,
    version: Option<i64>,
    saved_at: Timestamp,
    readers: HashMap<PathBuf, Arc<Mutex<LogReader>>>,
}

/// Prices of models by application.
type Prices = BTreeMap<String, Vec<ModelPrice>>;

/// How far one gateway's log was read.
struct Progress {
    dir: PathBuf,
    gateway: String,
    /// When the newest record read was complete, seconds.
    at: i64,
    ended: bool,
}

impl Baselines {
    /// The book, where this process keeps it.
    pub(crate) fn book(&self) -> Option<&Book> {
        self.loaded.as_ref().map(|loaded| &loaded.book)
    }
}

impl Control {
    /// Counts what the logs hold, closes what ended, and raises what left its baseline.
    pub async fn reconcile_baselines(&self) -> Result<(), Refused> {
        let mut held = self.baselines_state().lock().await;
        let result = self.count_all(&mut held).await;
        if result.is_err() {
            // Memory may be ahead of what was saved.
            held.loaded = None;
        }
        result
    }

    async fn count_all(&self, held: &mut Baselines) -> Result<(), Refused> {
        let holder =
            held.holder.get_or_insert_with(|| EventId::new(self.ids().as_ref()).to_string());
        let holder = holder.clone();
        let mut read = self.read().await?;
        let stored = read.baseline_state().await?;
        let version = stored.as_ref().map(|stored| stored.version);
        if held.loaded.as_ref().is_some_and(|loaded| loaded.version != version) {
            held.loaded = None;
        }
        if held.loaded.is_none() {
            let others = stored.as_ref().is_some_and(|stored| {
                let silent = self.now().duration_since(stored.saved_at);
                stored.state.holder != holder && silent < SILENT
            });
            if others {
                return Ok(());
            }
            held.loaded = Some(self.load(&mut read).await?);
        }
        let Some(loaded) = &mut held.loaded else { return Ok(()) };
        loaded.book.settings = settings(&mut read).await?;
        let listening = self.listening(&mut read).await?;
        let rows = read.applications().await?.into_iter();
        let prices = rows.map(|row| (row.value.name, row.value.spending.prices)).collect();
        let prices = Arc::new(prices);
        drop(read);
        let mut ways = self.ways(loaded)?;
        loop {
            let until = self.read_logs(loaded, &mut ways, &prices).await?;
            let alarms = loaded.book.close(until, listening);
            let ended = ways.iter().all(|way| way.ended);
            let due = self.now().duration_since(loaded.saved_at).as_secs() >= SAVE_EVERY;
            if due || !ended || !alarms.is_empty() || loaded.version.is_none() {
                self.save(loaded, &holder, alarms).await?;
            }
            if ended || self.stopping().is_cancelled() {
                return Ok(());
            }
        }
    }

    async fn load(&self, read: &mut Read) -> Result<Loaded, Refused> {
        let stored = read.baseline_state().await?;
        let scopes = saved_scopes(read.baseline_scopes().await?);
        let version = stored.as_ref().map(|stored| stored.version);
        let saved_at = stored.as_ref().map_or(Timestamp::UNIX_EPOCH, |stored| stored.saved_at);
        let state = stored.map(|stored| stored.state).unwrap_or_default();
        let (meta, mut cursors) = (state.meta, state.cursors);
        let restored = tokio::task::spawn_blocking(move || match meta.as_str() {
            "" => Ok(Book::default()),
            meta => Book::restore(meta, scopes),
        });
        let book = restored.await.map_err(Refused::files)?.unwrap_or_else(|error| {
            tracing::error!(%error, "baselines");
            cursors.clear();
            Book::default()
        });
        Ok(Loaded { book, cursors, version, saved_at, readers: HashMap::new() })
    }

    /// Since when silence in the logs means that nothing came; none if no gateway reports.
    async fn listening(&self, read: &mut Read) -> Result<Option<i64>, Refused> {
        let since = self.now() - LISTENING;
        let live = read.gateways().await?.into_iter().any(|gateway| gateway.last_seen_at >= since);
        Ok(live.then(|| since.as_second()))
    }

    fn ways(&self, loaded: &Loaded) -> Result<Vec<Progress>, Refused> {
        let mut ways = Vec::new();
        for lake in &self.options().lake_dirs {
            for gateway in gateways(lake).map_err(Refused::files)? {
                let (dir, at) = (log_dir(lake, &gateway), loaded.book.closed_until());
                ways.push(Progress { dir, gateway, at, ended: false });
            }
        }
        Ok(ways)
    }

    /// Reads on, the log that lies furthest behind first; gives until when cells may be closed.
    async fn read_logs(
        &self,
        loaded: &mut Loaded,
        ways: &mut [Progress],
        prices: &Arc<Prices>,
    ) -> Result<i64, Refused> {
        let now = self.now().as_second();
        for _ in 0..READINGS_MAX {
            let behind = ways.iter_mut().filter(|way| !way.ended).min_by_key(|way| way.at);
            let Some(way) = behind else { break };
            let cursor = loaded.cursors.get(&way.gateway).copied().unwrap_or(0);
            let reader = loaded.readers.entry(way.dir.clone());
            let reader = reader.or_insert_with(|| Arc::new(Mutex::new(LogReader::open(&way.dir))));
            let (reader, prices) = (Arc::clone(reader), Arc::clone(prices));
            let read = move || {
                let records = reader.lock().read_after(cursor, RECORDS_MAX, BYTES_MAX)?;
                let last = records.last().map(|record| record.sequence);
                let seen: Vec<Observation> = records
                    .iter()
                    .filter_map(|record| {
                        let interaction: Interaction =
                            serde_json::from_slice(&record.payload).ok()?;
                        let prices = prices.get(&interaction.application);
                        Observation::of(&interaction, prices.map_or(&[], Vec::as_slice))
                    })
                    .collect();
                Ok((last, seen))
            };
            let read = tokio::task::spawn_blocking(read).await.map_err(Refused::files)?;
            let (last, seen) = match read {
                Ok(read) => read,
                // Ingest records the damage in the timeline; here it is only passed over.
                Err(error) => (Some(resume(&error, cursor)?), Vec::new()),
            };
            let Some(last) = last else {
                way.ended = true;
                continue;
            };
            way.at = seen.last().map_or(way.at, |seen| seen.at.min(now));
            loaded.cursors.insert(way.gateway.clone(), last);
            for seen in seen {
                loaded.book.observe(seen, now);
            }
        }
        let open = ways.iter().filter(|way| !way.ended).map(|way| way.at);
        Ok(open.min().unwrap_or(now) - GRACE)
    }

    /// Saves what changed and what the alarms lead to, in one transaction.
    async fn save(
        &self,
        loaded: &mut Loaded,
        holder: &str,
        alarms: Vec<BookAlarm>,
    ) -> Result<(), Refused> {
        let rules = self.rule_book().current(&mut self.read().await?).await?;
        // Taken before the transaction, as ingest does.
        let mut ingest = self.ingest_state().lock().await;
        let (changed, removed) = loaded.book.changes();
        let state = BaselineState {
            holder: holder.to_owned(),
            meta: loaded.book.meta(),
            cursors: loaded.cursors.clone(),
        };
        let mut unit = self.unit(&Actor::System).await?;
        let version = unit.put_baseline_state(&state, loaded.version).await?;
        for key in removed {
            let what = dimension(key.dimension);
            unit.delete_baseline_scope(&key.application, what, &key.value).await?;
        }
        for scope in changed {
            unit.put_baseline_scope(&stored(scope)).await?;
        }
        let today = loaded.book.closed_until().div_euclid(86_400);
        unit.delete_baseline_days(today - DAYS_KEPT as i64 - 1).await?;
        for BookAlarm { key, alarm } in alarms {
            let at = Timestamp::from_second(alarm.start).unwrap_or_default();
            let named = BaselineAlarm {
                application: &key.application,
                metric: alarm.metric.as_str(),
                change: alarm.change.as_str(),
                scope: key.dimension.as_str(),
                part: &key.value,
                at,
            };
            let facts =
                [format!("value:{:.4}", alarm.value), format!("expected:{:.4}", alarm.expected)];
            for mut signal in rules.judge_alarm(&named, &facts) {
                if !alarm.settled {
                    // The weekly season is not known yet: shown, but not believed.
                    signal.mode = RuleMode::Shadow;
                }
                let record = signal_record(&key.application, signal, at);
                if unit.insert_signal(&record).await? {
                    self.group_alarm(&mut ingest, &mut unit, &record).await?;
                }
            }
        }
        unit.commit().await?;
        (loaded.version, loaded.saved_at) = (Some(version), self.now());
        Ok(())
    }
}

fn signal_record(application: &str, signal: Signal, at: Timestamp) -> SignalRecord {
    SignalRecord {
        signal,
        incident: None,
        application: application.to_owned(),
        interaction: None,
        principal: Principal::default(),
        at,
    }
}

fn stored(scope: SavedScope) -> BaselineScope {
    BaselineScope {
        application: scope.key.application,
        dimension: dimension(scope.key.dimension).to_owned(),
        part: scope.key.value,
        seconds: scope.seconds,
        next: scope.next,
        head: scope.head,
        days: scope.days,
    }
}

/// Where to read on after damage.
fn resume(error: &LakeError, cursor: u64) -> Result<u64, Refused> {
    let resume = match error {
        LakeError::Damaged(damage) => damage.resumes_at.saturating_sub(1),
        LakeError::Gap { found, .. } => found.saturating_sub(1),
        LakeError::BeyondEnd { .. } | LakeError::ChainBroken { .. } => 0,
        _ => return Err(Refused::files(error)),
    };
    if resume == cursor { Err(Refused::files(error)) } else { Ok(resume) }
}
