//! A control plane under test: its store, its log, its clock, and gateways played by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quell_control::{Access, Control, ControlOptions};
use quell_domain::application::{
    Application, PolicyAction, PolicyRule, PolicyTarget, ResponsePolicy, Upstream,
};
use quell_domain::interaction::{
    Digests, Endpoint, INTERACTION_SCHEMA, Outcome, Role, TextField, Timing, Usage,
};
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::snapshot::{GatewayReport, ProbeResult};
use quell_domain::{
    AccessRole, Actor, Clock, Graded, IncidentKind, IncidentRecord, Interaction, InteractionId,
    Measure, MeasureId, Principal, Severity, Signal, TrustGrade,
};
use quell_lake::{LogWriter, WriterOptions, log_dir};
use quell_store::{IncidentFilter, MeasureFilter, PageRequest, SignalFilter, Store};
use quell_testkit::{ManualClock, SeededIds};
use tempfile::TempDir;

pub(crate) const GATEWAY: &str = "gateway-1";

pub(crate) struct Lab {
    pub(crate) control: Control,
    pub(crate) clock: Arc<ManualClock>,
    ids: Arc<SeededIds>,
    writer: LogWriter,
    folder: TempDir,
}

pub(crate) fn person(name: &str, role: AccessRole) -> Access {
    Access { actor: Actor::User(name.into()), role }
}

pub(crate) fn responder() -> Access {
    person("ada", AccessRole::Responder)
}

pub(crate) fn approver() -> Access {
    person("bob", AccessRole::Approver)
}

