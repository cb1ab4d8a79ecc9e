//! Every case, filtered by the address line.

use quell_domain::{IncidentKind, IncidentState, Severity};
use serde::Serialize;

use crate::moment::Moment;
use crate::render::Page;
use crate::sample;
use crate::views::{Choice, Pager};

/// The list of incidents.
#[derive(Debug, Clone, Serialize)]
pub struct Incidents {
    /// The rows.
    pub rows: Vec<IncidentRow>,
    /// Ready-made views: open, all, closed.
    pub views: Vec<View>,
    /// What is filtered.
    pub filter: Filter,
    /// Whether anything is.
    pub filtered: bool,
    /// What can be chosen.
    pub choices: Choices,
    /// Other pages.
    pub pager: Pager,
}

impl Page for Incidents {
    const TEMPLATE: &'static str = "incidents/page.html";
    const REGIONS: &'static [&'static str] = &["posture", "rows"];
}

/// A ready-made view.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// Where to.
    pub href: String,
    /// Its name.
    pub label: &'static str,
    /// Whether it is the present one.
    pub current: bool,
}

/// The filters, as they stand in the address line; empty is any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Text in number or title.
    pub q: String,
    /// `open`, `closed`, `all`.
    pub view: String,
    /// State.
    pub state: String,
    /// Severity.
    pub severity: String,
    /// Kind.
    pub kind: String,
    /// Application.
    pub application: String,
    /// `newest`, `severity`, `updated`.
    pub sort: String,
    /// Where the page starts.
    pub cursor: String,
}

/// What the filters offer.
#[derive(Debug, Clone, Serialize)]
pub struct Choices {
    /// States.
    pub states: Vec<Choice>,
    /// Severities.
    pub severities: Vec<Choice>,
    /// Kinds.
    pub kinds: Vec<Choice>,
    /// Applications.
    pub applications: Vec<Choice>,
    /// Orders.
    pub sorts: Vec<Choice>,
}

impl Choices {
    /// Everything there is, and the inventory's `applications`.
    pub fn new(applications: &[String]) -> Self {
        let words = |name: &str| Choice::new(name, crate::render::words(name));
        Self {
            states: IncidentState::ALL.map(|state| words(state.as_str())).to_vec(),
            severities: Severity::ALL.map(|severity| words(severity.as_str())).to_vec(),
            kinds: IncidentKind::ALL.map(|kind| Choice::new(kind.as_str(), kind.title())).to_vec(),
            applications: applications.iter().map(|name| Choice::new(name, name)).collect(),
            sorts: vec![
                Choice::new("severity", "Worst first"),
                Choice::new("newest", "Newest first"),
            ],
        }
    }
}

/// One incident in a list.
#[derive(Debug, Clone, Serialize)]
pub struct IncidentRow {
    /// Its page.
    pub href: String,
    /// `INC-2026-0042`.
    pub number: String,
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
    /// Who leads; nobody yet is a fact worth seeing.
    pub commander: Option<String>,
    /// Users touched.
    pub users: u64,
    /// Signals so far.
    pub signals: u64,
    /// Measures: verified and in force.
    pub verified: u64,
    /// Measures in force.
    pub in_force: u64,
}

impl Incidents {
    /// A full list, nothing found, nothing yet.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let choices = Choices::new(&["shop-assistant".into(), "billing-chat".into()]);
        let full = Self {
            rows: sample_rows(),
            views: views("all"),
            filter: Filter { view: "all".into(), ..Filter::default() },
            filtered: false,
            choices,
            pager: Pager {
                summary: "8 incidents on this page".into(),
                previous: None,
                next: Some("/incidents?view=all&cursor=8".into()),
            },
        };
        let none = Self {
            rows: Vec::new(),
            filter: Filter { q: "canary".into(), severity: "critical".into(), ..Filter::default() },
            filtered: true,
            views: views("open"),
            pager: Pager::default(),
            ..full.clone()
        };
        let first = Self { filter: Filter::default(), filtered: false, ..none.clone() };
        vec![("full", full), ("nothing-found", none), ("first-day", first)]
    }
}

/// The ready-made views with `current` marked.
pub(crate) fn views(current: &str) -> Vec<View> {
    [("open", "Open"), ("closed", "Closed"), ("all", "All")]
        .map(|(name, label)| View {
            href: format!("/incidents?view={name}"),
            label,
            current: name == current,
        })
        .to_vec()
}

/// The night's list.
pub(crate) fn sample_rows() -> Vec<IncidentRow> {
    sample::CASES
        .iter()
        .enumerate()
        .map(|(index, (number, title, kind, severity, state, minutes))| {
            let n = index as u64;
            IncidentRow {
                href: format!("/incidents/{number}"),
                number: (*number).into(),
                title: (*title).into(),
                kind_title: kind.title().into(),
                severity: *severity,
                state: *state,
                application: if n.is_multiple_of(3) { "billing-chat" } else { sample::APPLICATION }
                    .into(),
                opened: sample::moment(minutes * 60),
                commander: n.is_multiple_of(2).then(|| "on-call".into()),
                users: 7_u64.saturating_sub(n),
                signals: 64 / (n + 1),
                verified: 2_u64.saturating_sub(n),
                in_force: 3_u64.saturating_sub(n),
            }
        })
        .collect()
}
