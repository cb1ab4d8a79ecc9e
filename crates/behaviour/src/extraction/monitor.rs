//! Watches windows of queries, per principal and over the whole application, and decides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::embed::embed;
use super::features::{FEATURES, of_point};
use super::mmd::{Sum, mmd2};
use super::pattern::{Manner, Pattern, Vote};
use super::pool::Pool;

/// Queries of one principal's block; windows are one and two blocks.
pub const BLOCK: u32 = 100;
/// Queries of the application's block; windows are one and three blocks.
pub const POOLED_BLOCK: u32 = 500;
/// Principals watched at once, about 10 KB each; the one quiet longest goes first.
pub const MAX_PRINCIPALS: usize = 1_000;
/// Votes that confirm a strange distribution.
const CONFIRMING: usize = 2;
/// Share of different questions below which a window has no votes.
const MIN_UNIQUE: f64 = 0.5;
/// Votes that are enough without one.
const ENOUGH: usize = 4;

/// One query.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// When, microseconds since 1970.
    pub at: i64,
    /// Who.
    pub sender: &'a str,
    /// Tells this query from all others.
    pub key: u64,
    /// The normalised question.
    pub text: &'a str,
    /// How it was asked.
    pub manner: Manner,
}

/// What a finished window says.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Queries of the window.
    pub size: u32,
    /// The discrepancy over its 99 % limit; above 1 is strange. None while the application's
    /// usual traffic is not known.
    pub discrepancy: Option<f64>,
    /// The distribution is strange: above the 99 % limit, or twice in a row above the 95 % limit.
    pub strange: bool,
    /// What else speaks for extraction.
    pub votes: Vec<Vote>,
}

impl Judgement {
    /// Whether the window of one principal is extraction: a strange distribution with two votes,
    /// or four votes.
    pub fn is_extraction(&self) -> bool {
        (self.strange && self.votes.len() >= CONFIRMING) || self.votes.len() >= ENOUGH
    }
}

/// Windows of one stream of queries.
#[derive(Debug, Clone, Default)]
struct Windows {
    newest: i64,
    block: Sum,
    pattern: Pattern,
    previous: Vec<Sum>,
    above_95: bool,
    stated: bool,
}

/// What is kept of a stream between its blocks.
#[derive(Serialize, Deserialize)]
struct Saved {
    newest: i64,
    above_95: bool,
    stated: bool,
    previous: Vec<(u32, Vec<f32>)>,
}

/// The extraction monitor of one application.
#[derive(Debug, Clone, Default)]
pub struct Monitor {
    pool: Pool,
    principals: BTreeMap<String, Windows>,
    pooled: Windows,
}

/// What a query completed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completed {
    /// A window of the sender.
    pub principal: Option<Judgement>,
    /// The sender's window is extraction, and the one before was not.
    pub principal_alarm: bool,
    /// A window over all senders.
    pub pooled: Option<Judgement>,
    /// The window over all senders is strange for the second time in a row.
    pub pooled_alarm: bool,
}

impl Monitor {
    /// Takes one query in. Work: 131,072 multiplications, and 1,000 draws when a window is the
    /// first to be judged against a new sample.
    pub fn push(&mut self, query: &Query<'_>) -> Completed {
        let point = embed(query.text);
        let features = of_point(&point);
        let mut completed = Completed::default();
        let own = self.principals.entry(query.sender.to_owned()).or_default();
        own.add(query, &features, &point);
        if own.block.count >= BLOCK {
            let judgement = own.finish(&mut self.pool, 1);
            let found = judgement.is_extraction();
            completed.principal_alarm = found && !own.stated;
            own.stated = found;
            completed.principal = Some(judgement);
        }
        if self.principals.len() > MAX_PRINCIPALS {
            self.evict();
        }
        self.pooled.add(query, &features, &point);
        if self.pooled.block.count >= POOLED_BLOCK {
            let before = self.pooled.stated;
            let judgement = self.pooled.finish(&mut self.pool, 2);
            completed.pooled_alarm = judgement.strange && before;
            self.pooled.stated = judgement.strange && !completed.pooled_alarm;
            completed.pooled = Some(judgement);
        }
        self.pool.offer(query.sender, query.key, &point);
        completed
    }

