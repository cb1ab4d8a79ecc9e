//! What the gateway runs on right now: one snapshot, compiled. Swapped whole, never edited.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_detection::classifier::Classifier;
use quell_detection::{PatternError, PatternSet, RuleSet, Second};
use quell_domain::application::{Application, KeyBinding, Upstream};
use quell_domain::measure::{Target, TextPattern};
use quell_domain::snapshot::{Snapshot, SnapshotContent};
use quell_domain::{ApiKeyId, Measure, MeasureId};
use quell_outbound::{UpstreamClient, UpstreamOptions};
use quell_response::{Breaker, BreakerState, Table};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::models::{self, Shadow};
use crate::secrets;

/// One compiled snapshot.
#[derive(Debug)]
pub(crate) struct Active {
    /// Its epoch.
    pub epoch: u64,
    /// Its hash.
    pub hash: String,
    /// The rules it judges with, and the classifier in them.
    pub rules: Arc<RuleSet>,
    /// The classifier that is tried beside it.
    pub shadow: Option<Arc<Shadow>>,
    /// The measures in force.
    pub table: Table,
    /// The snapshot itself, for probes and for what is being lifted.
    pub snapshot: Arc<Snapshot>,
    applications: HashMap<String, Arc<ActiveApplication>>,
    keys: HashMap<[u8; 32], KeyBinding>,
    upstreams: HashMap<String, Arc<ActiveUpstream>>,
    patterns: HashMap<String, Arc<PatternSet>>,
    no_patterns: Arc<PatternSet>,
    content_digest: String,
}

/// An application with what the hot path needs at hand.
#[derive(Debug)]
pub(crate) struct ActiveApplication {
    /// As configured.
    pub config: Application,
    /// Requests in flight, up to its limit.
    pub slots: Arc<Semaphore>,
    /// The key that signs its user tokens.
    pub user_token_secret: Secret,
    /// The key that signs its hand-offs.
    pub handoff_secret: Secret,
}

/// An upstream with its secret and breaker.
#[derive(Debug)]
pub(crate) struct ActiveUpstream {
    /// As configured.
    pub config: Upstream,
    /// Its API key, if the operator set one.
    pub secret: Secret,
    /// Opens after failures in a row.
    pub breaker: Breaker,
    /// Its connections.
    pub client: UpstreamClient,
}

/// What became of a secret reference.
#[derive(Debug)]
pub(crate) enum Secret {
    /// There is no reference.
    None,
    /// Resolved.
    Known(SecretString),
    /// There is one, and it does not resolve.
    Missing,
}

/// Why a snapshot cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActivateError {
    /// The stated hash is not the content's.
    #[error("the snapshot's hash does not match its content; it was damaged on the way or on disk")]
    Damaged,
    /// Epochs only rise.
    #[error("snapshot epoch {offered} is not above epoch {held}, which this gateway already runs")]
    Stale {
        /// The epoch offered.
        offered: u64,
        /// The epoch held.
        held: u64,
    },
    /// The detection content does not compile.
    #[error("detection content does not compile: {0}")]
    Rules(String),
    /// A measure does not compile.
    #[error("enforcement table does not compile: {0}")]
    Table(String),
    /// An application names an upstream that is not there.
    #[error("application {application:?} names upstream {upstream:?}, which does not exist")]
    UnknownUpstream {
        /// The application.
        application: String,
        /// The upstream.
        upstream: String,
    },
    /// No HTTP client can be made.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// A key's hash is not 64 hex digits.
    #[error("key {0} has a malformed hash")]
    KeyHash(String),
}

/// What a gateway brings to every snapshot of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local<'a> {
    /// Where models are kept.
    pub data_dir: &'a Path,
    /// Who is asked where the classifier is unsure.
    pub second: Option<&'a Second>,
}

impl Active {
    /// Compiles `snapshot`, keeping from `held` whatever did not change: compiled rules, open
    /// breakers, requests in flight.
    pub(crate) fn compile(
        snapshot: Arc<Snapshot>,
        held: Option<&Active>,
        local: Local<'_>,
    ) -> Result<Self, ActivateError> {
        if !snapshot.is_intact() {
            return Err(ActivateError::Damaged);
        }
        if let Some(held) = held.filter(|held| held.epoch >= snapshot.epoch) {
            return Err(ActivateError::Stale { offered: snapshot.epoch, held: held.epoch });
        }
        Self::compiled(snapshot, held, local)
    }

    /// The same snapshot again, with models that have arrived meanwhile.
    pub(crate) fn with_models(&self, local: Local<'_>) -> Result<Self, ActivateError> {
        Self::compiled(Arc::clone(&self.snapshot), Some(self), local)
    }

    /// Digests of the models that the snapshot names and this gateway does not run.
    pub(crate) fn missing_models(&self) -> Vec<String> {
        let content = &self.snapshot.content;
        let runs = self.rules.classifier().map(|classifier| classifier.sha256());
        let tries = self.shadow.as_ref().map(|shadow| shadow.sha256());
        [(&content.model, runs), (&content.shadow_model, tries)]
            .into_iter()
            .filter_map(|(wanted, held)| wanted.as_deref().filter(|wanted| held != Some(*wanted)))
            .map(str::to_owned)
            .collect()
    }

