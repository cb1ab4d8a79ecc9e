//! Scan once: what fields said is kept, so that the earlier turns of a long chat cost a look-up.
//!
//! A key is a keyed 128-bit hash of everything the findings depend on, so nobody without the key
//! can make one text pass for another. Entries are kept in two generations per shard: when the
//! younger one is full the older one is dropped, so the cache never holds more than its limit.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::sync::Arc;

use parking_lot::Mutex;
use quell_domain::interaction::Role;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::field::FieldFindings;

/// Shortest text worth keeping, bytes: a shorter one is scanned as fast as it is looked up.
const MIN_TEXT: usize = 256;
/// Most facts of one entry; a field that says more is read again each time.
const MAX_FACTS: usize = 128;
/// Shards, so that requests do not wait for each other.
const SHARDS: usize = 16;
/// Counted memory of an entry without facts, bytes, map overhead included.
const ENTRY_BYTES: usize = 192;
/// Counted memory of one fact of an entry, bytes.
const FACT_BYTES: usize = 64;

/// A bounded memory of what fields said; shared by all requests of a gateway.
pub struct FieldCache {
    key: [u8; 16],
    /// Most bytes of one generation of one shard.
    generation: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    young: HashMap<u128, Arc<FieldFindings>>,
    old: HashMap<u128, Arc<FieldFindings>>,
    young_bytes: usize,
}

impl std::fmt::Debug for FieldCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FieldCache").field("entries", &self.len()).finish_non_exhaustive()
    }
}

impl FieldCache {
    /// An empty cache of about `max_bytes` at most. `key` is secret and random, one per process.
    pub fn new(key: [u8; 16], max_bytes: usize) -> Self {
        let generation = max_bytes / (2 * SHARDS);
        Self { key, generation, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| {
                let shard = shard.lock();
                shard.young.len() + shard.old.len()
            })
            .sum()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) const fn is_worth(text: &str) -> bool {
        text.len() >= MIN_TEXT
    }

    pub(crate) fn key(&self, rules: &str, measures: u128, role: Role, text: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        // Both digests and the role have lengths of their own, so no two inputs run together.
        hasher.write(rules.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(&measures.to_le_bytes());
        hasher.write(role.as_str().as_bytes());
        hasher.write_u8(0xff);
        hasher.write(text.as_bytes());
        hasher.finish128().as_u128()
    }

    pub(crate) fn get(&self, key: u128) -> Option<Arc<FieldFindings>> {
        let mut shard = self.shard(key).lock();
        if let Some(found) = shard.young.get(&key) {
            return Some(Arc::clone(found));
        }
        let found = shard.old.remove(&key)?;
        shard.insert(key, Arc::clone(&found), self.generation);
        Some(found)
    }

    pub(crate) fn put(&self, key: u128, found: &Arc<FieldFindings>) {
        if found.facts.len() <= MAX_FACTS && found.measures.len() <= MAX_FACTS {
            self.shard(key).lock().insert(key, Arc::clone(found), self.generation);
        }
    }

    fn shard(&self, key: u128) -> &Mutex<Shard> {
        &self.shards[(key >> 124) as usize % SHARDS]
    }
}

impl Shard {
    fn insert(&mut self, key: u128, found: Arc<FieldFindings>, generation: usize) {
        let bytes = ENTRY_BYTES + (found.facts.len() + found.measures.len()) * FACT_BYTES;
        if self.young_bytes + bytes > generation {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if bytes <= generation && self.young.insert(key, found).is_none() {
            self.young_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_the_oldest_and_keeps_its_limit() {
        let cache = FieldCache::new([7; 16], 64 * 1024);
        let found = Arc::new(FieldFindings::default());
        let keys: Vec<u128> =
            (0..10_000_u32).map(|n| cache.key("rules", 0, Role::User, &n.to_string())).collect();
        for key in &keys {
            cache.put(*key, &found);
            assert!(cache.len() * ENTRY_BYTES <= 64 * 1024);
        }
        assert!(cache.get(keys[0]).is_none());
        assert!(cache.get(keys[9_999]).is_some());
        assert!(cache.len() > 100);
    }

    #[test]
    fn what_the_findings_depend_on_is_in_the_key() {
        let cache = FieldCache::new([7; 16], 1024);
        let key = cache.key("rules", 0, Role::User, "text");
        assert_ne!(key, cache.key("other", 0, Role::User, "text"));
        assert_ne!(key, cache.key("rules", 1, Role::User, "text"));
        assert_ne!(key, cache.key("rules", 0, Role::Tool, "text"));
        assert_ne!(key, cache.key("rules", 0, Role::User, "texts"));
        assert_ne!(key, FieldCache::new([8; 16], 1024).key("rules", 0, Role::User, "text"));
    }
}
