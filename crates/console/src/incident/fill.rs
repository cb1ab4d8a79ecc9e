//! Fills the incident page from what control knows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quell_control::incidents::{IncidentView, RoleView as RoleHeld};
use quell_domain::measure::Target;
use quell_domain::{IncidentState, Measure, MeasureState, Severity};
use quell_store::{EvidenceItem, IncidentInteraction, PageRequest};

use crate::http::{Failure, Signed};
use crate::incident::context::{
    Affected, EvidenceView, Fact, Holder, IncidentPage, Linked, NextAction, Reason, RoleView,
    levels, path, transitions,
};
use crate::incident::handler::next_step;
use crate::incidents::handler::COMMANDER;
use crate::measures::{cards, link, numbers};
use crate::moment::{Moment, span};
use crate::render::words;
use crate::timeline;
use crate::views::{Choice, Link, MeasureView, TimelineEntry};

/// Timeline entries before "Show all".
const ENTRIES: usize = 20;
/// Affected users listed.
const USERS: usize = 6;
/// Interactions listed.
const EXCHANGES: usize = 6;
/// Interactions counted per user.
const COUNTED_MAX: u32 = 500;
/// Evidence items listed.
const ITEMS: usize = 6;

pub(crate) async fn page(by: &Signed, name: &str, all: bool) -> Result<IncidentPage, Failure> {
    let (control, now) = (&by.console.control, by.console.control.now());
    let view = control.incident(&by.access, name).await?;
    let id = view.incident.id;
    let roles = control.incident_roles(&by.access, id).await?;
    let events = control.timeline(&by.access, id, 0).await?;
    let linked = PageRequest::first(COUNTED_MAX);
    let linked = control.incident_interactions(&by.access, id, &linked).await?.items;
    let items = control.evidence(&by.access, Some(id), &PageRequest::first(COUNTED_MAX)).await?;
    let current = |m: &&Measure| m.state.in_force() || m.state == MeasureState::Lifting;
    let waits = |m: &&Measure| matches!(m.state, MeasureState::Proposed | MeasureState::Approved);
    let pick = |wanted: &dyn Fn(&&Measure) -> bool| -> Vec<Measure> {
        view.measures.iter().filter(wanted).cloned().collect()
    };
    let proposals = cards(by, &pick(&waits), true).await?;
    let measures = cards(by, &pick(&current), true).await?;
    let ended = cards(by, &pick(&|m| !current(m) && !waits(m)), true).await?;
    let mut timeline = timeline::entries(&events, now);
    let timeline_more = if all { 0 } else { timeline.len().saturating_sub(ENTRIES) };
    timeline.truncate(timeline.len() - timeline_more);
    let remark = match view.incident.merged_into {
        Some(into) => Some(link(into, &numbers(by).await?)),
        None => None,
    };
    let affected = affected(&view, &linked, now);
    let page = Parts { view, roles, timeline, timeline_more, linked, items: items.items };
    Ok(assemble(by, now, page, [proposals, measures, ended], affected, remark))
}

struct Parts {
    view: IncidentView,
    roles: Vec<RoleHeld>,
    timeline: Vec<TimelineEntry>,
    timeline_more: usize,
    linked: Vec<IncidentInteraction>,
    items: Vec<EvidenceItem>,
}

fn assemble(
    by: &Signed,
    now: Timestamp,
    parts: Parts,
    [proposals, measures, ended]: [Vec<MeasureView>; 3],
    mut affected: Vec<Affected>,
    remark: Option<Link>,
) -> IncidentPage {
    let Parts { view, roles, timeline, timeline_more, linked, items } = parts;
    let incident = &view.incident;
    let href = format!("/incidents/{}", incident.number);
    let free = affected.iter().find(|user| user.contained.is_none()).map(|user| user.user.clone());
    let roles = roles.into_iter().map(|role| role_view(by, role, now)).collect::<Vec<_>>();
    let facts = facts(&view, &affected, &measures, &proposals, &roles, now);
    let affected_more = affected.len().saturating_sub(USERS) as u64;
    affected.truncate(USERS);
    IncidentPage {
        id: incident.id.to_string(),
        number: incident.number.clone(),
        title: incident.title.clone(),
        kind_title: incident.kind.title().into(),
        severity: incident.severity,
        state: incident.state,
        application: incident.application.clone(),
        opened: Moment::new(incident.opened_at, now),
        remark,
        path: path(incident.state),
        facts,
        next: next(incident.state, &proposals, &measures),
        timeline,
        timeline_more: timeline_more as u64,
        timeline_all: format!("{href}?timeline=all#timeline"),
        severity_reason: incident.severity_rationale.clone(),
        why: incident.reasons.clone(),
        reasons: reasons(&view),
        taxonomy: incident.taxonomy.clone(),
        affected_more,
        affected,
        interactions: linked.iter().rev().take(EXCHANGES).map(|l| linked_view(l, now)).collect(),
        interactions_all: (view.interactions > EXCHANGES as i64).then(|| {
            let all = format!("/interactions?incident={}", incident.number);
            Link::new(all, format!("All {}", view.interactions))
        }),
        levels: levels(free.as_deref().unwrap_or_default()),
        transitions: transitions(&view.possible),
        severities: Severity::ALL.map(|s| Choice::new(s.as_str(), words(s.as_str()))).to_vec(),
        evidence_summary: evidence_summary(&items),
        evidence: items.iter().take(ITEMS).map(|item| evidence_view(item, now)).collect(),
        can_respond: by.viewer.can_respond,
        proposals,
        measures,
        ended,
        roles,
        href,
    }
}

