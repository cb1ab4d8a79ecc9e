//! Correlations: rules counted over time, over the recorded exchanges of one application.
//!
//! Time is the record's own. State is limited per correlation, and identities anybody can invent
//! have their own limit, so a flood of made-up users evicts neither another correlation's state
//! nor that of authenticated users. A signal's id depends on rule, group and window only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use quell_behaviour::{Behaviour, Saved};
use quell_domain::canonical::sha256_hex;
use quell_domain::interaction::{Interaction, Role, ToolCall};
use quell_domain::principal::{Principal, TrustGrade};
use quell_domain::rule::{Direction, RuleEffect};
use quell_domain::signal::Signal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::behave::Seen;
use crate::event::{operation, put_principal};
use crate::rules::{Aggregate, Correlation, Matched, RuleInfo, RuleSet, Total};

/// Groups kept per correlation and trust.
const MAX_GROUPS: usize = 10_000;
/// Matches kept per group.
const MAX_MATCHES: usize = 4_096;
/// Matches before a mean or a percentile says anything.
const MIN_SAMPLES: usize = 5;

/// Counts what rules found, for one application.
#[derive(Debug)]
pub struct Correlator {
    rules: Arc<RuleSet>,
    /// By correlation, then by whether the group can be trusted.
    groups: Vec<[Groups; 2]>,
    max_groups: usize,
    /// What shows only over several exchanges and is no counting of rules.
    behaviour: Behaviour,
}

type Groups = BTreeMap<Vec<String>, Group>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Group {
    newest: i64,
    matches: VecDeque<Match>,
}

/// One match of a counted rule: when, in which exchange, which of the rules, with which value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Match(i64, String, usize, u64);

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the correlation snapshot cannot be read; counting begins anew")]
pub struct SnapshotUnreadable(#[from] serde_json::Error);

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: u16,
    correlations: BTreeMap<String, [Vec<SavedGroup>; 2]>,
}

type SavedGroup = (Vec<String>, Group);

