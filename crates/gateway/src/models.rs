//! Classifiers by digest: fetched from control once, kept on disk, checked against their digest
//! whenever they are read. A model that cannot be had never keeps a snapshot, and so a measure,
//! from coming into force: the gateway then judges with the model it has, and says so in its report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quell_detection::classifier::Classifier;
use quell_detection::{Budget, Findings, PatternSet, RuleSet, Scores};
use quell_domain::InteractionId;
use quell_domain::interaction::{Endpoint, TextField};
use quell_domain::principal::Principal;
use quell_domain::snapshot::ShadowCounts;
use serde_json::Map;
use tokio::sync::Semaphore;

/// Largest model read, bytes.
pub(crate) const MODEL_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Requests that the shadow judges at once; while so many run, further ones are skipped.
const SHADOW_AT_ONCE: usize = 2;

/// Where a gateway keeps models.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("gateway").join("models")
}

/// The model kept under `sha256`. None where there is none or its bytes are not those.
pub(crate) fn kept(data_dir: &Path, sha256: &str) -> Option<Classifier> {
    let bytes = std::fs::read(folder(data_dir).join(file_name(sha256)?)).ok()?;
    Classifier::load(&bytes, sha256)
        .inspect_err(|error| tracing::error!(%error, "a kept model is unusable"))
        .ok()
}

/// Keeps a model that was fetched, once its bytes are what its digest says.
pub(crate) fn keep(data_dir: &Path, sha256: &str, bytes: &[u8]) -> Result<(), String> {
    Classifier::load(bytes, sha256).map_err(|error| error.to_string())?;
    let folder = folder(data_dir);
    let name = file_name(sha256).ok_or("the digest is not 64 hex digits")?;
    let beside = folder.join(format!("{name}.new"));
    let write = || {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(&beside, bytes)?;
        std::fs::File::open(&beside)?.sync_all()?;
        std::fs::rename(&beside, folder.join(&name))
    };
    write().map_err(|error| error.to_string())
}

/// A digest as a file name; none for what is no digest, so that no path can be smuggled in.
fn file_name(sha256: &str) -> Option<String> {
    let is_digest =
        sha256.len() == 64 && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_digest.then(|| format!("{sha256}.qcm"))
}

/// A rule set with a candidate's classifier, judging beside the one in force off the hot path.
#[derive(Debug)]
pub(crate) struct Shadow {
    sha256: String,
    rules: RuleSet,
    slots: Arc<Semaphore>,
    judged: AtomicU64,
    flagged_now: AtomicU64,
    flagged_then: AtomicU64,
    flagged_both: AtomicU64,
    skipped: AtomicU64,
}

/// A request as the shadow sees it.
pub(crate) struct ShadowRequest {
    pub application: String,
    pub endpoint: Endpoint,
    pub principal: Principal,
    pub system_text: String,
    pub fields: Vec<TextField>,
    pub interaction: InteractionId,
    pub work_bytes: u64,
}

impl Shadow {
    /// Tries the classifier of `rules`.
    pub(crate) fn new(sha256: &str, rules: RuleSet) -> Self {
        Self {
            sha256: sha256.to_owned(),
            rules,
            slots: Arc::new(Semaphore::new(SHADOW_AT_ONCE)),
            judged: AtomicU64::new(0),
            flagged_now: AtomicU64::new(0),
            flagged_then: AtomicU64::new(0),
            flagged_both: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// The digest of its model.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Judges a request in the background, or counts it as skipped where enough is being judged.
    /// `now`: what the rules in force found.
    pub(crate) fn offer(self: &Arc<Self>, now: &Findings, request: impl FnOnce() -> ShadowRequest) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let (shadow, request, now) = (Arc::clone(self), request(), flagged(now));
        tokio::task::spawn_blocking(move || {
            shadow.judge(&request, now);
            drop(slot);
        });
    }

    fn judge(&self, request: &ShadowRequest, now: bool) {
        let context = quell_detection::Context {
            application: &request.application,
            endpoint: request.endpoint,
            model: None,
            principal: &request.principal,
            system_text: &request.system_text,
            canaries: &[],
            tools_offered: &[],
            review: quell_detection::Review::default(),
            stream: false,
            parameters: &Map::new(),
        };
        let mut budget = Budget::new(request.work_bytes);
        let none = PatternSet::empty();
        let found = self.rules.inspect_request(
            &context,
            &none,
            &request.fields,
            &mut budget,
            request.interaction,
            None,
        );
        let then = flagged(&found);
        self.judged.fetch_add(1, Ordering::Relaxed);
        self.flagged_now.fetch_add(u64::from(now), Ordering::Relaxed);
        self.flagged_then.fetch_add(u64::from(then), Ordering::Relaxed);
        self.flagged_both.fetch_add(u64::from(now && then), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> ShadowCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ShadowCounts {
            sha256: self.sha256.clone(),
            judged: read(&self.judged),
            flagged_now: read(&self.flagged_now),
            flagged_then: read(&self.flagged_then),
            flagged_both: read(&self.flagged_both),
            skipped: read(&self.skipped),
        }
    }
}

/// Whether the classifier's families are at or above their threshold.
fn flagged(found: &Findings) -> bool {
    found.scores.attack.max(found.scores.harm) >= Scores::THRESHOLD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_names_a_file() {
        assert!(file_name(&"a1".repeat(32)).is_some());
        for bad in ["", "../x", &"A1".repeat(32), &"a1".repeat(31), &"/".repeat(64)] {
            assert_eq!(file_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_not_the_digests_are_neither_kept_nor_read() {
        let data = tempfile::tempdir().unwrap();
        let digest = "0".repeat(64);
        assert!(keep(data.path(), &digest, b"nonsense").is_err());
        std::fs::create_dir_all(folder(data.path())).unwrap();
        std::fs::write(folder(data.path()).join(format!("{digest}.qcm")), b"nonsense").unwrap();
        assert!(kept(data.path(), &digest).is_none());
    }
}