fn facts(
    view: &IncidentView,
    affected: &[Affected],
    measures: &[MeasureView],
    proposals: &[MeasureView],
    roles: &[RoleView],
    now: Timestamp,
) -> Vec<Fact> {
    let incident = &view.incident;
    let verified = measures.iter().filter(|m| m.state == MeasureState::Verified).count();
    let failed = measures.iter().any(|m| m.state == MeasureState::Failed);
    let contained = match measures.len() {
        0 => "Nothing".into(),
        all => format!("{verified} of {all} verified"),
    };
    let waiting = match proposals.len() {
        0 => "nothing proposed".into(),
        some => format!("{some} proposed"),
    };
    let tone = match (failed, measures.len()) {
        (true, _) => "bad",
        (false, 0) => "",
        (false, all) if all == verified => "ok",
        (false, _) => "",
    };
    let users = affected.len();
    let held = affected.iter().filter(|user| user.contained.is_some()).count();
    let commander = roles.iter().find(|role| role.role == COMMANDER).map(|role| &role.holders);
    let commander = commander.and_then(|holders| holders.first());
    let cut = if incident.affected.cut { "at least " } else { "" };
    vec![
        Fact { label: "Contained", value: contained, detail: waiting, tone },
        Fact {
            label: "Users touched",
            value: format!("{cut}{users}"),
            detail: format!("{held} under a measure"),
            tone: "",
        },
        Fact {
            label: "Signals",
            value: incident.signal_count.to_string(),
            detail: incident
                .last_signal_at
                .map(|at| format!("last {}", Moment::new(at, now).ago))
                .unwrap_or_default(),
            tone: "",
        },
        Fact {
            label: "Commander",
            value: commander.map_or_else(|| "Nobody".into(), |holder| holder.name.clone()),
            detail: commander.map_or_else(
                || format!("open for {}", elapsed(incident.opened_at, now)),
                |holder| format!("took it {}", holder.since.ago),
            ),
            tone: "",
        },
    ]
}

fn elapsed(from: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(from).as_secs().unsigned_abs())
}

/// The one sensible next action: what is broken, then what waits, then what the state calls for.
fn next(
    state: IncidentState,
    proposals: &[MeasureView],
    measures: &[MeasureView],
) -> Option<NextAction> {
    let action = |text: String, why: String, label: &str, href: &str| NextAction {
        text,
        why,
        label: label.into(),
        href: href.into(),
        fields: None,
    };
    if let Some(failed) = measures.iter().find(|m| m.state == MeasureState::Failed) {
        let why = failed.detail.clone().unwrap_or_default();
        let text = format!("Not verified: {}", failed.title);
        return Some(action(text, why, "Look at the measure", &format!("#{}", failed.id)));
    }
    if let Some(first) = proposals.first() {
        let text = match proposals.len() {
            1 => format!("Decide: {}", first.title),
            more => format!("Decide on {more} proposals"),
        };
        return Some(action(text, first.reason.clone(), "Review", "#contain"));
    }
    let waits = measures
        .iter()
        .any(|m| matches!(m.state, MeasureState::Requested | MeasureState::Acknowledged));
    if waits && matches!(state, IncidentState::Triage | IncidentState::Active) {
        let why = "Gateways take the measure and probe it; this takes seconds.".into();
        return Some(action("Wait for verification".into(), why, "Watch", "#contain"));
    }
    let (href, text, why) = next_step(state)?;
    let label = match href {
        "#levels" => "Choose a level",
        "#contain" => "Review measures",
        _ => "Change state",
    };
    Some(action(text.into(), why.into(), label, href))
}

fn reasons(view: &IncidentView) -> Vec<Reason> {
    let mut by_rule: BTreeMap<&str, Reason> = BTreeMap::new();
    for record in &view.signals {
        let signal = &record.signal;
        let reason = by_rule.entry(&signal.rule).or_insert_with(|| Reason {
            title: signal.title.clone(),
            rule: signal.rule.clone(),
            severity: signal.severity,
            count: 0,
            facts: signal.facts.clone(),
            example: None,
        });
        reason.count += 1;
        if reason.example.is_none() {
            reason.example =
                Some(Link::new(crate::signal::handler::href(&signal.id), "an example"));
        }
    }
    let mut reasons: Vec<Reason> = by_rule.into_values().collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse((reason.severity, reason.count)));
    reasons
}