    /// Whether the usual traffic is known.
    pub fn is_ready(&self) -> bool {
        self.pool.is_ready()
    }

    /// Principals watched now.
    pub fn principals(&self) -> usize {
        self.principals.len()
    }

    /// A principal's finished blocks, for keeping; none when there are none. What was added since
    /// the last finished block (fewer than 100 queries) is not kept.
    pub fn saved(&self, sender: &str) -> Option<Vec<u8>> {
        self.principals.get(sender)?.saved()
    }

    /// The application's finished blocks, for keeping.
    pub fn saved_pooled(&self) -> Option<Vec<u8>> {
        self.pooled.saved()
    }

    /// The usual traffic, for keeping.
    pub fn saved_pool(&self) -> Vec<u8> {
        self.pool.snapshot()
    }

    /// Puts a principal's blocks back (`None`: the application's); false when the bytes are not
    /// a kept state.
    pub fn restore(&mut self, sender: Option<&str>, bytes: &[u8]) -> bool {
        let Some(windows) = Windows::restore(bytes) else { return false };
        match sender {
            Some(sender) => {
                self.principals.insert(sender.to_owned(), windows);
                if self.principals.len() > MAX_PRINCIPALS {
                    self.evict();
                }
            }
            None => self.pooled = windows,
        }
        true
    }

    /// Puts the usual traffic back; false when the bytes are not a kept state.
    pub fn restore_pool(&mut self, bytes: &[u8]) -> bool {
        let Some(pool) = Pool::restore(bytes) else { return false };
        self.pool = pool;
        true
    }

    fn evict(&mut self) {
        let oldest = self.principals.iter().min_by_key(|(_, windows)| windows.newest);
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.principals.remove(&name);
        }
    }
}

impl Windows {
    fn add(&mut self, query: &Query<'_>, features: &[f32], point: &[f32]) {
        self.newest = self.newest.max(query.at);
        self.block.add(features);
        self.pattern.add(query.at, query.text, point, query.manner);
    }

    /// Judges the finished block alone, and together with up to `back` blocks before it.
    fn finish(&mut self, pool: &mut Pool, back: usize) -> Judgement {
        let block = std::mem::take(&mut self.block);
        let pattern = std::mem::take(&mut self.pattern);
        // Who asks the same again learns nothing new about the model.
        let repeats = pattern.unique_share() < MIN_UNIQUE;
        let votes = if repeats { Vec::new() } else { pattern.votes() };
        let mut windows = vec![block.clone()];
        if self.previous.len() >= back {
            let all = self.previous.iter().fold(block.clone(), |all, before| all.and(before));
            windows.push(all);
        }
        self.previous.push(block);
        if self.previous.len() > back {
            self.previous.remove(0);
        }
        let mut judgement = Judgement { size: 0, discrepancy: None, strange: false, votes };
        let mut above_95 = false;
        for window in windows {
            let Some((reference, null)) = pool.judge(window.count as usize) else { continue };
            let value = mmd2(&window, reference);
            let limit = null.quantile(0.99).max(1e-6);
            above_95 |= value > null.quantile(0.95);
            judgement.strange |= value > limit;
            if judgement.discrepancy.is_none_or(|known| value / limit > known) {
                judgement.discrepancy = Some(value / limit);
                judgement.size = window.count;
            }
        }
        judgement.strange |= above_95 && self.above_95;
        self.above_95 = above_95;
        judgement
    }

    fn saved(&self) -> Option<Vec<u8>> {
        let previous = self.previous.iter().map(|sum| (sum.count, sum.features.clone())).collect();
        let saved =
            Saved { newest: self.newest, above_95: self.above_95, stated: self.stated, previous };
        (!self.previous.is_empty()).then(|| serde_json::to_vec(&saved).ok()).flatten()
    }

    fn restore(bytes: &[u8]) -> Option<Self> {
        let saved: Saved = serde_json::from_slice(bytes).ok()?;
        let whole = saved.previous.iter().all(|(_, features)| features.len() == FEATURES);
        let previous = saved.previous.into_iter().take(2);
        whole.then(|| Self {
            newest: saved.newest,
            above_95: saved.above_95,
            stated: saved.stated,
            previous: previous.map(|(count, features)| Sum { count, features }).collect(),
            ..Self::default()
        })
    }
}
