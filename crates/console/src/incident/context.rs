//! One incident: what happened, what is contained, what to do next.

use quell_domain::taxonomy::TaxonomyRef;
use quell_domain::{IncidentState, Severity};
use serde::Serialize;

use crate::moment::Moment;
use crate::render::Page;
use crate::views::{Choice, Link, MeasureView, TimelineEntry};

pub use crate::incident::samples::samples;

/// The incident page.
#[derive(Debug, Clone, Serialize)]
pub struct IncidentPage {
    /// `inc_…`.
    pub id: String,
    /// `INC-2026-0042`.
    pub number: String,
    /// Its page.
    pub href: String,
    /// What it is about.
    pub title: String,
    /// What sort.
    pub kind_title: String,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: IncidentState,
    /// The application.
    pub application: String,
    /// When it opened.
    pub opened: Moment,
    /// Whether it is being rehearsed, merged, reopened: said beside the title.
    pub remark: Option<Link>,
    /// The lifecycle with the present place.
    pub path: Vec<PathStep>,
    /// Who, how many, contained how far.
    pub facts: Vec<Fact>,
    /// The one sensible next action.
    pub next: Option<NextAction>,
    /// What happened, newest first.
    pub timeline: Vec<TimelineEntry>,
    /// How many older entries are not shown.
    pub timeline_more: u64,
    /// Where all of them are.
    pub timeline_all: String,
    /// Why it has this severity.
    pub severity_reason: String,
    /// Why it has this kind, in sentences.
    pub why: Vec<String>,
    /// Rules that matched.
    pub reasons: Vec<Reason>,
    /// Framework references.
    pub taxonomy: Vec<TaxonomyRef>,
    /// Who was touched.
    pub affected: Vec<Affected>,
    /// How many more there are.
    pub affected_more: u64,
    /// Exchanges concerned.
    pub interactions: Vec<Linked>,
    /// Where the rest of them are.
    pub interactions_all: Option<Link>,
    /// Measures that wait for a person.
    pub proposals: Vec<MeasureView>,
    /// Measures in force or being lifted.
    pub measures: Vec<MeasureView>,
    /// Measures that ended.
    pub ended: Vec<MeasureView>,
    /// The four levels with what each would do.
    pub levels: Vec<LevelForm>,
    /// Roles and who holds them.
    pub roles: Vec<RoleView>,
    /// States a person may move it to.
    pub transitions: Vec<Transition>,
    /// Severities a person may set.
    pub severities: Vec<Choice>,
    /// What was preserved.
    pub evidence: Vec<EvidenceView>,
    /// One line about it.
    pub evidence_summary: String,
    /// Whether the viewer may act.
    pub can_respond: bool,
}

impl Page for IncidentPage {
    const TEMPLATE: &'static str = "incident/page.html";
    const REGIONS: &'static [&'static str] = &[
        "posture",
        "header",
        "timeline",
        "classification",
        "affected",
        "interactions",
        "containment",
        "roles",
        "evidence",
    ];
}

/// One place of the lifecycle.
#[derive(Debug, Clone, Serialize)]
pub struct PathStep {
    /// The state.
    pub state: IncidentState,
    /// `done`, `here`, or empty.
    pub mark: &'static str,
}

/// One figure of the head.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// Its value.
    pub value: String,
    /// One line more.
    pub detail: String,
    /// `bad`, `ok`, or empty.
    pub tone: &'static str,
}

/// The one prominent button.
#[derive(Debug, Clone, Serialize)]
pub struct NextAction {
    /// What to do.
    pub text: String,
    /// Why now.
    pub why: String,
    /// The button's words.
    pub label: String,
    /// Where it goes: an anchor or a page.
    pub href: String,
    /// Fields, if it is a form to post instead.
    pub fields: Option<Vec<Choice>>,
}

/// A rule that matched, and what it rests on.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    /// The rule's title.
    pub title: String,
    /// The rule's id.
    pub rule: String,
    /// How bad, by the rule.
    pub severity: Severity,
    /// How often.
    pub count: u64,
    /// The facts, in words.
    pub facts: Vec<String>,
    /// An exchange that shows it.
    pub example: Option<Link>,
}

