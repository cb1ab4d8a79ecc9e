//! The incident page in its states.

use quell_domain::measure::{Effect, MeasureState, Target};
use quell_domain::{IncidentState, Severity};

use super::context::{
    Affected, EvidenceView, Fact, Holder, IncidentPage, Linked, NextAction, Reason, RoleView,
    levels, path, transitions,
};
use crate::sample;
use crate::views::{ActorView, Choice, Link, TimelineEntry};

/// Active and loud, contained and owned, closed, cheap triage, failed verification for a reader.
pub fn samples() -> Vec<(&'static str, IncidentPage)> {
    let active = active();
    let failed = IncidentPage {
        measures: vec![sample::view(&sample::measure(
            9,
            MeasureState::Failed,
            Effect::Restrict,
            sample::user("u-58213"),
        ))],
        next: Some(NextAction {
            text: "A block is not verified".into(),
            why: "gw-2 still answers u-58213 on streams. Consider degrading the application while you look.".into(),
            label: "Look at the measure".into(),
            href: "#contain".into(),
            fields: None,
        }),
        ..active.clone()
    };
    let closed = IncidentPage {
        state: IncidentState::Closed,
        severity: Severity::Medium,
        path: path(IncidentState::Closed),
        next: None,
        proposals: Vec::new(),
        measures: Vec::new(),
        ended: vec![sample::view(&sample::measure(
            8,
            MeasureState::Lifted,
            Effect::Fallback,
            Target::Application,
        ))],
        ..active.clone()
    };
    let triage = IncidentPage {
        state: IncidentState::Triage,
        severity: Severity::Low,
        title: "System prompt extraction attempts against internal-search-over-policies-and-handbooks-of-every-department".into(),
        path: path(IncidentState::Triage),
        timeline: active.timeline[active.timeline.len() - 2..].to_vec(),
        timeline_more: 0,
        affected: Vec::new(),
        affected_more: 0,
        interactions: Vec::new(),
        proposals: Vec::new(),
        measures: Vec::new(),
        evidence: Vec::new(),
        evidence_summary: "Nothing preserved yet.".into(),
        can_respond: false,
        ..active.clone()
    };
    vec![("active", active), ("failed", failed), ("closed", closed), ("triage-viewer", triage)]
}

fn active() -> IncidentPage {
    let fact = |label, value: &str, detail: &str, tone| Fact {
        label,
        value: value.into(),
        detail: detail.into(),
        tone,
    };
    IncidentPage {
        id: "inc_01990000000070008000000000000042".into(),
        number: sample::NUMBER.into(),
        href: format!("/incidents/{}", sample::NUMBER),
        title: "Jailbreak by several users of shop-assistant".into(),
        kind_title: "Jailbreak".into(),
        severity: Severity::Critical,
        state: IncidentState::Active,
        application: sample::APPLICATION.into(),
        opened: sample::moment(720),
        remark: None,
        path: path(IncidentState::Active),
        facts: vec![
            fact("Contained", "2 of 3 verified", "2 more proposed", ""),
            fact("Users touched", "7", "3 blocked, 4 not", ""),
            fact("Signals", "64", "last 20 s ago", ""),
            fact("Commander", "on-call", "for 9 min", ""),
        ],
        next: Some(NextAction {
            text: "Decide on 2 proposals".into(),
            why: "u-90377 repeats the same jailbreak and is not blocked yet.".into(),
            label: "Review proposals".into(),
            href: "#contain".into(),
            fields: None,
        }),
        timeline: timeline(),
        timeline_more: 12,
        timeline_all: format!("/incidents/{}?timeline=all", sample::NUMBER),
        severity_reason: "Raised to critical: more than 5 users within 10 minutes got an answer the policy forbids (rule severity.spread).".into(),
        why: vec!["3 rules for jailbreaks matched, the strongest with high severity.".into()],
        reasons: reasons(),
        taxonomy: sample::refs(),
        affected: affected(),
        affected_more: 2,
        interactions: linked(),
        interactions_all: Some(Link::new(
            format!("/interactions?incident={}", sample::NUMBER),
            "All 64 interactions",
        )),
        proposals: sample::proposals(),
        measures: sample::in_force(),
        ended: Vec::new(),
        levels: levels("u-90377"),
        roles: roles(),
        transitions: transitions(&["contained", "eradicating", "recovering", "closed"]),
        severities: Severity::ALL
            .map(|s| Choice::new(s.as_str(), crate::render::words(s.as_str())))
            .to_vec(),
        evidence: evidence(),
        evidence_summary: "9 items, 1.2 MB. Hashes checked 8 min ago: all match.".into(),
        can_respond: true,
    }
}

