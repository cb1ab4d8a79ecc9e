//! The pieces several screens show. Filled from domain values, nothing computed in templates.

use jiff::Timestamp;
use quell_domain::measure::{Effect, Measure, MeasureState};
use quell_domain::signal::Span;
use quell_domain::{Actor, Severity};
use serde::Serialize;

use crate::consequence::{Consequence, verb};
use crate::moment::Moment;
use crate::shell::Viewer;

/// A link with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Where to.
    pub href: String,
    /// The words.
    pub text: String,
}

impl Link {
    /// A link.
    pub fn new(href: impl Into<String>, text: impl Into<String>) -> Self {
        Self { href: href.into(), text: text.into() }
    }
}

/// One choice of a select.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What people read.
    pub label: String,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// Whoever did something, by sort and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorView {
    /// `person`, `token`, `policy`, `rule`, `system`: also the icon.
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

impl From<&Actor> for ActorView {
    fn from(actor: &Actor) -> Self {
        let (kind, name) = match actor {
            Actor::User(name) => ("person", name.as_str()),
            Actor::Token(name) => ("token", name.as_str()),
            Actor::Policy(name) => ("policy", name.as_str()),
            Actor::Rule(id) => ("rule", id.as_str()),
            Actor::System => ("system", "Quell"),
        };
        Self { kind, name: name.into() }
    }
}

/// Pages of a long list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pager {
    /// `1–25 of 212`.
    pub summary: String,
    /// The page before, if any.
    pub previous: Option<String>,
    /// The page after, if any.
    pub next: Option<String>,
}

/// One of requested, acknowledged, verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `did`, `now`, `no`, or empty for not yet.
    pub mark: &'static str,
    /// The shape.
    pub icon: &'static str,
    /// The word.
    pub label: &'static str,
    /// When it happened.
    pub at: Option<Moment>,
    /// What is said instead of a time.
    pub note: &'static str,
}

/// A measure as a card.
#[derive(Debug, Clone, Serialize)]
pub struct MeasureView {
    /// Identity; also the anchor.
    pub id: String,
    /// 1–4.
    pub level: u8,
    /// `restrict`, `degrade`, `fallback`, `shutdown`.
    pub effect: &'static str,
    /// What it does to whom, in one line.
    pub title: String,
    /// What pressing the button does.
    pub consequence: Consequence,
    /// The verb on that button.
    pub verb: String,
    /// Where it stands.
    pub state: MeasureState,
    /// The application.
    pub application: String,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub created: Moment,
    /// Who approved it, where it needed that.
    pub approved_by: Option<String>,
    /// The incident.
    pub incident: Option<Link>,
    /// When it ends by itself.
    pub expires: Option<Moment>,
    /// Requested, acknowledged, verified; empty while it waits for a person.
    pub steps: Vec<Step>,
    /// What the last probe said.
    pub detail: Option<String>,
    /// Whether it waits for a person.
    pub waiting: bool,
    /// Why this viewer may not decide.
    pub blocked: Option<String>,
    /// The viewer may apply it.
    pub can_apply: bool,
    /// The viewer may approve it.
    pub can_approve: bool,
    /// The viewer may reject it.
    pub can_reject: bool,
    /// The viewer may lift it.
    pub can_lift: bool,
}

impl MeasureView {
    /// `measure` as `viewer` sees it.
    pub fn new(
        measure: &Measure,
        incident: Option<Link>,
        approved_by: Option<String>,
        viewer: &Viewer,
        now: Timestamp,
    ) -> Self {
        let waiting = matches!(measure.state, MeasureState::Proposed | MeasureState::Approved);
        let granted = measure.state == MeasureState::Approved;
        let shutdown = matches!(measure.effect, Effect::Shutdown);
        let own = measure.actor == Actor::User(viewer.name.clone());
        let asks = waiting && shutdown && !granted;
        let blocked = match (asks, own, viewer.can_approve) {
            (true, true, _) => Some("Somebody else must approve a shutdown you asked for."),
            (true, false, false) => Some("Needs somebody with the access role approver or admin."),
            _ => None,
        };
        Self {
            id: measure.id.to_string(),
            level: measure.effect.level(),
            effect: measure.effect.name(),
            title: crate::consequence::title(measure),
            consequence: Consequence::of(measure, now),
            verb: verb(measure),
            state: measure.state,
            application: measure.application.clone(),
            reason: measure.reason.clone(),
            asked_by: ActorView::from(&measure.actor).name,
            created: Moment::new(measure.created_at, now),
            approved_by,
            incident,
            expires: Moment::opt(measure.expires_at, now),
            steps: if waiting { Vec::new() } else { steps(measure, now) },
            detail: measure.detail.clone(),
            waiting,
            blocked: blocked.map(Into::into),
            can_apply: waiting && (granted || !shutdown) && viewer.can_respond,
            can_approve: waiting && shutdown && !granted && blocked.is_none(),
            can_reject: waiting && viewer.can_respond,
            can_lift: measure.state.in_force()
                && viewer.can_respond
                && (viewer.can_approve || !shutdown),
        }
    }
}