/// A user the incident touched.
#[derive(Debug, Clone, Serialize)]
pub struct Affected {
    /// As the gateway knows it.
    pub user: String,
    /// `user`, `session`, `address`, `api_key`.
    pub target: &'static str,
    /// `authenticated`, `asserted`, `observed`.
    pub grade: String,
    /// Exchanges in this incident.
    pub interactions: u64,
    /// The last of them.
    pub last: Moment,
    /// The measure on it, if any.
    pub contained: Option<String>,
}

/// An exchange that belongs to the incident.
#[derive(Debug, Clone, Serialize)]
pub struct Linked {
    /// Its page.
    pub href: String,
    /// When it started.
    pub started: Moment,
    /// Who, as far as known.
    pub user: String,
    /// How far that can be trusted.
    pub grade: String,
    /// Why it belongs here.
    pub why: String,
}

/// One containment level, said before it can be pressed.
#[derive(Debug, Clone, Serialize)]
pub struct LevelForm {
    /// 1–4.
    pub level: u8,
    /// `restrict`, ….
    pub effect: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What happens, to whom, how to undo.
    pub notes: [&'static str; 3],
    /// What it can act on.
    pub targets: Vec<Choice>,
    /// A sensible first value.
    pub value: String,
    /// Durations offered.
    pub durations: Vec<Choice>,
    /// The button's words.
    pub label: &'static str,
}

/// A role in the incident.
#[derive(Debug, Clone, Serialize)]
pub struct RoleView {
    /// Stored name.
    pub role: String,
    /// The name people read.
    pub title: String,
    /// What it is for.
    pub about: String,
    /// Who holds it.
    pub holders: Vec<Holder>,
    /// Whether the viewer does.
    pub mine: bool,
    /// Whether it is always shown, also when nobody holds it.
    pub first: bool,
}

/// Somebody with a role.
#[derive(Debug, Clone, Serialize)]
pub struct Holder {
    /// Account name.
    pub name: String,
    /// Since when.
    pub since: Moment,
}

/// A state a person may move the incident to.
#[derive(Debug, Clone, Serialize)]
pub struct Transition {
    /// The verb of the event.
    pub to: &'static str,
    /// What it leads to.
    pub label: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// One preserved item.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceView {
    /// Its name.
    pub name: String,
    /// Size in words.
    pub size: String,
    /// First digits of its SHA-256.
    pub digest: String,
    /// The whole of it.
    pub sha256: String,
    /// When it was taken.
    pub collected: Moment,
}

/// The form that declares an incident by hand.
#[derive(Debug, Clone, Serialize)]
pub struct Declare {
    /// Applications to choose from.
    pub applications: Vec<Choice>,
    /// Kinds to choose from.
    pub kinds: Vec<Choice>,
    /// Severities to choose from.
    pub severities: Vec<Choice>,
    /// What was wrong with the last attempt.
    pub error: Option<String>,
    /// What was entered.
    pub title: String,
    /// What was entered.
    pub reason: String,
}

impl Page for Declare {
    const TEMPLATE: &'static str = "incident/declare.html";
}

impl Declare {
    /// Empty, and refused.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let choices = crate::incidents::context::Choices::new(&["shop-assistant".into()]);
        let empty = Self {
            applications: choices.applications,
            kinds: choices.kinds,
            severities: choices.severities,
            error: None,
            title: String::new(),
            reason: String::new(),
        };
        let refused = Self {
            error: Some("Say in a few words what happened; the title is empty.".into()),
            reason: "Reported by the support desk".into(),
            ..empty.clone()
        };
        vec![("empty", empty), ("refused", refused)]
    }
}

/// The lifecycle with `state` marked; empty for states outside it.
pub(crate) fn path(state: IncidentState) -> Vec<PathStep> {
    use IncidentState as S;
    let line = [
        S::Triage,
        S::Active,
        S::Contained,
        S::Eradicating,
        S::Recovering,
        S::Monitoring,
        S::Closed,
    ];
    let Some(here) = line.iter().position(|known| *known == state) else { return Vec::new() };
    line.into_iter()
        .enumerate()
        .map(|(index, state)| PathStep {
            state,
            mark: match index.cmp(&here) {
                std::cmp::Ordering::Less => "done",
                std::cmp::Ordering::Equal => "here",
                std::cmp::Ordering::Greater => "",
            },
        })
        .collect()
}

