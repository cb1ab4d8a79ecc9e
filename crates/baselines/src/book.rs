//! Every scope of every application.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::calibrate::{Budget, factors};
use crate::observe::{Observation, hash};
use crate::scope::{Alarm, Dimension, Head, Scope, ScopeKey};
use crate::series::DAYS_KEPT;

/// Seconds of a cell.
const CELL: i64 = 300;
/// Seconds of a cell of the tail.
const CELL_TAIL: i64 = 3_600;
/// Seconds within which a prompt counts as repeated.
const REPEATED: i64 = 3_600;
/// Prompts of one application remembered for that; the oldest goes first.
const PROMPTS_MAX: usize = 2_048;
/// Seconds a record may lie ahead of the clock before it is taken as now.
const AHEAD: i64 = 300;
/// Days without an exchange after which a part of an application is forgotten.
const IDLE_PART: i64 = 7;
/// The scope of everything beyond the limits.
const OTHER: &str = "other";

/// How many scopes there may be. At the limits memory stays below about 150 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Scopes with cells of five minutes, over all applications. Past it cells are hours.
    pub fine: usize,
    /// Of those, parts of one application: its first models, endpoints, classes and tools.
    pub fine_parts: usize,
    /// Parts of one application. Past it exchanges count in the part `other` of their dimension.
    pub parts: usize,
    /// Scopes in all. Past it new parts are not counted.
    pub scopes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fine: 64, fine_parts: 6, parts: 48, scopes: 600 }
    }
}

/// What operators set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Bearable false alarms a week per scope, by application; others have the default.
    #[serde(default)]
    pub false_alarms_per_week: BTreeMap<String, f64>,
}

impl Settings {
    /// The budget of each scope of an application.
    pub fn budget(&self, application: &str) -> Budget {
        let set = self.false_alarms_per_week.get(application);
        set.and_then(|per_week| Budget::new(*per_week)).unwrap_or_default()
    }
}

/// An alarm and the scope it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct BookAlarm {
    /// The scope.
    pub key: ScopeKey,
    /// The alarm.
    pub alarm: Alarm,
}

/// A scope as it is saved: its state, and the days that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedScope {
    /// Which.
    pub key: ScopeKey,
    /// Seconds of a cell.
    pub seconds: i64,
    /// Number of the cell that is closed next.
    pub next: i64,
    /// Open cells and detectors, JSON.
    pub head: String,
    /// Closed cells by day since 1970, UTC. Saving gives only days that changed; loading takes all.
    pub days: Vec<(i64, Vec<u8>)>,
}

/// What a book remembers beside its scopes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Meta {
    /// Everything before is closed, seconds since 1970.
    closed_until: i64,
    /// Five-minute cells, by number, in which anything at all was seen.
    heard: BTreeSet<i64>,
    /// Prompts by application: when each was last seen, oldest first.
    prompts: BTreeMap<String, VecDeque<(i64, u64)>>,
    /// Records that came after their cell was closed.
    late: u64,
}

/// Every scope of every application.
#[derive(Debug, Clone, Default)]
pub struct Book {
    scopes: BTreeMap<ScopeKey, Scope>,
    meta: Meta,
    /// What operators set.
    pub settings: Settings,
    limits: Limits,
    changed: BTreeMap<ScopeKey, BTreeSet<i64>>,
    removed: BTreeSet<ScopeKey>,
}