/// Requested, acknowledged and verified are three states, each with its own time.
fn steps(measure: &Measure, now: Timestamp) -> Vec<Step> {
    let reached = |at: Option<Timestamp>, label, icon| Step {
        mark: if at.is_some() { "did" } else { "" },
        icon,
        label,
        at: Moment::opt(at, now),
        note: "not yet",
    };
    let mut steps = vec![
        reached(measure.requested_at, "Requested", "requested"),
        reached(measure.acknowledged_at, "Acknowledged", "acknowledged"),
        reached(measure.verified_at, "Verified", "verified"),
    ];
    match measure.state {
        MeasureState::Failed => {
            let last = Step {
                mark: "no",
                icon: "failed",
                label: "Not verified",
                at: None,
                note: "a probe met something else",
            };
            steps.truncate(2);
            steps.push(last);
        }
        MeasureState::Requested | MeasureState::Acknowledged => {
            if let Some(step) = steps.iter_mut().find(|step| step.at.is_none()) {
                (step.mark, step.note) = ("now", "waiting");
            }
        }
        _ => {}
    }
    steps
}

/// One line of the timeline.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineEntry {
    /// Position in the incident.
    pub sequence: i64,
    /// When it happened.
    pub at: Moment,
    /// When it was stored, if noticeably later.
    pub recorded: Option<Moment>,
    /// The icon.
    pub icon: &'static str,
    /// Its tone.
    pub tone: &'static str,
    /// What happened.
    pub what: String,
    /// Who.
    pub actor: ActorView,
    /// Particulars in one line.
    pub detail: Option<String>,
    /// Words a person wrote.
    pub said: Option<String>,
    /// Where it leads.
    pub link: Option<Link>,
    /// Whether a later event corrects it.
    pub superseded: bool,
}

/// A run of text, marked if a detector pointed at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// The characters.
    pub text: String,
    /// The facts raised here; none for plain text.
    pub fact: Option<String>,
}

/// Cuts `text` at the edges of `spans`, so overlapping findings stay readable. Spans outside the
/// text or inside a character are moved to the nearest edge.
pub fn segments(text: &str, spans: &[Span]) -> Vec<Segment> {
    let floor = |at: usize| {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let spans: Vec<(usize, usize, &str)> =
        spans.iter().map(|s| (floor(s.start), floor(s.end), s.fact.as_str())).collect();
    let mut edges: Vec<usize> = spans.iter().flat_map(|(start, end, _)| [*start, *end]).collect();
    edges.extend([0, text.len()]);
    edges.sort_unstable();
    edges.dedup();
    edges
        .windows(2)
        .map(|edge| {
            let mut facts: Vec<&str> = spans
                .iter()
                .filter(|(start, end, _)| *start <= edge[0] && edge[1] <= *end)
                .map(|(_, _, fact)| *fact)
                .collect();
            facts.dedup();
            Segment {
                text: text[edge[0]..edge[1]].into(),
                fact: (!facts.is_empty()).then(|| facts.join(", ")),
            }
        })
        .collect()
}

/// One text field of an exchange.
#[derive(Debug, Clone, Serialize)]
pub struct FieldText {
    /// Anchor on the page.
    pub anchor: String,
    /// JSON pointer.
    pub field: String,
    /// Who speaks, in words.
    pub speaker: String,
    /// What sort of text.
    pub part: String,
    /// The facts raised in it.
    pub facts: Vec<String>,
    /// The text, once a reason was given.
    pub segments: Vec<Segment>,
    /// What stands there instead.
    pub note: String,
}

/// A signal as a line.
#[derive(Debug, Clone, Serialize)]
pub struct SignalView {
    /// Its page.
    pub href: String,
    /// The rule's title.
    pub title: String,
    /// The rule's id.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// What it rests on.
    pub facts: Vec<String>,
    /// `input` or `output`.
    pub direction: String,
    /// `enforce` or `shadow`.
    pub mode: String,
    /// `signal`, `redact`, `block`.
    pub effect: String,
    /// Framework references.
    pub taxonomy: Vec<quell_domain::taxonomy::TaxonomyRef>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize, fact: &str) -> Span {
        Span { field: "/messages/0/content".into(), start, end, fact: fact.into() }
    }

    #[test]
    fn overlapping_spans_split_into_readable_runs() {
        let cut = segments("ignore all rules", &[span(0, 10, "a"), span(7, 16, "b")]);
        let marks: Vec<_> = cut.iter().map(|s| (s.text.as_str(), s.fact.as_deref())).collect();
        assert_eq!(marks, [("ignore ", Some("a")), ("all", Some("a, b")), (" rules", Some("b"))]);
    }

    #[test]
    fn hostile_spans_never_split_a_character_or_lose_text() {
        let text = "aé€😀z";
        for start in 0..20 {
            for end in 0..20 {
                let cut = segments(text, &[span(start, end, "x"), span(end, start, "y")]);
                let joined: String = cut.into_iter().map(|s| s.text).collect();
                assert_eq!(joined, text);
            }
        }
        assert!(segments("", &[span(3, 9, "x")]).is_empty());
    }
}