impl Correlator {
    /// A correlator that has seen nothing.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let groups = rules.correlations.iter().map(|_| Default::default()).collect();
        Self { rules, groups, max_groups: MAX_GROUPS, behaviour: Behaviour::default() }
    }

    /// A correlator that continues where `snapshot` was taken. What it says about correlations
    /// that no longer exist is dropped.
    pub fn restore(rules: Arc<RuleSet>, snapshot: &[u8]) -> Result<Self, SnapshotUnreadable> {
        let mut snapshot: Snapshot = serde_json::from_slice(snapshot)?;
        let mut restored = Self::new(rules);
        for (correlation, groups) in restored.rules.correlations.iter().zip(&mut restored.groups) {
            let name = &restored.rules.infos[correlation.rule].id;
            if let Some(saved) = snapshot.correlations.remove(name) {
                *groups = saved.map(|groups| groups.into_iter().collect());
            }
        }
        Ok(restored)
    }

    /// Keeps at most so many groups per correlation and trust.
    pub fn with_max_groups(mut self, max_groups: usize) -> Self {
        self.max_groups = max_groups.max(1);
        self
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> Vec<u8> {
        let correlations = self
            .rules
            .correlations
            .iter()
            .zip(&self.groups)
            .map(|(correlation, groups)| {
                let name = self.rules.infos[correlation.rule].id.clone();
                (name, groups.each_ref().map(|groups| groups.clone().into_iter().collect()))
            })
            .collect();
        serde_json::to_vec(&Snapshot { version: 1, correlations }).unwrap_or_default()
    }

    /// Continues with the watchers of behaviour of `other`.
    pub fn with_behaviour_of(mut self, other: Self) -> Self {
        self.behaviour = other.behaviour;
        self
    }

    /// Continues with watchers whose state was kept; how many pieces could not be read.
    pub fn restore_behaviour(&mut self, kept: &[Saved]) -> usize {
        let (behaviour, unreadable) = Behaviour::restore(kept);
        self.behaviour = behaviour;
        unreadable
    }

    /// State of the watchers of behaviour that changed since the last call, to be kept.
    pub fn take_behaviour(&mut self) -> Vec<Saved> {
        self.behaviour.take_changed()
    }

    /// Groups held now, over all correlations.
    pub fn group_count(&self) -> usize {
        self.groups.iter().flatten().map(BTreeMap::len).sum()
    }

    /// Takes one recorded exchange: the signals of rules that run after the exchange, then those of
    /// correlations that it completes.
    pub fn push(&mut self, interaction: &Interaction) -> Vec<Signal> {
        let rules = Arc::clone(&self.rules);
        let behaved = self.watch(interaction);
        let mut event = event_of(interaction);
        for field in ["quell.fact", "quell.exchange.fact"] {
            if let Some(Value::Array(known)) = event.get_mut(field) {
                known.extend(behaved.iter().map(|fact| json!(fact)));
            }
        }
        let counts = interaction.signals.iter().filter(|signal| signal.suppressed_by.is_none());
        let mut fired: BTreeSet<&str> = counts.map(|signal| signal.rule.as_str()).collect();
        let mut signals = Vec::new();
        let facts = interaction.signals.iter().flat_map(|signal| &signal.facts);
        let judged = Value::Object(event);
        let facts = facts.map(String::as_str).chain(behaved.iter().copied());
        let late = rules.evaluate_late(facts, &judged, interaction.started_at);
        for Matched { rule, suppressed_by } in late {
            let info = &rules.infos[rule];
            if suppressed_by.is_none() {
                fired.insert(&info.id);
            }
            if !info.counted_only {
                let mut signal = late_signal(info, interaction);
                let stated = behaved.iter().filter(|fact| info.rests_on(fact));
                signal.facts.extend(stated.map(|fact| (*fact).to_owned()));
                signal.suppress(suppressed_by);
                signals.push(signal);
            }
        }
        let Value::Object(mut event) = judged else {
            return signals;
        };
        for (correlation, groups) in rules.correlations.iter().zip(&mut self.groups) {
            let info = &rules.infos[correlation.rule];
            let mut completed = false;
            for (position, rule) in correlation.rules.iter().enumerate() {
                if fired.contains(rule.as_str()) {
                    event.insert("quell.rule".into(), json!(rule));
                    let found = count(correlation, info, groups, position, &event, interaction);
                    completed |= found.is_some();
                    signals.extend(found);
                    for groups in groups.iter_mut().filter(|g| g.len() > self.max_groups) {
                        evict(groups);
                    }
                }
            }
            if completed {
                fired.insert(&info.id);
            }
        }
        signals
    }
}

impl Correlator {
    /// Hands the exchange to the watchers of behaviour; the facts it completes.
    fn watch(&mut self, interaction: &Interaction) -> Vec<&'static str> {
        let name = principal_name(&interaction.principal).unwrap_or_default();
        let trusted = is_trusted(&["quell.principal".to_owned()], &interaction.principal);
        let seen = Seen::of(interaction);
        self.behaviour.push(&seen.observation(interaction, &name, trusted))
    }
}

/// Counts one match; the signal if that completes the correlation.
fn count(
    correlation: &Correlation,
    info: &RuleInfo,
    groups: &mut [Groups; 2],
    position: usize,
    event: &Map<String, Value>,
    interaction: &Interaction,
) -> Option<Signal> {
    let key: Vec<String> = correlation
        .group_by
        .iter()
        .map(|field| event.get(field).and_then(as_text))
        .collect::<Option<_>>()?;
    let value = match &correlation.aggregate {
        Aggregate::Distinct(field) => hash(&event.get(field).and_then(as_text)?),
        Aggregate::Sum(field) | Aggregate::Mean(field) | Aggregate::Percentile(field, _) => {
            event.get(field).and_then(Value::as_u64)?
        }
        _ => 0,
    };
    // An exchange counts once, however many of the rules it matched.
    let counts_rules = matches!(correlation.aggregate, Aggregate::Temporal | Aggregate::Ordered);
    let position = if counts_rules { position } else { 0 };
    let trusted = usize::from(is_trusted(&correlation.group_by, &interaction.principal));
    let groups = &mut groups[trusted];
    let at = interaction.started_at.as_microsecond();
    let new = Match(at, interaction.id.to_string(), position, value);
    let group = groups.entry(key.clone()).or_default();
    group.add(new, correlation.span_us);
    let mut signal = None;
    if let Some(total) = group.total(correlation)
        && correlation.thresholds.iter().all(|threshold| threshold.met(total))
    {
        let start = group.matches.front().map_or(at, |first| first.0);
        group.matches.clear();
        signal = Some(correlation_signal(correlation, info, &key, start, total.floor()));
    }
    signal
}

