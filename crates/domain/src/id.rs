//! Prefixed ids: `inc_` + 32 lower-case hex digits of a UUIDv7, monotonic per process.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::clock::SharedClock;

/// A kind of thing that has ids.
pub trait IdKind {
    /// The text prefix, without the underscore.
    const PREFIX: &'static str;
}

/// An id of one kind of thing. Ids of different kinds do not mix.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

macro_rules! id_kinds {
    ($($(#[$doc:meta])* $kind:ident $alias:ident $prefix:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub enum $kind {}
            impl IdKind for $kind { const PREFIX: &'static str = $prefix; }
            $(#[$doc])*
            pub type $alias = Id<$kind>;
        )+
    };
}

// Append only: a prefix, once written to a log or to evidence, keeps its meaning.
id_kinds! {
    /// The case.
    IncidentKindTag IncidentId "inc";
    /// One detector's finding.
    SignalTag SignalId "sig";
    /// One containment directive.
    MeasureTag MeasureId "mea";
    /// One request/response pair.
    InteractionTag InteractionId "int";
    /// A key a client of the gateway presents.
    ApiKeyTag ApiKeyId "key";
    /// A person's account in the control plane.
    AccountTag AccountId "usr";
    /// A token of the control API.
    TokenTag TokenId "tok";
    /// One timeline event.
    EventTag EventId "evt";
    /// One preserved item.
    EvidenceTag EvidenceId "evi";
    /// One approval decision.
    ApprovalTag ApprovalId "apr";
    /// One note on an incident.
    NoteTag NoteId "not";
    /// One entry of a rule's history.
    RuleChangeTag RuleChangeId "rch";
}

/// Text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id like `{expected}_…` with 32 lower-case hex digits, got {got:?}")]
pub struct InvalidId {
    expected: &'static str,
    got: String,
}

// === impl Id ===

impl<K> Id<K> {
    /// Wraps a raw UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The raw UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// When it was made, as a UUIDv7 states in its first 48 bits.
    pub fn born(self) -> jiff::Timestamp {
        let millis = i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
    }

    /// A fresh id from `ids`.
    pub fn new(ids: &dyn IdSource) -> Self {
        Self::from_uuid(ids.uuid())
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0.simple())
    }
}
impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: IdKind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { expected: K::PREFIX, got: text.chars().take(64).collect() };
        let hex = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|hex| {
                hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            })
            .ok_or_else(invalid)?;
        Uuid::try_parse(hex).map(Self::from_uuid).map_err(|_| invalid())
    }
}
impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The one source of fresh ids and random bytes.
pub trait IdSource: Send + Sync + fmt::Debug {
    /// A UUIDv7, greater than every one this source gave before.
    fn uuid(&self) -> Uuid;
    /// Fills `bytes` with randomness fit for secrets.
    fn random(&self, bytes: &mut [u8]);
}

/// A shared id source.
pub type SharedIds = Arc<dyn IdSource>;

/// UUIDv7 from the injected clock and the operating system's randomness.
#[derive(Debug)]
pub struct SystemIds {
    clock: SharedClock,
    last: Mutex<u128>,
}

impl SystemIds {
    /// Ids stamped by `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, last: Mutex::new(0) }
    }
}

impl IdSource for SystemIds {
    fn uuid(&self) -> Uuid {
        let mut random = [0_u8; 10];
        self.random(&mut random);
        let millis = self.clock.now().as_millisecond().max(0) as u64;
        let fresh = v7(millis, random);
        let mut last = self.last.lock();
        *last = if fresh > *last { fresh } else { last.wrapping_add(1) };
        Uuid::from_u128(*last)
    }

    #[expect(clippy::expect_used, reason = "without the system's randomness nothing may run on")]
    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// Lays out RFC 9562 version 7: 48 bits of milliseconds, version, 12 + 62 random bits.
fn v7(millis: u64, random: [u8; 10]) -> u128 {
    let mut bytes = [0_u8; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn ids_rise_and_round_trip() {
        let ids = SystemIds::new(Arc::new(SystemClock::new()));
        let mut previous = IncidentId::new(&ids);
        for _ in 0..1_000 {
            let next = IncidentId::new(&ids);
            assert!(next > previous);
            assert_eq!(next.to_string().parse::<IncidentId>(), Ok(next));
            previous = next;
        }
        assert_eq!(previous.uuid().get_version_num(), 7);
    }

    #[test]
    fn another_kind_is_refused() {
        let ids = SystemIds::new(Arc::new(SystemClock::new()));
        let text = MeasureId::new(&ids).to_string();
        assert!(text.parse::<IncidentId>().is_err());
        assert!("inc_".parse::<IncidentId>().is_err());
        assert!("inc_0123456789ABCDEF0123456789ABCDEF".parse::<IncidentId>().is_err());
    }
}
