//! Plays traffic through the product's own inspection, correlation and grouping, with the time of
//! the traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use quell_detection::{Budget, Context, Correlator, Decision, PatternSet, RuleSet};
use quell_domain::interaction::{
    Digests, Endpoint, INTERACTION_SCHEMA, Interaction, Outcome, Role, TextField, Timing, Usage,
};
use quell_domain::rule::RuleMode;
use quell_domain::{
    AffectedPrincipals, Graded, IncidentRecord, IncidentState, Principal, Severity, Signal,
    TrustGrade,
};
use quell_triage::{Candidate, Group, classify, group_key, joins, opens};

use super::make::{Scenario, Session, Step, Traffic};

/// Earlier turns a request carries.
const HISTORY: usize = 8;
/// Work of one inspection, bytes × passes.
const WORK: u64 = 64 << 20;
/// The traffic's first second.
const BEGIN: i64 = 1_800_000_000;

/// What happened to one session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate {
    /// Malicious turns before the first alarm; all of them without one.
    pub before: usize,
    /// A live rule raised a signal.
    pub alarmed: bool,
    /// Live signals.
    pub signals: usize,
    /// A rule in shadow mode would have acted.
    pub shadowed: bool,
    /// A request was refused or its answer redacted.
    pub stopped: bool,
    /// Microseconds from the first malicious request to the first alarm after it.
    pub waited: Option<i64>,
    first: Option<i64>,
}

/// An incident that grouping opened.
#[derive(Debug, Clone)]
pub struct Opened {
    record: IncidentRecord,
    rules: BTreeSet<String>,
    /// Exchanges of malicious sessions, and all.
    pub malicious: usize,
    /// Exchanges.
    pub exchanges: usize,
}

impl Opened {
    /// Whether most of its exchanges belong to attacks.
    pub const fn is_true(&self) -> bool {
        2 * self.malicious > self.exchanges
    }

    /// The rules whose findings it holds.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(String::as_str)
    }
}

/// What a run gave.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// By session.
    pub fates: Vec<Fate>,
    /// Incidents, oldest first.
    pub incidents: Vec<Opened>,
    /// By live rule: the sessions it raised a signal in.
    pub rules: BTreeMap<String, BTreeSet<usize>>,
}

/// Plays the traffic.
pub fn play(rules: &Arc<RuleSet>, traffic: &Traffic) -> Played {
    let mut played =
        Played { fates: vec![Fate::default(); traffic.sessions.len()], ..Played::default() };
    let mut correlator = Correlator::new(Arc::clone(rules));
    let mut history: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    for (number, step) in traffic.steps.iter().enumerate() {
        let Some(session) = traffic.sessions.get(step.session) else { continue };
        let earlier = history.entry(step.session).or_default();
        let mut record = exchange(rules, session, step, earlier, number);
        let stopped = matches!(record.outcome, Outcome::Blocked | Outcome::Redacted);
        // A refused question got no answer: clients do not keep it as a turn.
        if !session.service && record.outcome != Outcome::Blocked {
            earlier.push((step.text.clone(), step.answer.clone()));
            if earlier.len() > HISTORY {
                earlier.remove(0);
            }
        }
        let found = correlator.push(&record);
        record.signals.extend(found);
        note(&mut played, &record, step, session, stopped);
    }
    played
}

fn note(played: &mut Played, record: &Interaction, step: &Step, session: &Session, stopped: bool) {
    let heard = |signal: &&Signal| signal.suppressed_by.is_none();
    let live: Vec<Signal> = record
        .signals
        .iter()
        .filter(heard)
        .filter(|signal| signal.mode == RuleMode::Enforce)
        .cloned()
        .collect();
    if let Some(fate) = played.fates.get_mut(step.session) {
        fate.stopped |= stopped;
        fate.shadowed |= record.signals.iter().any(|signal| signal.mode == RuleMode::Shadow);
        fate.signals += live.len();
        fate.alarmed |= !live.is_empty();
        fate.before += usize::from(step.malicious && !fate.alarmed);
        if step.malicious && fate.first.is_none() {
            fate.first = Some(step.at);
        }
        if fate.alarmed && fate.waited.is_none() {
            fate.waited = fate.first.map(|first| step.at - first);
        }
    }
    for signal in &live {
        played.rules.entry(signal.rule.clone()).or_default().insert(step.session);
    }
    if !live.is_empty() {
        group(&mut played.incidents, record, &live, session.scenario != Scenario::Ordinary);
    }
}

/// As control does it: into the newest open incident the findings belong to, or a new one.
fn group(incidents: &mut Vec<Opened>, record: &Interaction, live: &[Signal], malicious: bool) {
    let found = classify(live);
    let candidate = Candidate {
        application: &record.application,
        kind: found.kind,
        rules: live.iter().map(|signal| signal.rule.as_str()).collect(),
        principal: &record.principal,
        at: record.started_at,
    };
    let place = incidents.iter().rposition(|opened| {
        joins(&Group { incident: &opened.record, rules: &opened.rules }, &candidate).is_some()
    });
    if place.is_none() && !opens(live) {
        return;
    }
    let place = place.unwrap_or_else(|| {
        let record = open(&candidate, incidents.len());
        incidents.push(Opened { record, rules: BTreeSet::new(), malicious: 0, exchanges: 0 });
        incidents.len() - 1
    });
    let Some(opened) = incidents.get_mut(place) else { return };
    opened.rules.extend(live.iter().map(|signal| signal.rule.clone()));
    opened.record.affected.add(&record.principal);
    opened.record.last_signal_at = opened.record.last_signal_at.max(Some(record.started_at));
    opened.exchanges += 1;
    opened.malicious += usize::from(malicious);
}