impl Group {
    fn add(&mut self, new: Match, span_us: i64) {
        self.newest = self.newest.max(new.0);
        let oldest = self.newest.saturating_sub(span_us);
        while self.matches.front().is_some_and(|first| first.0 < oldest) {
            self.matches.pop_front();
        }
        let known = self.matches.iter().any(|known| known.1 == new.1 && known.2 == new.2);
        if new.0 < oldest || known {
            return;
        }
        let place = self.matches.partition_point(|known| *known < new);
        self.matches.insert(place, new);
        if self.matches.len() > MAX_MATCHES {
            self.matches.pop_front();
        }
    }

    fn total(&self, correlation: &Correlation) -> Option<Total> {
        let distinct = |of: fn(&Match) -> u64| {
            self.matches.iter().map(of).collect::<BTreeSet<_>>().len() as u64
        };
        let sum = || self.matches.iter().map(|found| u128::from(found.3)).sum();
        let count = self.matches.len();
        Some(match &correlation.aggregate {
            Aggregate::Events => Total::whole(count as u64),
            Aggregate::Distinct(_) => Total::whole(distinct(|found| found.3)),
            Aggregate::Sum(_) => Total { sum: sum(), of: 1 },
            Aggregate::Mean(_) if count >= MIN_SAMPLES => Total { sum: sum(), of: count as u128 },
            Aggregate::Percentile(_, rank) if count >= MIN_SAMPLES => {
                let mut values: Vec<u64> = self.matches.iter().map(|found| found.3).collect();
                let place = (*rank as usize * count).div_ceil(100).max(1) - 1;
                Total::whole(*values.select_nth_unstable(place).1)
            }
            Aggregate::Mean(_) | Aggregate::Percentile(..) => return None,
            Aggregate::Temporal => Total::whole(distinct(|found| found.2 as u64)),
            Aggregate::Ordered => Total::whole(
                self.matches
                    .iter()
                    .fold(0, |reached, found| reached + u64::from(found.2 as u64 == reached)),
            ),
        })
    }
}

/// Drops the tenth of the groups that has been quiet longest.
fn evict(groups: &mut Groups) {
    let mut ages: Vec<(i64, Vec<String>)> =
        groups.iter().map(|(key, group)| (group.newest, key.clone())).collect();
    ages.sort();
    let tenth = ages.len().div_ceil(10);
    for (_, key) in ages.into_iter().take(tenth) {
        groups.remove(&key);
    }
}