pub(crate) fn policy(action: PolicyAction, level: u8, target: PolicyTarget) -> ResponsePolicy {
    let rule = PolicyRule {
        kinds: Vec::new(),
        min_severity: Severity::Low,
        action,
        level,
        target,
        minutes: 30,
    };
    ResponsePolicy { rules: vec![rule], ..ResponsePolicy::default() }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with_policy(ResponsePolicy::default()).await
    }

    pub(crate) async fn with_policy(policy: ResponsePolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(SeededIds::default());
        let lake = log_dir(&folder.path().join("lake"), GATEWAY);
        let (writer, _) = LogWriter::open(&lake, GATEWAY, WriterOptions::default()).unwrap();
        let control = start(folder.path(), &clock, &ids).await;
        let lab = Self { control, clock, ids, writer, folder };
        let system = Access::system();
        let upstream = Upstream::new("primary", "http://127.0.0.1:1");
        lab.control.put_upstream(&system, upstream, None).await.unwrap();
        let application =
            Application { policy, ..Application::new("shop", vec!["primary".into()]) };
        lab.control.put_application(&system, application, None).await.unwrap();
        lab
    }

    /// Another process over the same files, as after a crash.
    pub(crate) async fn restart(&mut self) {
        self.control = start(self.folder.path(), &self.clock, &self.ids).await;
    }

    /// The database, past control.
    pub(crate) async fn store(&self) -> Store {
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        Store::open(&url(self.folder.path()), clock, ids).await.unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// An exchange by `user` that passed.
    pub(crate) fn exchange(&self, user: &str) -> Interaction {
        let text = |field: &str, role, text: &str| TextField {
            field: field.into(),
            role,
            part: "content".into(),
            text: text.into(),
        };
        Interaction {
            schema: INTERACTION_SCHEMA,
            id: InteractionId::new(self.ids.as_ref()),
            gateway: GATEWAY.into(),
            application: "shop".into(),
            endpoint: Endpoint::ChatCompletions,
            path: "/v1/chat/completions".into(),
            stream: false,
            started_at: self.clock.now(),
            timing: Timing::default(),
            principal: principal(user),
            model_asked: Some("large".into()),
            model_served: Some("large-2026".into()),
            upstream: Some("primary".into()),
            status: 200,
            outcome: Outcome::Allowed,
            causes: Vec::new(),
            not_evaluated: Vec::new(),
            signals: Vec::new(),
            cut: None,
            request: vec![
                text("/messages/0/content", Role::System, "You are a shop assistant."),
                text("/messages/1/content", Role::User, "Where is my parcel, violet heron?"),
            ],
            response: vec![text("/choices/0/message/content", Role::Assistant, "On its way.")],
            request_chars: 58,
            response_chars: 11,
            tools_offered: Vec::new(),
            tool_calls: Vec::new(),
            finish_reasons: vec!["stop".into()],
            usage: Usage::default(),
            parameters: serde_json::Map::new(),
            logprobs: None,
            provider_request_id: None,
            provider_fingerprint: None,
            response_id: None,
            documents: Vec::new(),
            traceparent: None,
            epoch: 1,
            digests: Digests::default(),
        }
    }

    /// An exchange by `user` in which a jailbreak rule matched, and which passed all the same.
    pub(crate) fn jailbreak(&self, user: &str) -> Interaction {
        let mut interaction = self.exchange(user);
        interaction.signals = vec![signal(&interaction, "test_roleplay", IncidentKind::Jailbreak)];
        interaction
    }

    /// Writes an exchange to the log.
    pub(crate) async fn log(&self, interaction: &Interaction) {
        let bytes = serde_json::to_vec(interaction).unwrap();
        self.writer.append(bytes).unwrap().await.unwrap();
    }

    /// Writes an exchange to the log, and lets control read it.
    pub(crate) async fn see(&self, interaction: &Interaction) {
        self.log(interaction).await;
        self.control.reconcile_ingest().await.unwrap();
    }

    pub(crate) async fn incidents(&self) -> Vec<IncidentRecord> {
        let access = Access::system();
        let page = PageRequest::first(500);
        let found = self.control.incidents(&access, &IncidentFilter::default(), &page).await;
        found.unwrap().items
    }

    pub(crate) async fn measures(&self) -> Vec<Measure> {
        let access = Access::system();
        let page = PageRequest::first(500);
        let found = self.control.measures(&access, &MeasureFilter::default(), &page).await;
        found.unwrap().items
    }

    pub(crate) async fn measure(&self, id: MeasureId) -> Measure {
        self.control.measure(&Access::system(), id).await.unwrap().0
    }

    pub(crate) async fn signal_count(&self) -> usize {
        let access = Access::system();
        let page = PageRequest::first(500);
        let found = self.control.signals(&access, &SignalFilter::default(), &page).await;
        found.unwrap().items.len()
    }

    /// The kinds of every event of an incident, in order.
    pub(crate) async fn story(&self, incident: &IncidentRecord) -> Vec<String> {
        let events = self.control.timeline(&Access::system(), incident.id, 0).await.unwrap();
        assert!(events.iter().all(quell_domain::event::TimelineEvent::is_intact));
        events.into_iter().map(|event| event.kind).collect()
    }

    /// A gateway takes the newest snapshot and says so.
    pub(crate) async fn acknowledge(&self, gateway: &str) {
        self.control.report(self.report(gateway, Vec::new())).await.unwrap();
    }

    /// A gateway says what its probe of a measure met.
    pub(crate) async fn probe(&self, gateway: &str, measure: MeasureId, met: bool) {
        let epoch = self.control.snapshot().unwrap().epoch;
        let detail = if met { "all probes met it" } else { "a stream passed" };
        let probe =
            ProbeResult { measure, epoch, met, detail: detail.into(), at: self.clock.now() };
        self.control.report(self.report(gateway, vec![probe])).await.unwrap();
    }

    pub(crate) fn report(&self, gateway: &str, probes: Vec<ProbeResult>) -> GatewayReport {
        let snapshot = self.control.snapshot().unwrap();
        GatewayReport {
            gateway: gateway.into(),
            epoch: snapshot.epoch,
            hash: snapshot.hash.clone(),
            probes,
            refused: None,
            in_flight: 0,
            recorded: 0,
            open_breakers: Vec::new(),
            model: None,
            shadow: None,
            spend: None,
        }
    }
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}?mode=rwc", folder.join("quell.db").display())
}

async fn start(folder: &Path, clock: &Arc<ManualClock>, ids: &Arc<SeededIds>) -> Control {
    let (clock, ids) = (Arc::clone(clock), Arc::clone(ids));
    let options = ControlOptions::new(&url(folder), folder.to_owned(), clock, ids);
    Control::start(ControlOptions { background: false, ..options }).await.unwrap()
}

pub(crate) fn principal(user: &str) -> Principal {
    let graded = |value: String, grade| Some(Graded { value, grade });
    Principal {
        user: graded(user.into(), TrustGrade::Authenticated),
        session: graded(format!("{user}-session"), TrustGrade::Asserted),
        address: Some("203.0.113.9".into()),
        key: None,
    }
}

pub(crate) fn signal(interaction: &Interaction, rule: &str, kind: IncidentKind) -> Signal {
    Signal {
        id: format!("{rule}-{}", interaction.id),
        rule: rule.into(),
        title: format!("Test rule {rule}"),
        kind,
        severity: Severity::High,
        effect: RuleEffect::Signal,
        mode: RuleMode::Enforce,
        direction: Direction::Input,
        facts: vec!["test.fact".into()],
        spans: Vec::new(),
        taxonomy: Vec::new(),
        suppressed_by: None,
    }
}