    fn compiled(
        snapshot: Arc<Snapshot>,
        held: Option<&Active>,
        local: Local<'_>,
    ) -> Result<Self, ActivateError> {
        let content = &snapshot.content;
        let content_digest = digest_content(&snapshot);
        let held_rules = held.filter(|held| held.content_digest == content_digest);
        let classifier = classifier(content, held, local.data_dir);
        let same = |held: &&Active| digest(held.rules.classifier()) == digest(classifier.as_ref());
        let rules = if let Some(held) = held_rules.filter(same) {
            Arc::clone(&held.rules)
        } else {
            let rules = with(rules(content)?, classifier);
            Arc::new(rules.with_second_opinion(local.second.cloned()))
        };
        let shadow = shadow(content, held_rules, local.data_dir)?;
        let table = Table::compile(snapshot.epoch, &content.measures)
            .map_err(|error| ActivateError::Table(error.to_string()))?;
        let mut upstreams = HashMap::with_capacity(content.upstreams.len());
        for config in &content.upstreams {
            upstreams.insert(config.name.clone(), activate_upstream(config, held)?);
        }
        let mut applications = HashMap::with_capacity(content.applications.len());
        for config in &content.applications {
            if let Some(upstream) = config.upstreams.iter().find(|u| !upstreams.contains_key(*u)) {
                return Err(ActivateError::UnknownUpstream {
                    application: config.name.clone(),
                    upstream: upstream.clone(),
                });
            }
            applications.insert(config.name.clone(), activate_application(config, held));
        }
        let patterns = compile_patterns(&table, content.applications.iter())?;
        let mut keys = HashMap::with_capacity(content.keys.len());
        for key in &content.keys {
            let mut hash = [0_u8; 32];
            hex::decode_to_slice(&key.sha256, &mut hash)
                .map_err(|_| ActivateError::KeyHash(key.id.to_string()))?;
            keys.insert(hash, key.clone());
        }
        Ok(Self {
            epoch: snapshot.epoch,
            hash: snapshot.hash.clone(),
            rules,
            shadow,
            table,
            snapshot,
            applications,
            keys,
            upstreams,
            patterns,
            no_patterns: Arc::new(PatternSet::empty()),
            content_digest,
        })
    }

    /// Every application, as configured.
    pub(crate) fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.values().map(|application| &application.config)
    }

    /// The application of that name.
    pub(crate) fn application(&self, name: &str) -> Option<&Arc<ActiveApplication>> {
        self.applications.get(name)
    }

    /// The upstream of that name.
    pub(crate) fn upstream(&self, name: &str) -> Option<&Arc<ActiveUpstream>> {
        self.upstreams.get(name)
    }

    /// The binding of a presented key. Looked up by its SHA-256, so that the time taken says
    /// nothing about the key.
    pub(crate) fn key(&self, presented: &str) -> Option<&KeyBinding> {
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        self.keys.get(&hash)
    }

    /// Upstreams whose breaker is not closed.
    pub(crate) fn open_breakers(&self, now: Duration) -> Vec<String> {
        let mut open: Vec<String> = self
            .upstreams
            .values()
            .filter(|upstream| upstream.breaker.state(now) != BreakerState::Closed)
            .map(|upstream| upstream.config.name.clone())
            .collect();
        open.sort();
        open
    }

    /// Patterns of the application's measures that are in force at `now`.
    pub(crate) fn patterns(&self, application: &str, now: Timestamp) -> Arc<PatternSet> {
        let Some(compiled) = self.patterns.get(application) else {
            return Arc::clone(&self.no_patterns);
        };
        let measures = self.table.pattern_measures(application);
        if measures.iter().all(|measure| self.table.in_force(measure.id, now)) {
            return Arc::clone(compiled);
        }
        // One ran out and the snapshot without it is not here yet.
        let live = measures.iter().filter(|measure| self.table.in_force(measure.id, now));
        compile_measures(live).map_or_else(|_| Arc::clone(compiled), Arc::new)
    }

    /// Whether any application has a budget.
    pub(crate) fn has_budgets(&self) -> bool {
        self.applications.values().any(|app| !app.config.spending.budgets.is_empty())
    }

    /// Whether a key is still known.
    pub(crate) fn has_key(&self, id: ApiKeyId) -> bool {
        self.keys.values().any(|key| key.id == id)
    }
}

fn compile_patterns<'a>(
    table: &Table,
    applications: impl Iterator<Item = &'a Application>,
) -> Result<HashMap<String, Arc<PatternSet>>, ActivateError> {
    let mut compiled = HashMap::new();
    for application in applications {
        let measures = table.pattern_measures(&application.name);
        if !measures.is_empty() {
            let set = compile_measures(measures.iter())
                .map_err(|error| ActivateError::Table(error.to_string()))?;
            compiled.insert(application.name.clone(), Arc::new(set));
        }
    }
    Ok(compiled)
}

