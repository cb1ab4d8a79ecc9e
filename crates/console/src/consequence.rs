//! What a measure will do, in plain words: said before it can be pressed.

use jiff::Timestamp;
use quell_domain::measure::{Degradation, Effect, Measure, MeasureState, Target};
use serde::Serialize;

use crate::moment::Moment;

/// The five things a person must know before pressing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consequence {
    /// What happens to the traffic.
    pub does: String,
    /// To whom.
    pub whom: String,
    /// What happens to everybody else.
    pub others: String,
    /// Until when.
    pub until: String,
    /// How to undo it.
    pub undo: String,
}

impl Consequence {
    /// The consequence of `measure`.
    pub fn of(measure: &Measure, now: Timestamp) -> Self {
        let waiting = measure.state == MeasureState::Proposed;
        let until = match measure.expires_at {
            Some(at) if waiting => {
                let length = at.duration_since(measure.created_at).as_secs().unsigned_abs();
                format!("{} after it is applied", crate::moment::span(length))
            }
            Some(at) => {
                let moment = Moment::new(at, now);
                format!("{} ({})", moment.full, moment.ago)
            }
            None => "somebody lifts it".into(),
        };
        Self {
            does: does(&measure.effect, &measure.target),
            whom: whom(&measure.target, &measure.application),
            others: others(&measure.target, &measure.application),
            until,
            undo: "Press Lift. Traffic passes again within seconds, and a probe checks that it \
                   does."
                .into(),
        }
    }
}

impl Consequence {
    /// What lifting `measure` does.
    pub fn of_lift(measure: &Measure) -> Self {
        Self {
            does: "Traffic passes the normal rules again. A probe checks that it does.".into(),
            whom: whom(&measure.target, &measure.application),
            others: "Unchanged. Other measures stay in force.".into(),
            until: "somebody contains it again".into(),
            undo: "Apply the measure again; it takes seconds.".into(),
        }
    }

    /// What rejecting the proposal `measure` does.
    pub fn of_reject(measure: &Measure) -> Self {
        Self {
            does: "Drops the proposal. Traffic goes on as it is.".into(),
            whom: whom(&measure.target, &measure.application),
            others: "Unchanged.".into(),
            until: "somebody proposes or applies it again".into(),
            undo: "Apply the same measure by hand.".into(),
        }
    }
}

/// What the effect does, as a sentence.
pub fn does(effect: &Effect, target: &Target) -> String {
    match (effect, target) {
        (Effect::Restrict, Target::Tool { tool }) => {
            format!(
                "Takes the tool {tool} out of requests, and stops answers that call it all the same."
            )
        }
        (Effect::Restrict, Target::Pattern { .. }) => {
            "Refuses requests, and cuts responses, whose text matches.".into()
        }
        (Effect::Restrict, _) => {
            "Refuses every new request with an error and a reference. Running streams are cut."
                .into()
        }
        (Effect::Degrade { limits }, _) => degraded(limits),
        (Effect::Fallback, _) => {
            "Answers with prepared text instead of the model. Nothing reaches the upstream.".into()
        }
        (Effect::Shutdown, _) => {
            "Refuses everything. Running streams are cut. Nothing reaches the upstream.".into()
        }
    }
}

fn degraded(limits: &Degradation) -> String {
    let mut parts = Vec::new();
    if limits.remove_tools {
        parts.push("tools removed".to_owned());
    }
    if let Some(tokens) = limits.max_tokens {
        parts.push(format!("answers cut to {tokens} tokens"));
    }
    if let Some(messages) = limits.keep_messages {
        parts.push(format!("only the last {messages} messages kept"));
    }
    if limits.strict_preamble {
        parts.push("strict instructions put in front".to_owned());
    }
    format!("Still answers, with less: {}.", parts.join(", "))
}

fn whom(target: &Target, application: &str) -> String {
    match target {
        Target::Application => format!("Every user of {application}."),
        Target::User { user } => format!("The user {user} of {application}, in every session."),
        Target::Session { session } => format!("The session {session} of {application}."),
        Target::Address { address } => {
            format!("Everyone who reaches {application} from {address}.")
        }
        Target::ApiKey { key } => format!("Everyone who uses the key {key} of {application}."),
        Target::Tool { tool } => format!("Every user of {application} whose request has {tool}."),
        Target::Model { model } => format!("Requests to {application} that ask for {model}."),
        Target::Upstream { upstream } => {
            format!("Requests to {application} that would go to {upstream}.")
        }
        Target::Pattern { pattern } => {
            format!("Every user of {application} whose text matches “{}”.", pattern.text)
        }
    }
}

fn others(target: &Target, application: &str) -> String {
    match target {
        Target::Application => format!("Nobody else uses {application}. Other applications go on."),
        _ => format!("All other traffic of {application} goes on unchanged."),
    }
}

/// What the target is, in a few words.
pub fn target(target: &Target, application: &str) -> String {
    match target {
        Target::Application => application.to_owned(),
        Target::User { user } => format!("user {user}"),
        Target::Session { session } => format!("session {session}"),
        Target::Address { address } => format!("address {address}"),
        Target::ApiKey { key } => format!("key {}", short(key)),
        Target::Tool { tool } => format!("tool {tool}"),
        Target::Model { model } => format!("model {model}"),
        Target::Upstream { upstream } => format!("upstream {upstream}"),
        Target::Pattern { pattern } => format!("text like “{}”", pattern.text),
    }
}

/// An id people can compare at a glance: its prefix and its end.
fn short(id: &str) -> String {
    match (id.get(..8), id.get(id.len().saturating_sub(6)..)) {
        (Some(start), Some(end)) if id.len() > 20 => format!("{start}…{end}"),
        _ => id.to_owned(),
    }
}

/// `Block user u-7 of shop-assistant`.
pub fn title(measure: &Measure) -> String {
    let what = verb(measure);
    match measure.target {
        Target::Application => what,
        _ => format!("{what} of {}", measure.application),
    }
}

/// The verb for a button: `Block user u-7`, `Shut down shop-assistant`.
pub fn verb(measure: &Measure) -> String {
    let target = target(&measure.target, &measure.application);
    match measure.effect {
        Effect::Restrict => format!("Block {target}"),
        Effect::Degrade { .. } => format!("Degrade {target}"),
        Effect::Fallback => format!("Switch {target} to fallback"),
        Effect::Shutdown => format!("Shut down {target}"),
    }
}
