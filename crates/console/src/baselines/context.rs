//! What is normal for each application, and what left it.

use serde::Serialize;

use crate::baselines::plot::{Cell, Line, Mark, spark};
use crate::moment::Moment;
use crate::render::Page;
use crate::sample;
use crate::views::{Choice, Pager};

/// The list of scopes.
#[derive(Debug, Clone, Serialize)]
pub struct Baselines {
    /// Scopes of this page.
    pub scopes: Vec<ScopeView>,
    /// What they amount to, in one line.
    pub summary: String,
    /// Pages.
    pub pager: Pager,
    /// What the list is narrowed by.
    pub q: String,
}

impl Page for Baselines {
    const TEMPLATE: &'static str = "baselines/page.html";
}

/// One scope.
#[derive(Debug, Clone, Serialize)]
pub struct ScopeView {
    /// Its page.
    pub href: String,
    /// The application.
    pub application: String,
    /// `Model large-2026`; empty for the whole application.
    pub part: String,
    /// `learning`, `settling`, `normal` or `alarming`.
    pub state: &'static str,
    /// What that means here.
    pub about: String,
    /// Requests of the last day, as a path 23 wide and 20 high.
    pub spark: String,
    /// The same in words.
    pub spark_words: String,
    /// Alarms of the last seven days.
    pub alarms: usize,
    /// When something was last seen.
    pub seen: Moment,
}

/// One scope, one metric.
#[derive(Debug, Clone, Serialize)]
pub struct Baseline {
    /// The scope.
    pub scope: ScopeView,
    /// The metric's title.
    pub title: String,
    /// Its name.
    pub metric: String,
    /// Metrics to choose from.
    pub metrics: Vec<Choice>,
    /// Ranges to choose from.
    pub ranges: Vec<Choice>,
    /// Hours shown.
    pub hours: String,
    /// The scope, for the form.
    pub fields: Vec<Choice>,
    /// The plot.
    pub plot: Line,
    /// How sensitive it is, in words.
    pub sensitivity: String,
    /// Bearable false alarms a week.
    pub budget: String,
    /// Alarms, newest first.
    pub alarms: Vec<AlarmView>,
    /// Whether the viewer may change anything.
    pub can_admin: bool,
}

impl Page for Baseline {
    const TEMPLATE: &'static str = "baselines/scope.html";
}

/// One alarm.
#[derive(Debug, Clone, Serialize)]
pub struct AlarmView {
    /// The metric's title.
    pub title: String,
    /// `More` or `Less than normal`.
    pub change: &'static str,
    /// Value and what was expected.
    pub value: String,
    /// When it began.
    pub since: Moment,
    /// When it ended.
    pub until: Option<Moment>,
    /// What is to be known about it.
    pub note: &'static str,
}

impl Baselines {
    /// Scopes in every state, and none.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let full = Self {
            scopes: vec![
                scope("", "alarming", "Requests: more than normal"),
                scope("Model large-2026", "normal", "Daily and weekly season known"),
                scope("Endpoint chat_completions", "settling", "Weekly season known in 9 d"),
                scope("Tool search", "learning", "Season known in 20 h"),
            ],
            summary: "4 scopes: 1 alarming, 2 still learning".into(),
            pager: Pager { summary: "1 to 4 of 4 scopes".into(), ..Pager::default() },
            q: String::new(),
        };
        let none = Self {
            scopes: Vec::new(),
            summary: "No traffic yet".into(),
            pager: Pager::default(),
            ..full.clone()
        };
        vec![("states", full), ("none", none)]
    }
}

impl Baseline {
    /// A scope that alarms, for an admin; and one that still learns.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let cell = |at: i64| {
            let hour = at as f32 / 12.0;
            let usual = 150.0 + 90.0 * ((hour - 8.0) / 24.0 * std::f32::consts::TAU).sin();
            let noise = ((at * 37 % 17) as f32 - 8.0) * 2.0;
            let burst = if (250..262).contains(&at) { 260.0 } else { 0.0 };
            Cell {
                from: sample::ago((287 - at) * 300),
                value: (!(100..104).contains(&at)).then_some(usual + noise + burst),
                expected: Some(usual),
                band: Some((usual / 1.6, usual * 1.6)),
            }
        };
        let cells: Vec<Cell> = (0..288).map(cell).collect();
        let title = "Requests: more than normal".to_owned();
        let mark = Mark { from: sample::ago(37 * 300), to: sample::ago(26 * 300), title };
        let alarm = AlarmView {
            title: "Requests".into(),
            change: "More than normal",
            value: "402, expected 141".into(),
            since: sample::moment(37 * 300),
            until: None,
            note: "",
        };
        let ended = AlarmView {
            title: "Latency, 95th percentile".into(),
            until: Some(sample::moment(4 * 86_400)),
            since: sample::moment(5 * 86_400),
            value: "3.1 s, expected 1.9 s".into(),
            note: "Lasted a day: taken for the new normal.",
            ..alarm.clone()
        };
        let alarming = Self {
            scope: scope("", "alarming", "Requests: more than normal"),
            title: "Requests".into(),
            metric: "requests".into(),
            metrics: vec![
                Choice::new("requests", "Requests"),
                Choice::new("latency_p95", "Latency, 95th percentile"),
            ],
            ranges: ranges(),
            hours: "24".into(),
            fields: vec![Choice::new("dimension", "application")],
            plot: Line::new("Requests per 5 min", "", &cells, &[mark]),
            sensitivity: "Thresholds as published".into(),
            budget: "1".into(),
            alarms: vec![alarm, ended],
            can_admin: true,
        };
        let bare: Vec<Cell> = cells[..40].iter().map(|cell| Cell { band: None, ..*cell }).collect();
        let learning = Self {
            scope: scope("Tool search", "learning", "Season known in 20 h"),
            plot: Line::new("Requests per 5 min", "", &bare, &[]),
            alarms: Vec::new(),
            can_admin: false,
            ..alarming.clone()
        };
        vec![("alarming", alarming), ("learning", learning)]
    }
}

/// How far back one may look.
pub(crate) fn ranges() -> Vec<Choice> {
    [("6", "6 hours"), ("24", "1 day"), ("168", "7 days"), ("336", "14 days")]
        .map(|(hours, label)| Choice::new(hours, label))
        .to_vec()
}

fn scope(part: &str, state: &'static str, about: &str) -> ScopeView {
    let hours: Vec<Option<f32>> =
        (0..24u8).map(|h| (h > 2).then(|| 40.0 + f32::from(h * 7 % 30))).collect();
    ScopeView {
        href: "/baselines/shop-assistant".into(),
        application: sample::APPLICATION.into(),
        part: part.into(),
        state,
        about: about.into(),
        spark: spark(&hours),
        spark_words: "Requests in the last day: 1208, at most 69 in an hour".into(),
        alarms: usize::from(state == "alarming"),
        seen: sample::moment(12),
    }
}