/// Why a saved book could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the saved baselines cannot be read; learning begins anew")]
pub struct Unreadable(#[from] serde_json::Error);

impl Book {
    /// A book that keeps within `limits`.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A saved book.
    pub fn restore(meta: &str, scopes: Vec<SavedScope>) -> Result<Self, Unreadable> {
        let mut book = Self { meta: serde_json::from_str(meta)?, ..Self::default() };
        for mut saved in scopes {
            let head: Head = serde_json::from_str(&saved.head)?;
            saved.days.sort();
            let days = saved.days.iter().map(|(_, bytes)| bytes.as_slice());
            let scope = Scope::restore(saved.seconds, saved.next, head, days);
            book.scopes.insert(saved.key, scope);
        }
        Ok(book)
    }

    /// Every scope: an application before its parts.
    pub fn scopes(&self) -> impl Iterator<Item = (&ScopeKey, &Scope)> {
        self.scopes.iter()
    }

    /// One scope.
    pub fn scope(&self, key: &ScopeKey) -> Option<&Scope> {
        self.scopes.get(key)
    }

    /// Everything before this second is closed.
    pub fn closed_until(&self) -> i64 {
        self.meta.closed_until
    }

    /// Records that came after their cell was closed, and count nowhere.
    pub fn late(&self) -> u64 {
        self.meta.late
    }

    /// Counts one exchange. `now` is the clock's time, seconds: a record ahead of it counts as now.
    pub fn observe(&mut self, mut seen: Observation, now: i64) {
        seen.at = if seen.at > now.saturating_add(AHEAD) { now } else { seen.at };
        if self.meta.closed_until == 0 {
            self.meta.closed_until = seen.at.div_euclid(CELL_TAIL) * CELL_TAIL;
        }
        if seen.at < self.meta.closed_until {
            self.meta.late += 1;
            return;
        }
        self.meta.heard.insert(seen.at.div_euclid(CELL));
        seen.duplicate = self.is_repeated(&seen);
        let app = &seen.application;
        let part = |dimension, value: &str| ScopeKey {
            application: app.clone(),
            dimension,
            value: value.to_owned(),
        };
        let mut keys = vec![ScopeKey::application(app)];
        keys.push(part(Dimension::Endpoint, seen.endpoint));
        keys.push(part(Dimension::Principal, seen.class));
        if seen.answer.is_some() {
            keys.push(part(Dimension::Model, &seen.model));
        }
        keys.extend(seen.tools.iter().map(|tool| part(Dimension::Tool, tool)));
        for key in keys {
            self.count(key, &seen);
        }
    }

    /// Closes every cell that ended by `until`, seconds, and gives the alarms that begin.
    /// `listening`: since when a gateway is known to have listened, so that silence is silence.
    pub fn close(&mut self, until: i64, listening: Option<i64>) -> Vec<BookAlarm> {
        if self.meta.closed_until == 0 || until <= self.meta.closed_until {
            return Vec::new();
        }
        let mut alarms = Vec::new();
        let keys: Vec<ScopeKey> = self.scopes.keys().cloned().collect();
        for key in keys {
            self.close_scope(&key, until, listening, &mut alarms);
        }
        self.meta.closed_until = until.div_euclid(CELL) * CELL;
        let oldest = (until - CELL_TAIL).div_euclid(CELL);
        self.meta.heard.retain(|cell| *cell >= oldest);
        self.forget(until);
        alarms.sort_by(|a, b| (a.alarm.start, &a.key).cmp(&(b.alarm.start, &b.key)));
        alarms
    }

    /// What a book remembers beside its scopes, as JSON.
    pub fn meta(&self) -> String {
        serde_json::to_string(&self.meta).unwrap_or_default()
    }

    /// What changed since the last call, to be saved with [`Self::meta`]; and which scopes are
    /// gone.
    pub fn changes(&mut self) -> (Vec<SavedScope>, BTreeSet<ScopeKey>) {
        let changed = std::mem::take(&mut self.changed);
        let saved = changed.into_iter().filter_map(|(key, days)| {
            let scope = self.scopes.get(&key)?;
            let days = days.into_iter().map(|day| (day, scope.series.day_bytes(day))).collect();
            Some(SavedScope {
                seconds: scope.series.seconds(),
                next: scope.series.next(),
                head: serde_json::to_string(&scope.head).unwrap_or_default(),
                days,
                key,
            })
        });
        (saved.collect(), std::mem::take(&mut self.removed))
    }

    fn count(&mut self, mut key: ScopeKey, seen: &Observation) {
        if !self.scopes.contains_key(&key) && key.dimension != Dimension::Application {
            let parts = self.of(&key.application).count();
            if parts > self.limits.parts {
                OTHER.clone_into(&mut key.value);
            }
        }
        if !self.scopes.contains_key(&key) {
            if self.scopes.len() >= self.limits.scopes {
                return;
            }
            let seconds = self.cell_of(&key);
            self.removed.remove(&key);
            self.scopes.insert(key.clone(), Scope::new(seconds, seen.at.div_euclid(seconds)));
        }
        let Some(scope) = self.scopes.get_mut(&key) else { return };
        let number = seen.at.div_euclid(scope.series.seconds()).max(scope.series.next());
        scope.head.open.entry(number).or_default().add(seen);
        scope.head.last_seen = scope.head.last_seen.max(seen.at);
        self.changed.entry(key).or_default();
    }

    fn of(&self, application: &str) -> impl Iterator<Item = (&ScopeKey, &Scope)> {
        let first = ScopeKey::application(application);
        let application = application.to_owned();
        self.scopes.range(first..).take_while(move |(key, _)| key.application == application)
    }

    /// How long the cells of a new scope are.
    fn cell_of(&self, key: &ScopeKey) -> i64 {
        let is_fine = |scope: &&Scope| scope.series.seconds() == CELL;
        let fine = self.scopes.values().filter(is_fine).count();
        let parts = self.of(&key.application).filter(|(_, scope)| is_fine(scope)).count();
        let whole = key.dimension == Dimension::Application;
        if fine < self.limits.fine && (whole || parts <= self.limits.fine_parts) {
            CELL
        } else {
            CELL_TAIL
        }
    }

    fn close_scope(
        &mut self,
        key: &ScopeKey,
        until: i64,
        listening: Option<i64>,
        alarms: &mut Vec<BookAlarm>,
    ) {
        let Some(mut scope) = self.scopes.remove(key) else { return };
        let parent = self.scopes.get(&ScopeKey::application(&key.application));
        let seconds = scope.series.seconds();
        let mut due = false;
        while (scope.series.next() + 1) * seconds <= until {
            let start = scope.series.next() * seconds;
            let cells = start.div_euclid(CELL)..(start + seconds).div_euclid(CELL);
            let heard = self.meta.heard.range(cells).next().is_some();
            let known = heard || listening.is_some_and(|since| since <= start);
            let prior = |metric| parent.and_then(|parent| parent.usual_rate(metric));
            let begun = scope.close(known, prior);
            alarms.extend(begun.into_iter().map(|alarm| BookAlarm { key: key.clone(), alarm }));
            let day = start.div_euclid(86_400);
            due |= (start + seconds).div_euclid(86_400) != day;
            self.changed.entry(key.clone()).or_default().insert(day);
        }
        if due {
            let name = format!("{}/{:?}/{}", key.application, key.dimension, key.value);
            let seed = hash(name.as_bytes()) ^ until.div_euclid(86_400).unsigned_abs();
            if let Some(set) = factors(&scope, self.settings.budget(&key.application), seed) {
                scope.head.sensitivity = set;
            }
        }
        self.scopes.insert(key.clone(), scope);
    }

    /// Drops what nobody has asked for in a long time.
    fn forget(&mut self, until: i64) {
        let kept = |key: &ScopeKey| {
            let whole = key.dimension == Dimension::Application;
            (if whole { DAYS_KEPT as i64 } else { IDLE_PART }) * 86_400
        };
        let idle: Vec<ScopeKey> = self
            .scopes
            .iter()
            .filter(|(key, scope)| scope.head.last_seen < until - kept(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in idle {
            self.scopes.remove(&key);
            self.changed.remove(&key);
            self.removed.insert(key);
        }
        self.meta.prompts.retain(|_, prompts| {
            while prompts.front().is_some_and(|(at, _)| *at < until - REPEATED) {
                prompts.pop_front();
            }
            !prompts.is_empty()
        });
    }

    /// Whether the prompt was seen within the hour; remembers it.
    fn is_repeated(&mut self, seen: &Observation) -> bool {
        let Some(prompt) = seen.prompt else { return false };
        let prompts = self.meta.prompts.entry(seen.application.clone()).or_default();
        while prompts.front().is_some_and(|(at, _)| *at < seen.at - REPEATED) {
            prompts.pop_front();
        }
        let repeated = prompts.iter().any(|(_, known)| *known == prompt);
        if !repeated {
            prompts.push_back((seen.at, prompt));
            if prompts.len() > PROMPTS_MAX {
                prompts.pop_front();
            }
        }
        repeated
    }
}