/// The events `verbs` name, as choices. Merging has no form here.
pub(crate) fn transitions(verbs: &[&'static str]) -> Vec<Transition> {
    let known = |verb: &str| -> Option<(&'static str, &'static str)> {
        Some(match verb {
            "declared" => ("Active", "It is an incident; people are on it."),
            "dismissed" => ("False positive", "It was none. Measures stay until lifted."),
            "contained" => ("Contained", "Harm has stopped; the cause is still there."),
            "relapsed" => ("Active again", "Harm goes on after all."),
            "eradicating" => ("Eradicating", "Work on the cause begins."),
            "recovering" => ("Recovering", "Traffic comes back step by step."),
            "monitoring" => ("Monitoring", "Back to normal, watched for recurrence."),
            "closed" => ("Closed", "Done."),
            "reopened" => ("Active again", "It was not over."),
            _ => return None,
        })
    };
    verbs
        .iter()
        .filter_map(|verb| {
            let (label, about) = known(verb)?;
            Some(Transition { to: verb, label, about })
        })
        .collect()
}

/// The four levels as the panel offers them. `suggested` is the principal to start from.
pub(crate) fn levels(suggested: &str) -> Vec<LevelForm> {
    let targets = |names: &[&str]| -> Vec<Choice> {
        names.iter().map(|name| Choice::new(*name, crate::render::words(name))).collect()
    };
    let durations = || {
        [
            ("60", "1 hour"),
            ("240", "4 hours"),
            ("1440", "1 day"),
            ("10080", "7 days"),
            ("0", "Until lifted"),
        ]
        .map(|(minutes, label)| Choice::new(minutes, label))
        .to_vec()
    };
    vec![
        LevelForm {
            level: 1,
            effect: "restrict",
            summary: "Block one user, session, key, tool or text",
            notes: [
                "Their requests are refused with a reference, and their running streams are cut.",
                "Everybody else goes on unchanged.",
                "Lift it any time; it takes seconds.",
            ],
            targets: targets(&[
                "user", "session", "address", "api_key", "tool", "model", "upstream", "pattern",
            ]),
            value: suggested.into(),
            durations: durations(),
            label: "Review block…",
        },
        LevelForm {
            level: 2,
            effect: "degrade",
            summary: "Keep answering, with less",
            notes: [
                "Tools are removed, answers cut to 200 tokens, context shortened, strict instructions put in front.",
                "Users still get answers. Tasks that need tools will fail.",
                "Lift it any time; it takes seconds.",
            ],
            targets: targets(&["application", "user", "session", "address", "api_key", "model"]),
            value: String::new(),
            durations: durations(),
            label: "Review degrade…",
        },
        LevelForm {
            level: 3,
            effect: "fallback",
            summary: "Prepared answers instead of the model",
            notes: [
                "The model is not asked. Everybody concerned gets the application’s prepared text or a handover to people.",
                "Running streams are cut.",
                "Lift it any time; it takes seconds.",
            ],
            targets: targets(&["application", "user", "session", "address", "api_key", "model"]),
            value: String::new(),
            durations: durations(),
            label: "Review fallback…",
        },
        LevelForm {
            level: 4,
            effect: "shutdown",
            summary: "Take the application offline",
            notes: [
                "Every request is refused and every running stream is cut, for all users.",
                "Nothing happens until somebody other than you, entitled to it, approves.",
                "Lift it any time; it takes seconds.",
            ],
            targets: targets(&["application", "model", "upstream"]),
            value: String::new(),
            durations: durations(),
            label: "Review shutdown…",
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_marks_one_place() {
        for state in IncidentState::ALL {
            let here = path(state).iter().filter(|step| step.mark == "here").count();
            let outside = matches!(state, IncidentState::FalsePositive | IncidentState::Merged);
            assert_eq!(here, usize::from(!outside));
        }
    }
}