/// Whether nobody can make up the group the exchange falls into.
fn is_trusted(group_by: &[String], principal: &Principal) -> bool {
    let authenticated = |claim: &Option<quell_domain::Graded>| {
        claim.as_ref().is_some_and(|claim| claim.grade == TrustGrade::Authenticated)
    };
    group_by.iter().all(|field| match field.as_str() {
        "quell.user" => authenticated(&principal.user),
        "gen_ai.conversation.id" => authenticated(&principal.session),
        "quell.principal" => authenticated(&principal.user) || principal.key.is_some(),
        _ => true,
    })
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The event that rules over recorded exchanges and group fields look at.
fn event_of(interaction: &Interaction) -> Map<String, Value> {
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            event.insert(name.to_owned(), value);
        }
    };
    let texts = |fields: &[quell_domain::interaction::TextField]| -> Value {
        let judged = fields.iter().filter(|field| field.role != Role::System);
        judged.map(|field| field.text.as_str()).collect()
    };
    let facts: BTreeSet<&str> =
        interaction.signals.iter().flat_map(|signal| &signal.facts).map(String::as_str).collect();
    let tools: Vec<&str> = interaction.tool_calls.iter().map(|call| call.name.as_str()).collect();
    put("quell.application", json!(interaction.application));
    put("quell.endpoint", json!(interaction.endpoint.as_str()));
    put("quell.stream", json!(interaction.stream));
    put("quell.outcome", json!(interaction.outcome.as_str()));
    put("quell.fact", json!(facts));
    put("quell.exchange.fact", json!(facts));
    put("quell.signal", interaction.signals.iter().map(|signal| signal.rule.as_str()).collect());
    put("quell.tool.offered", json!(interaction.tools_offered));
    put("gen_ai.tool.name", json!(tools));
    put("quell.tool.signature", json!(signature(&interaction.tool_calls)));
    put("quell.tool.repeats", json!(repeats(&interaction.tool_calls)));
    put("gen_ai.operation.name", json!(operation(interaction.endpoint)));
    put("gen_ai.request.model", json!(interaction.model_asked));
    put("gen_ai.response.model", json!(interaction.model_served));
    put("gen_ai.response.finish_reasons", json!(interaction.finish_reasons));
    put("gen_ai.usage.input_tokens", json!(interaction.usage.input_tokens));
    put("gen_ai.usage.output_tokens", json!(interaction.usage.output_tokens));
    put("gen_ai.input.messages", texts(&interaction.request));
    put("gen_ai.output.messages", texts(&interaction.response));
    put("quell.principal", json!(principal_name(&interaction.principal)));
    put_principal(&mut event, &interaction.principal);
    event
}

/// What was called with which arguments: the same calls, the same text.
fn signature(calls: &[ToolCall]) -> Option<String> {
    let all: Vec<_> = calls.iter().map(|call| (&call.name, &call.arguments)).collect();
    let text = (!all.is_empty()).then(|| serde_json::to_vec(&all).unwrap_or_default())?;
    Some(sha256_hex(&text))
}

/// How often the call that was made most often was made.
fn repeats(calls: &[ToolCall]) -> Option<usize> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for call in calls {
        *counts.entry((call.name.as_str(), call.arguments.as_str())).or_default() += 1;
    }
    counts.into_values().max()
}

/// The most specific thing known about who it was.
pub(crate) fn principal_name(principal: &Principal) -> Option<String> {
    let user = principal.user.as_ref().map(|user| format!("user:{}", user.value));
    user.or_else(|| principal.session.as_ref().map(|session| format!("session:{}", session.value)))
        .or_else(|| principal.key.as_ref().map(|key| format!("key:{key}")))
        .or_else(|| principal.address.as_ref().map(|address| format!("address:{address}")))
}

fn late_signal(info: &RuleInfo, interaction: &Interaction) -> Signal {
    signal(info, &format!("{}|{}|after", info.id, interaction.id), Vec::new(), info.direction)
}

fn correlation_signal(
    correlation: &Correlation,
    info: &RuleInfo,
    key: &[String],
    start: i64,
    total: u128,
) -> Signal {
    let groups = correlation.group_by.iter().zip(key);
    let mut facts: Vec<String> =
        groups.map(|(field, value)| format!("group:{field}={value}")).collect();
    facts.push(format!("total:{total}"));
    let key = serde_json::to_string(key).unwrap_or_default();
    signal(info, &format!("{}|{key}|{start}", info.id), facts, info.direction)
}

pub(crate) fn signal(
    info: &RuleInfo,
    key: &str,
    facts: Vec<String>,
    direction: Direction,
) -> Signal {
    Signal {
        id: format!("sig_{}", &sha256_hex(key.as_bytes())[..32]),
        rule: info.id.clone(),
        title: info.title.clone(),
        kind: info.kind,
        severity: info.severity,
        effect: RuleEffect::Signal,
        mode: info.mode,
        direction,
        facts,
        spans: Vec::new(),
        taxonomy: info.taxonomy.clone(),
        suppressed_by: None,
    }
}
