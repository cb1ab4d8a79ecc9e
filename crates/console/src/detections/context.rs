//! The rules: what they find, what they do, whether that is live.

use quell_domain::Severity;
use quell_domain::taxonomy::TaxonomyRef;
use serde::Serialize;

use crate::render::Page;
use crate::sample;
use crate::views::{Choice, Pager};

/// The rules page.
#[derive(Debug, Clone, Serialize)]
pub struct Detections {
    /// The rules.
    pub rules: Vec<RuleView>,
    /// How many are enforced, in words.
    pub summary: String,
    /// Rules that could not be loaded, with the reason.
    pub refused: Vec<String>,
    /// Other pages.
    pub pager: Pager,
    /// Text the list is narrowed by.
    pub q: String,
    /// The mode the list is narrowed by; empty for all.
    pub mode: String,
    /// Modes to choose from.
    pub modes: Vec<Choice>,
    /// The pack the list is narrowed by; empty for all.
    pub pack: String,
    /// Packs to choose from.
    pub packs: Vec<Choice>,
    /// Whether the viewer may run rules over recorded traffic.
    pub can_try: bool,
    /// Whether the viewer may switch modes.
    pub can_admin: bool,
}

impl Page for Detections {
    const TEMPLATE: &'static str = "detections/page.html";
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is for.
    pub about: String,
    /// What it suggests.
    pub kind_title: String,
    /// How bad.
    pub severity: Severity,
    /// `enforce` or `shadow`.
    pub mode: String,
    /// `signal`, `redact`, `block`.
    pub effect: String,
    /// `input`, `output`, `both`, `correlation`.
    pub surface: String,
    /// Framework references.
    pub taxonomy: Vec<TaxonomyRef>,
    /// Where it comes from.
    pub source: String,
    /// Its page.
    pub href: String,
    /// Signals of the last 24 hours.
    pub day: i64,
    /// Signals of the last 7 days.
    pub week: i64,
    /// Of those, how many would have acted, in words; none where that says nothing.
    pub would_act: Option<String>,
    /// Precision by labels, in words.
    pub precision: String,
}

impl Detections {
    /// Rules for an admin, rules with a refused one for a reader.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let rows = [
            (
                "jailbreak.role_play",
                "Role-play that suspends the rules",
                "Jailbreak",
                Severity::High,
                "enforce",
                "block",
                "input",
            ),
            (
                "jailbreak.repeated",
                "Repeated attempts by one user",
                "Jailbreak",
                Severity::Medium,
                "enforce",
                "signal",
                "correlation",
            ),
            (
                "output.card_number",
                "Card number in an answer",
                "Data exfiltration",
                Severity::High,
                "enforce",
                "redact",
                "output",
            ),
            (
                "prompt.echo",
                "System prompt in an answer",
                "Data exfiltration",
                Severity::High,
                "shadow",
                "block",
                "output",
            ),
            (
                "flood.tokens",
                "Token flood",
                "Denial of service",
                Severity::Medium,
                "enforce",
                "signal",
                "correlation",
            ),
        ];
        let admin = Self {
            rules: rows
                .map(|(id, title, kind, severity, mode, effect, surface)| RuleView {
                    id: id.into(),
                    title: title.into(),
                    about: "Matches when the request asks the model to play somebody without rules, and to stay in that role.".into(),
                    kind_title: kind.into(),
                    severity,
                    mode: mode.into(),
                    effect: effect.into(),
                    surface: surface.into(),
                    taxonomy: sample::refs(),
                    source: "shipped".into(),
                    href: format!("/rules/{id}"),
                    day: 9,
                    week: 41,
                    would_act: (mode == "shadow").then(|| "41 would have been blocked".into()),
                    precision: "86 % of 14 labelled".into(),
                })
                .to_vec(),
            summary: "5 rules: 4 enforced, 1 in shadow".into(),
            refused: Vec::new(),
            pager: Pager { summary: "1 to 5 of 5 rules".into(), ..Pager::default() },
            q: String::new(),
            mode: String::new(),
            modes: vec![Choice::new("enforce", "Enforced"), Choice::new("shadow", "In shadow")],
            pack: String::new(),
            packs: vec![Choice::new("rules/jailbreak.yaml", "jailbreak")],
            can_try: true,
            can_admin: true,
        };
        let reader = Self {
            refused: vec![
                "rules/local.yaml, line 14: unknown field `levle`; did you mean `level`?".into(),
            ],
            can_try: false,
            can_admin: false,
            q: "prompt".into(),
            ..admin.clone()
        };
        vec![("admin", admin), ("refused-rule", reader)]
    }
}
