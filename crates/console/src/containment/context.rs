//! Everything in force, everything that waits, everything that ended.

use quell_domain::measure::{Effect, MeasureState, Target};
use serde::Serialize;

use crate::incident::context::{LevelForm, levels};
use crate::render::Page;
use crate::sample;
use crate::views::{Choice, MeasureView, Pager};

/// The containment page.
#[derive(Debug, Clone, Serialize)]
pub struct Containment {
    /// The situation in one sentence.
    pub headline: String,
    /// Measures that wait for a person.
    pub proposals: Vec<MeasureView>,
    /// Measures in force or being lifted, worst verified first.
    pub measures: Vec<MeasureView>,
    /// Measures that ended, newest first.
    pub ended: Vec<MeasureView>,
    /// Other pages of those.
    pub pager: Pager,
    /// The four levels.
    pub levels: Vec<LevelForm>,
    /// Applications to contain.
    pub applications: Vec<Choice>,
    /// Whether the viewer may act.
    pub can_respond: bool,
}

impl Page for Containment {
    const TEMPLATE: &'static str = "containment/page.html";
    const REGIONS: &'static [&'static str] = &["posture", "measures"];
}

impl Containment {
    /// Busy, broken, quiet.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let ended = |nth, state| {
            sample::view(&sample::measure(nth, state, Effect::Fallback, Target::Application))
        };
        let busy = Self {
            headline: "2 of 3 measures verified".into(),
            proposals: sample::proposals(),
            measures: sample::in_force(),
            ended: vec![
                ended(20, MeasureState::Lifted),
                ended(21, MeasureState::Expired),
                ended(22, MeasureState::Rejected),
            ],
            pager: Pager { summary: "3 ended measures".into(), ..Pager::default() },
            levels: levels(""),
            applications: vec![
                Choice::new("shop-assistant", "shop-assistant"),
                Choice::new("billing-chat", "billing-chat"),
            ],
            can_respond: true,
        };
        let broken = Self {
            headline: "1 of 1 measures failed".into(),
            proposals: Vec::new(),
            measures: vec![sample::view(&sample::measure(
                30,
                MeasureState::Failed,
                Effect::Restrict,
                sample::user("u-58213"),
            ))],
            ..busy.clone()
        };
        let quiet = Self {
            headline: "Nothing is contained".into(),
            proposals: Vec::new(),
            measures: Vec::new(),
            ended: Vec::new(),
            pager: Pager::default(),
            can_respond: false,
            ..busy.clone()
        };
        vec![("busy", busy), ("failed", broken), ("quiet", quiet)]
    }
}
