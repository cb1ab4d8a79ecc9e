//! The last look before something disruptive: what, to whom, until when, how to undo.

use quell_domain::measure::{Effect, MeasureState, Target};
use serde::Serialize;

use crate::consequence::{Consequence, title, verb};
use crate::render::Page;
use crate::sample;
use crate::views::Choice;

/// A confirm page.
#[derive(Debug, Clone, Serialize)]
pub struct Confirm {
    /// The question.
    pub title: String,
    /// What will happen.
    pub consequence: Option<Consequence>,
    /// What is wrong with it, so that it cannot be pressed.
    pub refused: Option<String>,
    /// What deserves a second look.
    pub warning: Option<String>,
    /// Where the form goes.
    pub action: String,
    /// Hidden fields of the form.
    pub fields: Vec<Choice>,
    /// Whether a reason is asked for here.
    pub ask_reason: bool,
    /// The button's words.
    pub label: String,
    /// `main` or `stop`.
    pub tone: &'static str,
    /// Where Cancel goes.
    pub back: String,
}

impl Page for Confirm {
    const TEMPLATE: &'static str = "confirm/page.html";
}

impl Confirm {
    /// A block, a shutdown that will only be proposed, a lift, a refusal.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let block =
            sample::measure(40, MeasureState::Proposed, Effect::Restrict, sample::user("u-90377"));
        let shutdown =
            sample::measure(41, MeasureState::Proposed, Effect::Shutdown, Target::Application);
        let apply = Self {
            title: title(&block),
            consequence: Some(Consequence::of(&block, sample::now())),
            refused: None,
            warning: Some("The user name is asserted by the client: somebody else may be using it. Blocking the key or session is safer.".into()),
            action: "/containment".into(),
            fields: vec![Choice::new("target", "user"), Choice::new("value", "u-90377")],
            ask_reason: false,
            label: verb(&block),
            tone: "main",
            back: format!("/incidents/{}#contain", sample::NUMBER),
        };
        let ask = Self {
            title: title(&shutdown),
            consequence: Some(Consequence::of(&shutdown, sample::now())),
            warning: Some("This only proposes. Somebody other than you, with the access role approver, must approve it before anything happens.".into()),
            label: "Ask for approval".into(),
            tone: "stop",
            ..apply.clone()
        };
        let refused = Self {
            refused: Some("restrict (level 1) cannot act on application; to stop all of an application use fallback (level 3) or shutdown (level 4)".into()),
            consequence: None,
            warning: None,
            ..apply.clone()
        };
        let lift = Self {
            title: "Lift: Block user u-58213 of shop-assistant".into(),
            warning: None,
            ask_reason: true,
            label: "Lift".into(),
            consequence: Some(Consequence::of_lift(&block)),
            ..apply.clone()
        };
        vec![("block", apply), ("shutdown", ask), ("lift", lift), ("refused", refused)]
    }
}