fn timeline() -> Vec<TimelineEntry> {
    let rows: [(i64, &str, &str, &str, ActorView, &str, &str); 9] = [
        (
            20,
            "detections",
            "high",
            "8 more signals grouped in",
            rule("jailbreak.role_play"),
            "u-90377, u-77104",
            "",
        ),
        (
            95,
            "policy",
            "medium",
            "Proposed: Block user u-90377",
            policy(),
            "Needs a person, because the user is only asserted",
            "",
        ),
        (
            180,
            "note",
            "quiet",
            "Note",
            sample::person("on-call"),
            "",
            "Same text pasted in a public forum 20 minutes ago. Expect more users. Degrading tools while we look.",
        ),
        (
            410,
            "verified",
            "ok",
            "Verified: Degrade shop-assistant",
            system(),
            "gw-1 and gw-2: target degraded, control request passed",
            "",
        ),
        (
            412,
            "requested",
            "wait",
            "Requested: Degrade shop-assistant",
            sample::person("on-call"),
            "Level 2, ends in 2 h",
            "",
        ),
        (540, "role", "accent", "Took the role commander", sample::person("on-call"), "", ""),
        (
            600,
            "critical",
            "critical",
            "Severity raised from high to critical",
            rule("severity.spread"),
            "More than 5 users within 10 minutes",
            "",
        ),
        (
            690,
            "evidence",
            "quiet",
            "Evidence preserved",
            system(),
            "9 items: interactions, session histories, configuration, rules",
            "",
        ),
        (
            720,
            "incidents",
            "high",
            "Incident opened",
            rule("jailbreak.role_play"),
            "3 signals from 2 users within 5 min",
            "",
        ),
    ];
    rows.into_iter()
        .enumerate()
        .map(|(index, (ago, icon, tone, what, actor, detail, said))| TimelineEntry {
            sequence: 21 - index as i64,
            at: sample::moment(ago),
            recorded: (index == 2).then(|| sample::moment(ago - 60)),
            icon,
            tone,
            what: what.into(),
            actor,
            detail: (!detail.is_empty()).then(|| detail.into()),
            said: (!said.is_empty()).then(|| said.into()),
            link: None,
            superseded: false,
        })
        .collect()
}

fn rule(name: &str) -> ActorView {
    ActorView { kind: "rule", name: name.into() }
}
fn policy() -> ActorView {
    ActorView { kind: "policy", name: sample::APPLICATION.into() }
}
fn system() -> ActorView {
    ActorView { kind: "system", name: "Quell".into() }
}

fn reasons() -> Vec<Reason> {
    [
        ("Role-play that suspends the rules", "jailbreak.role_play", Severity::High, 41),
        ("Repeated attempts by one user", "jailbreak.repeated", Severity::Medium, 17),
        ("Answer follows a refused instruction", "output.compliance", Severity::Critical, 6),
    ]
    .map(|(title, rule, severity, count)| Reason {
        title: title.into(),
        rule: rule.into(),
        severity,
        count,
        facts: vec!["persona.unrestricted".into(), "instruction.override".into()],
        example: Some(Link::new("/interactions/int_1", "an example")),
    })
    .to_vec()
}

fn affected() -> Vec<Affected> {
    let rows: [(&str, &str, u64, i64, Option<&str>); 5] = [
        ("u-58213", "authenticated", 21, 300, Some("verified")),
        ("u-77104", "authenticated", 14, 20, Some("acknowledged")),
        ("u-90377", "asserted", 9, 20, None),
        ("u-11820", "asserted", 4, 410, None),
        ("a-user-with-a-very-long-identifier@department.example.com", "asserted", 1, 560, None),
    ];
    rows.map(|(user, grade, interactions, last, contained)| Affected {
        user: user.into(),
        target: "user",
        grade: grade.into(),
        interactions,
        last: sample::moment(last),
        contained: contained.map(Into::into),
    })
    .to_vec()
}

fn roles() -> Vec<RoleView> {
    let role = |role: &str, title: &str, about: &str, holders: Vec<Holder>| RoleView {
        role: role.into(),
        title: title.into(),
        about: about.into(),
        mine: !holders.is_empty(),
        first: role == "incident_commander",
        holders,
    };
    let me = Holder { name: "on-call".into(), since: sample::moment(540) };
    vec![
        role(
            "incident_commander",
            "Incident commander",
            "Leads the response as a whole.",
            vec![me],
        ),
        role(
            "security_analyst",
            "Security analyst",
            "Finds out what the attacker did.",
            Vec::new(),
        ),
        role("communications_lead", "Communications lead", "Keeps everybody informed.", Vec::new()),
    ]
}

fn linked() -> Vec<Linked> {
    [
        ("u-90377", 20, "asserted"),
        ("u-77104", 95, "authenticated"),
        ("u-58213", 410, "authenticated"),
    ]
    .map(|(user, ago, grade)| Linked {
        href: "/interactions/int_1".into(),
        started: sample::moment(ago),
        user: user.into(),
        grade: grade.into(),
        why: "Role-play that suspends the rules".into(),
    })
    .to_vec()
}

fn evidence() -> Vec<EvidenceView> {
    [
        ("interactions.jsonl", "812 KB", "9f2c51aa"),
        ("session-s-40be.jsonl", "204 KB", "77d0e3c9"),
        ("configuration-epoch-117.json", "38 KB", "c01b6f52"),
    ]
    .map(|(name, size, digest)| EvidenceView {
        name: name.into(),
        size: size.into(),
        digest: digest.into(),
        sha256: digest.repeat(8),
        collected: sample::moment(690),
    })
    .to_vec()
}