fn open(candidate: &Candidate<'_>, number: usize) -> IncidentRecord {
    IncidentRecord {
        id: id("inc", number),
        number: format!("INC-{number}"),
        application: candidate.application.to_owned(),
        kind: candidate.kind,
        severity: Severity::Low,
        severity_rationale: String::new(),
        state: IncidentState::Triage,
        title: String::new(),
        summary: String::new(),
        reasons: Vec::new(),
        taxonomy: Vec::new(),
        grouping_key: group_key(candidate),
        affected: AffectedPrincipals::default(),
        first_signal_at: Some(candidate.at),
        last_signal_at: Some(candidate.at),
        opened_at: candidate.at,
        declared_at: None,
        contained_at: None,
        closed_at: None,
        closing_reason: None,
        merged_into: None,
        signal_count: 0,
        version: 1,
    }
}

#[expect(clippy::expect_used, reason = "the text is a well-formed id by construction")]
fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str, number: usize) -> T {
    format!("{prefix}_018f000000007000{:016x}", 0x8000_0000_0000_0000 | number as u64)
        .parse()
        .expect("a well-formed id")
}

/// One request through both inspections, as the gateway records it.
fn exchange(
    rules: &RuleSet,
    session: &Session,
    step: &Step,
    earlier: &[(String, String)],
    number: usize,
) -> Interaction {
    let system = "You are the assistant of a shop. Answer politely and to the point.";
    let user = Graded { value: session.user.clone(), grade: TrustGrade::Authenticated };
    let principal = Principal {
        user: Some(user),
        address: Some(session.address.clone()),
        ..Principal::default()
    };
    let mut request = vec![field(0, Role::System, system)];
    for (question, answer) in earlier {
        request.push(field(request.len(), Role::User, question));
        request.push(field(request.len(), Role::Assistant, answer));
    }
    request.push(field(request.len(), Role::User, &step.text));
    if let Some(document) = &step.document {
        request.push(field(request.len(), Role::Tool, document));
    }
    let ctx = Context {
        application: "shop",
        endpoint: Endpoint::ChatCompletions,
        model: Some("model"),
        principal: &principal,
        system_text: system,
        canaries: &[],
        tools_offered: &[],
        review: quell_detection::Review::default(),
        stream: false,
        parameters: &step.parameters,
    };
    let (none, interaction) = (PatternSet::empty(), id("int", number));
    let mut budget = Budget::new(WORK);
    let asked = rules.inspect_request(&ctx, &none, &request, &mut budget, interaction, None);
    let mut outcome = outcome(&asked.decision());
    let (mut signals, mut response) = (asked.signals, Vec::new());
    if outcome != Outcome::Blocked {
        let answer = TextField {
            field: "/choices/0/message/content".into(),
            role: Role::Assistant,
            part: "content".into(),
            text: step.answer.clone(),
        };
        response.push(answer);
        let said =
            rules.inspect_response(&ctx, &none, &response, &mut budget, interaction, &asked.facts);
        outcome = outcome.max(self::outcome(&said.decision()));
        signals.extend(said.signals);
    }
    let input_tokens = request.iter().map(|field| field.text.len() as u64).sum::<u64>() / 4;
    let usage = Usage { input_tokens: Some(input_tokens), output_tokens: Some(step.output_tokens) };
    let at = Timestamp::from_microsecond(BEGIN * 1_000_000 + step.at);
    Interaction {
        schema: INTERACTION_SCHEMA,
        id: interaction,
        gateway: "gateway".into(),
        application: "shop".into(),
        endpoint: Endpoint::ChatCompletions,
        path: "/v1/chat/completions".into(),
        stream: false,
        started_at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        timing: Timing::default(),
        principal,
        model_asked: Some("model".into()),
        model_served: Some("model".into()),
        upstream: None,
        status: 200,
        outcome,
        causes: Vec::new(),
        not_evaluated: Vec::new(),
        signals,
        cut: None,
        request,
        response,
        request_chars: 0,
        response_chars: 0,
        tools_offered: Vec::new(),
        tool_calls: Vec::new(),
        finish_reasons: vec!["stop".into()],
        usage,
        parameters: step.parameters.clone(),
        logprobs: None,
        provider_request_id: None,
        provider_fingerprint: None,
        response_id: None,
        documents: Vec::new(),
        traceparent: None,
        epoch: 0,
        digests: Digests::default(),
    }
}

fn outcome(decision: &Decision) -> Outcome {
    match decision {
        Decision::Continue => Outcome::Allowed,
        Decision::WouldBlock => Outcome::WouldBlock,
        Decision::Redact => Outcome::Redacted,
        Decision::Block(_) => Outcome::Blocked,
    }
}

fn field(index: usize, role: Role, text: &str) -> TextField {
    let (field, text) = (format!("/messages/{index}/content"), text.to_owned());
    TextField { field, role, part: "content".into(), text }
}
