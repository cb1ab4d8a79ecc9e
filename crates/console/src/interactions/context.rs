//! The log of exchanges, filtered by the address line. No text here.

use quell_domain::Severity;
use quell_domain::interaction::Outcome;
use serde::Serialize;

use crate::moment::Moment;
use crate::render::{Page, words};
use crate::sample;
use crate::views::{Choice, Pager};

/// The list of interactions.
#[derive(Debug, Clone, Serialize)]
pub struct Interactions {
    /// The rows.
    pub rows: Vec<InteractionRow>,
    /// What is filtered.
    pub filter: Filter,
    /// Whether anything is.
    pub filtered: bool,
    /// Applications to choose from.
    pub applications: Vec<Choice>,
    /// Outcomes to choose from.
    pub outcomes: Vec<Choice>,
    /// Other pages.
    pub pager: Pager,
    /// What the list does not hold, and why.
    pub missing: Option<String>,
}

impl Page for Interactions {
    const TEMPLATE: &'static str = "interactions/page.html";
}

/// The filters, as they stand in the address line; empty is any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Application.
    pub application: String,
    /// User.
    pub user: String,
    /// Session.
    pub session: String,
    /// Outcome.
    pub outcome: String,
    /// Rule.
    pub rule: String,
    /// Incident number.
    pub incident: String,
    /// Where the page starts.
    pub cursor: String,
}

/// One exchange in a list.
#[derive(Debug, Clone, Serialize)]
pub struct InteractionRow {
    /// Its page.
    pub href: String,
    /// When it started.
    pub started: Moment,
    /// The application.
    pub application: String,
    /// Who, as far as known.
    pub user: String,
    /// How far that can be trusted.
    pub grade: String,
    /// The model asked.
    pub model: String,
    /// What became of it.
    pub outcome: String,
    /// Status sent.
    pub status: u16,
    /// Findings.
    pub signals: Vec<Finding>,
    /// Characters: `812 in, 96 out`.
    pub chars: String,
}

/// A finding as a chip.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// The rule's title.
    pub title: String,
}

impl Interactions {
    /// A page, and nothing found.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let full = Self {
            rows: sample_rows(),
            filter: Filter::default(),
            filtered: false,
            applications: vec![Choice::new("shop-assistant", "shop-assistant")],
            outcomes: outcomes(),
            pager: Pager {
                summary: "12 interactions on this page".into(),
                previous: None,
                next: Some("/interactions?cursor=12".into()),
            },
            missing: None,
        };
        let none = Self {
            rows: Vec::new(),
            filter: Filter { user: "u-1".into(), ..Filter::default() },
            filtered: true,
            pager: Pager::default(),
            missing: Some("The log of gw-2 has not been read for 20 minutes.".into()),
            ..full.clone()
        };
        vec![("full", full), ("nothing-found", none)]
    }
}

/// Every outcome as a choice.
pub(crate) fn outcomes() -> Vec<Choice> {
    Outcome::ALL.map(|outcome| Choice::new(outcome.as_str(), words(outcome.as_str()))).to_vec()
}

/// A dozen exchanges of the night.
pub(crate) fn sample_rows() -> Vec<InteractionRow> {
    let role_play =
        Finding { severity: Severity::High, title: "Role-play that suspends the rules".into() };
    let repeated =
        Finding { severity: Severity::Medium, title: "Repeated attempts by one user".into() };
    (0..12_u64)
        .map(|n| {
            let outcome = Outcome::ALL[[4, 0, 4, 1, 0, 2, 3, 0, 0, 5, 0, 6][n as usize]];
            let refused = matches!(outcome, Outcome::Blocked | Outcome::ShutDown);
            InteractionRow {
                href: format!("/interactions/int_{n}"),
                started: sample::moment(20 + n as i64 * 73),
                application: sample::APPLICATION.into(),
                user: ["u-90377", "u-77104", "u-58213", "s-40be"][n as usize % 4].into(),
                grade: ["asserted", "authenticated"][n as usize % 2].into(),
                model: ["gpt-5-mini", "claude-sonnet-5"][n as usize % 2].into(),
                outcome: outcome.as_str().into(),
                status: if refused { 403 } else { 200 },
                signals: match n % 4 {
                    0 => vec![role_play.clone(), repeated.clone()],
                    2 => vec![role_play.clone()],
                    _ => Vec::new(),
                },
                chars: format!(
                    "{} in, {} out",
                    700 + n * 31,
                    if refused { 0 } else { 60 + n * 170 }
                ),
            }
        })
        .collect()
}