fn compile_measures<'a>(
    measures: impl Iterator<Item = &'a Measure>,
) -> Result<PatternSet, PatternError> {
    let patterns: Vec<(MeasureId, TextPattern)> = measures
        .filter_map(|measure| match &measure.target {
            Target::Pattern { pattern } => Some((measure.id, pattern.clone())),
            _ => None,
        })
        .collect();
    PatternSet::from_measures(&patterns)
}

fn rules(content: &SnapshotContent) -> Result<RuleSet, ActivateError> {
    RuleSet::with_overrides(&content.content)
        .map_err(|errors| ActivateError::Rules(errors.to_string()))
}

/// The rules with that classifier; as they are where it is theirs already.
fn with(rules: RuleSet, classifier: Option<Arc<Classifier>>) -> RuleSet {
    if digest(rules.classifier()) == digest(classifier.as_ref()) {
        return rules;
    }
    rules.with_classifier(classifier)
}

fn digest(classifier: Option<&Arc<Classifier>>) -> Option<&str> {
    classifier.map(|classifier| classifier.sha256())
}

/// The classifier to judge with. Until the one the snapshot names is here, the one held goes on.
fn classifier(
    content: &SnapshotContent,
    held: Option<&Active>,
    data_dir: &Path,
) -> Option<Arc<Classifier>> {
    let Some(wanted) = &content.model else { return Classifier::shipped() };
    let running = held.and_then(|held| held.rules.classifier());
    if digest(running) == Some(wanted) {
        return running.cloned();
    }
    models::kept(data_dir, wanted)
        .map(Arc::new)
        .or_else(|| running.cloned())
        .or_else(Classifier::shipped)
}

/// The classifier to try beside it, if the snapshot names one and it is here.
fn shadow(
    content: &SnapshotContent,
    held: Option<&Active>,
    data_dir: &Path,
) -> Result<Option<Arc<Shadow>>, ActivateError> {
    let Some(wanted) = &content.shadow_model else { return Ok(None) };
    let running = held.and_then(|held| held.shadow.as_ref());
    if let Some(same) = running.filter(|shadow| shadow.sha256() == wanted) {
        return Ok(Some(Arc::clone(same)));
    }
    let Some(candidate) = models::kept(data_dir, wanted) else { return Ok(None) };
    let rules = rules(content)?.with_classifier(Some(Arc::new(candidate)));
    Ok(Some(Arc::new(Shadow::new(wanted, rules))))
}

fn digest_content(snapshot: &Snapshot) -> String {
    let bytes = serde_json::to_vec(&snapshot.content.content).unwrap_or_default();
    quell_domain::canonical::sha256_hex(&bytes)
}

/// A secret that may be missing. What needs it is unavailable then; everything else runs.
fn resolve(what: &str, reference: Option<&str>) -> Secret {
    match reference.map(secrets::resolve).transpose() {
        Ok(Some(secret)) => Secret::Known(secret),
        Ok(None) => Secret::None,
        Err(error) => {
            tracing::error!(%error, "{what}: the secret cannot be resolved; what needs it is unavailable");
            Secret::Missing
        }
    }
}

fn activate_upstream(
    config: &Upstream,
    held: Option<&Active>,
) -> Result<Arc<ActiveUpstream>, ActivateError> {
    if let Some(same) = held
        .and_then(|held| held.upstream(&config.name))
        .filter(|held| held.config == *config && !matches!(held.secret, Secret::Missing))
    {
        return Ok(Arc::clone(same));
    }
    Ok(Arc::new(ActiveUpstream {
        config: config.clone(),
        secret: resolve(&format!("upstream {:?}", config.name), config.secret.as_deref()),
        breaker: Breaker::new(config.breaker_failures, Duration::from_secs(config.breaker_seconds)),
        client: UpstreamClient::new(&UpstreamOptions {
            connect_timeout: Duration::from_millis(config.connect_ms),
            ..UpstreamOptions::default()
        })
        .map_err(|error| ActivateError::Client(error.to_string()))?,
    }))
}

fn activate_application(config: &Application, held: Option<&Active>) -> Arc<ActiveApplication> {
    let held = held.and_then(|held| held.application(&config.name));
    let complete = |held: &&Arc<ActiveApplication>| {
        held.config == *config
            && !matches!(held.user_token_secret, Secret::Missing)
            && !matches!(held.handoff_secret, Secret::Missing)
    };
    if let Some(same) = held.filter(complete) {
        return Arc::clone(same);
    }
    let slots =
        held.filter(|held| held.config.limits.concurrent == config.limits.concurrent).map_or_else(
            || Arc::new(Semaphore::new(config.limits.concurrent as usize)),
            |held| Arc::clone(&held.slots),
        );
    let handoff = config.fallback.handoff.as_ref().map(|handoff| handoff.secret.as_str());
    let what = |of: &str| format!("application {:?}, {of}", config.name);
    Arc::new(ActiveApplication {
        user_token_secret: resolve(&what("user_token_secret"), config.user_token_secret.as_deref()),
        handoff_secret: resolve(&what("fallback.handoff.secret"), handoff),
        slots,
        config: config.clone(),
    })
}