/// Users first; where none is named, sessions, then keys, then addresses.
fn affected(view: &IncidentView, linked: &[IncidentInteraction], now: Timestamp) -> Vec<Affected> {
    let who = &view.incident.affected;
    let (target, names) = if !who.users.is_empty() {
        ("user", &who.users)
    } else if !who.sessions.is_empty() {
        ("session", &who.sessions)
    } else if !who.keys.is_empty() {
        ("api_key", &who.keys)
    } else {
        ("address", &who.addresses)
    };
    let mut found: Vec<Affected> = names
        .iter()
        .map(|name| {
            let theirs: Vec<_> = linked
                .iter()
                .filter(|l| name_of(l, target).is_some_and(|n| n.0 == *name))
                .collect();
            let last = theirs.last();
            Affected {
                user: name.clone(),
                target,
                grade: last
                    .and_then(|l| name_of(l, target))
                    .map_or_else(|| "unknown".into(), |(_, grade)| grade),
                interactions: theirs.len() as u64,
                last: Moment::new(last.map_or(view.incident.opened_at, |l| l.at), now),
                contained: contained(&view.measures, target, name),
            }
        })
        .collect();
    found.sort_by_key(|user| std::cmp::Reverse(user.interactions));
    found
}

fn name_of(linked: &IncidentInteraction, target: &str) -> Option<(String, String)> {
    let principal = &linked.principal;
    match target {
        "user" => principal.user.as_ref().map(|u| (u.value.clone(), u.grade.to_string())),
        "session" => principal.session.as_ref().map(|s| (s.value.clone(), s.grade.to_string())),
        "api_key" => principal.key.map(|key| (key.to_string(), "authenticated".into())),
        _ => principal.address.clone().map(|address| (address, "observed".into())),
    }
}

fn contained(measures: &[Measure], target: &str, name: &str) -> Option<String> {
    let hits = |measure: &&Measure| {
        let named = match &measure.target {
            Target::User { user } => target == "user" && user == name,
            Target::Session { session } => target == "session" && session == name,
            Target::ApiKey { key } => target == "api_key" && key == name,
            Target::Address { address } => target == "address" && address == name,
            _ => false,
        };
        named && measure.state.in_force()
    };
    measures.iter().find(hits).map(|measure| measure.state.to_string())
}

fn linked_view(linked: &IncidentInteraction, now: Timestamp) -> Linked {
    let (user, grade) = ["user", "session", "api_key", "address"]
        .into_iter()
        .find_map(|target| name_of(linked, target))
        .unwrap_or_else(|| ("somebody".into(), "unknown".into()));
    Linked {
        href: format!("/interactions/{}", linked.interaction),
        started: Moment::new(linked.at, now),
        user,
        grade,
        why: linked.why.clone(),
    }
}

fn role_view(by: &Signed, held: RoleHeld, now: Timestamp) -> RoleView {
    let holders: Vec<Holder> = held
        .assignments
        .into_iter()
        .filter(|assignment| assignment.renounced_at.is_none())
        .map(|assignment| Holder {
            since: Moment::new(assignment.assumed_at, now),
            name: assignment.person,
        })
        .collect();
    RoleView {
        mine: holders.iter().any(|holder| holder.name == by.viewer.name),
        first: held.role.id == COMMANDER,
        role: held.role.id,
        title: held.role.title,
        about: held.role.purpose,
        holders,
    }
}

fn evidence_view(item: &EvidenceItem, now: Timestamp) -> EvidenceView {
    EvidenceView {
        name: item.name.clone(),
        size: bytes(item.size),
        digest: item.sha256.chars().take(12).collect(),
        sha256: item.sha256.clone(),
        collected: Moment::new(item.collected_at, now),
    }
}

fn evidence_summary(items: &[EvidenceItem]) -> String {
    match items.len() {
        0 => "Nothing preserved yet.".into(),
        count => {
            let size: u64 = items.iter().map(|item| item.size).sum();
            let more = if count > ITEMS {
                format!("; the first {ITEMS} are listed")
            } else {
                String::new()
            };
            format!("{count} items, {}{more}.", bytes(size))
        }
    }
}

/// `812 B`, `38 KB`, `1.2 MB`.
fn bytes(size: u64) -> String {
    match size {
        0..=999 => format!("{size} B"),
        1_000..=999_999 => format!("{} KB", size / 1_000),
        _ => format!("{}.{} MB", size / 1_000_000, size % 1_000_000 / 100_000),
    }
}
