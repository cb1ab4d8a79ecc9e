//! A database to work on, and samples to put into it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_domain::clock::SharedClock;
use quell_domain::event::NewEvent;
use quell_domain::id::SharedIds;
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::{
    Actor, AffectedPrincipals, Clock, IncidentId, IncidentKind, IncidentRecord, IncidentState,
    Principal, Severity, Signal, SystemIds,
};
use quell_store::{SignalRecord, Store};
use quell_testkit::ManualClock;
use quell_testkit::postgres::TemporaryPostgres;
use serde_json::json;

/// 2026-05-01T12:00:00Z
const START: i64 = 1_777_636_800;

pub(crate) struct Lab {
    pub(crate) store: Store,
    pub(crate) ids: SharedIds,
    clock: Arc<ManualClock>,
    url: String,
    _database: Database,
}

enum Database {
    File { _folder: tempfile::TempDir },
    Server { _database: TemporaryPostgres },
    Foreign,
}

impl Lab {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/quell.db?mode=rwc", folder.path().display());
        Self::new(url, Database::File { _folder: folder }).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let start = tokio::task::spawn_blocking(TemporaryPostgres::start);
        let database = start.await.unwrap()?;
        Some(Self::new(database.url(), Database::Server { _database: database }).await)
    }

    /// On a database somebody else keeps.
    pub(crate) async fn at(url: String) -> Self {
        Self::new(url, Database::Foreign).await
    }

    async fn new(url: String, database: Database) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(START).unwrap()));
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let ids: SharedIds = Arc::new(SystemIds::new(Arc::clone(&shared)));
        let store = Store::open(&url, shared, Arc::clone(&ids)).await.unwrap();
        Self { store, ids, clock, url, _database: database }
    }

    /// Another handle on the same database, as after a restart.
    pub(crate) async fn reopened(&self) -> Store {
        let clock = Arc::clone(&self.clock) as SharedClock;
        Store::open(&self.url, clock, Arc::clone(&self.ids)).await.unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A stored incident in `support-bot`.
    pub(crate) async fn incident(&self, title: &str) -> IncidentRecord {
        let mut tx = self.store.begin().await.unwrap();
        let number = tx.next_incident_number().await.unwrap();
        let incident = self.draft(number, title);
        tx.insert_incident(&incident).await.unwrap();
        tx.commit().await.unwrap();
        incident
    }

    pub(crate) fn draft(&self, number: String, title: &str) -> IncidentRecord {
        IncidentRecord {
            id: IncidentId::new(self.ids.as_ref()),
            number,
            application: "support-bot".into(),
            kind: IncidentKind::Jailbreak,
            severity: Severity::High,
            severity_rationale: "spreads to several users".into(),
            state: IncidentState::Active,
            title: title.into(),
            summary: String::new(),
            reasons: vec!["the rule says so".into()],
            taxonomy: Vec::new(),
            grouping_key: "jailbreak/roleplay".into(),
            affected: AffectedPrincipals::default(),
            first_signal_at: None,
            last_signal_at: None,
            opened_at: self.now(),
            declared_at: None,
            contained_at: None,
            closed_at: None,
            closing_reason: None,
            merged_into: None,
            signal_count: 0,
            version: 1,
        }
    }

    pub(crate) fn event(&self, incident: Option<IncidentId>, kind: &str) -> NewEvent {
        NewEvent {
            incident,
            kind: kind.into(),
            actor: Actor::User("ada".into()),
            occurred_at: self.now(),
            supersedes: None,
            data: json!({"note": "ünïcode", "count": 3}).as_object().unwrap().clone(),
        }
    }

    pub(crate) fn signal(&self, id: &str, severity: Severity) -> SignalRecord {
        SignalRecord {
            signal: Signal {
                id: id.into(),
                rule: "jailbreak-roleplay".into(),
                title: "Role-play jailbreak".into(),
                kind: IncidentKind::Jailbreak,
                severity,
                effect: RuleEffect::Block,
                mode: RuleMode::Enforce,
                direction: Direction::Input,
                facts: Vec::new(),
                spans: Vec::new(),
                taxonomy: Vec::new(),
                suppressed_by: None,
            },
            incident: None,
            application: "support-bot".into(),
            interaction: None,
            principal: Principal::default(),
            at: self.now(),
        }
    }
}
