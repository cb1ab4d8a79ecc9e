//! `/containment`, and what can be done to a measure.

use axum::extract::{Path, Query};
use axum::response::{Html, Redirect};
use quell_control::measures::NewMeasure;
use quell_domain::measure::{Degradation, Effect, Measure, MeasureState, Target, TextPattern};
use quell_domain::{Actor, MeasureId};
use quell_response::Invalid;
use quell_store::{Approval, MeasureFilter, PageRequest};
use serde::Deserialize;

use crate::confirm::context::Confirm;
use crate::consequence::{Consequence, title, verb};
use crate::containment::context::Containment;
use crate::http::fields::Fields;
use crate::http::{Failure, Posted, Signed, link};
use crate::incident::context::levels;
use crate::incidents::handler::counted;
use crate::measures::cards;
use crate::moment::span;
use crate::shell::Section;
use crate::views::{Choice, Pager};

/// Ended measures of a page.
const ENDED: u32 = 25;
/// Most measures that count as current.
const CURRENT_MAX: u32 = 500;

/// Where the list of ended measures starts.
#[derive(Debug, Deserialize)]
pub(crate) struct From {
    #[serde(default)]
    cursor: String,
}

/// `GET /containment`
pub(crate) async fn show(by: Signed, Query(from): Query<From>) -> Result<Html<String>, Failure> {
    let control = &by.console.control;
    let filter = |current| MeasureFilter { current: Some(current), ..MeasureFilter::default() };
    let current =
        control.measures(&by.access, &filter(true), &PageRequest::first(CURRENT_MAX)).await?.items;
    let cursor = Some(from.cursor).filter(|cursor| !cursor.is_empty());
    let request = PageRequest { limit: ENDED, cursor };
    let ended = control.measures(&by.access, &filter(false), &request).await?;
    let (proposals, mut measures): (Vec<Measure>, Vec<Measure>) = current
        .into_iter()
        .partition(|m| matches!(m.state, MeasureState::Proposed | MeasureState::Approved));
    // What is broken first, then what is on its way, then what stands.
    measures.sort_by_key(|measure| match measure.state {
        MeasureState::Failed => 0,
        MeasureState::Requested | MeasureState::Acknowledged | MeasureState::Lifting => 1,
        _ => 2,
    });
    let applications = control.applications(&by.access).await?;
    let content = Containment {
        headline: headline(&measures),
        proposals: cards(&by, &proposals, false).await?,
        measures: cards(&by, &measures, false).await?,
        pager: Pager {
            summary: counted(ended.items.len(), "ended measure"),
            previous: request.cursor.is_some().then(|| "/containment".into()),
            next: ended.next.map(|cursor| link("/containment", &[("cursor", &cursor)])),
        },
        ended: cards(&by, &ended.items, false).await?,
        levels: levels(""),
        applications: applications
            .into_iter()
            .map(|row| Choice::new(row.value.name.clone(), row.value.name))
            .collect(),
        can_respond: by.viewer.can_respond,
    };
    by.page(Section::Containment, &content).await
}

fn headline(measures: &[Measure]) -> String {
    let in_force = measures.iter().filter(|m| m.state.in_force()).count();
    let verified = measures.iter().filter(|m| m.state == MeasureState::Verified).count();
    let failed = measures.iter().filter(|m| m.state == MeasureState::Failed).count();
    match (in_force, failed) {
        (0, _) => "Nothing is contained".into(),
        (1, 0) if verified == 1 => "1 measure, verified".into(),
        (all, 0) if all == verified => format!("{all} measures, all verified"),
        (all, 0) => format!("{verified} of {all} measures verified"),
        (all, failed) => format!("{failed} of {all} measures failed"),
    }
}

/// `POST /containment/review`: says what would happen; changes nothing.
pub(crate) async fn review(Posted { by, fields }: Posted) -> Result<Html<String>, Failure> {
    let new = wanted(&by, &fields).await?;
    let back = match fields.some("incident") {
        Some(number) => format!("{}#contain", link_to(number)),
        None => "/containment".into(),
    };
    let measure = draft(&by, &new);
    let shutdown = matches!(new.effect, Effect::Shutdown);
    // Everything but the approval, which comes later, must be in order already.
    let refused = match quell_response::validate(&measure) {
        Ok(()) | Err(Invalid::Unapproved) => None,
        Err(invalid) => Some(invalid.to_string()),
    };
    let reason_missing = new.reason.is_empty();
    let keep = ["incident", "application", "effect", "target", "value", "minutes", "regex"];
    let mut hidden: Vec<Choice> =
        keep.iter().filter_map(|name| Some(Choice::new(*name, fields.some(name)?))).collect();
    if !reason_missing {
        hidden.push(Choice::new("reason", new.reason.clone()));
    }
    let confirm = Confirm {
        title: title(&measure),
        consequence: refused.is_none().then(|| consequence(&by, &measure, new.minutes)),
        refused,
        warning: warning(&measure, shutdown),
        action: "/containment".into(),
        fields: hidden,
        ask_reason: reason_missing,
        label: if shutdown { "Ask for approval".into() } else { verb(&measure) },
        tone: if shutdown { "stop" } else { "main" },
        back,
    };
    by.page(Section::Containment, &confirm).await
}

fn consequence(by: &Signed, measure: &Measure, minutes: Option<u32>) -> Consequence {
    let mut consequence = Consequence::of(measure, by.console.control.now());
    if let Some(minutes) = minutes {
        consequence.until = format!("{} from now, or until lifted", span(u64::from(minutes) * 60));
    }
    consequence
}

fn warning(measure: &Measure, shutdown: bool) -> Option<String> {
    if shutdown {
        return Some(
            "This only asks. Somebody other than you, with the access role approver, must \
             approve it before anything happens."
                .into(),
        );
    }
    match measure.target {
        Target::Address { .. } => Some(
            "Many people may share an address. A user, session or key hits fewer of them.".into(),
        ),
        Target::Application => Some(format!("This touches every user of {}.", measure.application)),
        _ => None,
    }
}

/// `POST /containment`
pub(crate) async fn apply(Posted { by, fields }: Posted) -> Result<Redirect, Failure> {
    let new = wanted(&by, &fields).await?;
    let shutdown = matches!(new.effect, Effect::Shutdown);
    let control = &by.console.control;
    let done = if shutdown {
        control.propose_measure(&by.access, new).await?;
        "proposed"
    } else {
        control.apply_measure(&by.access, new).await?;
        "requested"
    };
    Ok(match fields.some("incident") {
        Some(number) => Redirect::to(&format!("{}?done={done}#contain", link_to(number))),
        None => Redirect::to(&format!("/containment?done={done}")),
    })
}

fn link_to(number: &str) -> String {
    let plain = number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if plain { format!("/incidents/{number}") } else { "/incidents".into() }
}

/// `POST /measures/{id}/apply`
pub(crate) async fn apply_proposed(
    Path(id): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, Failure> {
    let measure = load(&by, &id).await?;
    by.console.control.apply_proposed(&by.access, measure.id).await?;
    Ok(after(&measure, "requested"))
}

/// `GET /measures/{id}/{what}` for lift, reject and approve.
pub(crate) async fn ask(
    by: Signed,
    Path((id, what)): Path<(String, String)>,
) -> Result<Html<String>, Failure> {
    let measure = load(&by, &id).await?;
    let now = by.console.control.now();
    let name = title(&measure);
    let (title, label, tone, consequence) = match what.as_str() {
        "lift" => {
            (format!("Lift: {name}"), "Lift".to_owned(), "main", Consequence::of_lift(&measure))
        }
        "reject" => {
            (format!("Reject: {name}"), "Reject".into(), "main", Consequence::of_reject(&measure))
        }
        "approve" => (
            name,
            format!("Approve {}", measure.effect.name()),
            "stop",
            Consequence::of(&measure, now),
        ),
        _ => return Err(Failure::not_found("A measure can be lifted, rejected or approved.")),
    };
    let confirm = Confirm {
        title,
        consequence: Some(consequence),
        refused: None,
        warning: (what == "approve").then(|| "It takes effect the moment you approve it.".into()),
        action: format!("/measures/{}/{what}", measure.id),
        fields: Vec::new(),
        ask_reason: true,
        label,
        tone,
        back: measure
            .incident
            .map_or_else(|| "/containment".into(), |id| format!("/incidents/{id}")),
    };
    by.page(Section::Containment, &confirm).await
}

/// `POST /measures/{id}/{what}` for lift, reject and approve.
pub(crate) async fn decide(
    Path((id, what)): Path<(String, String)>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let measure = load(&by, &id).await?;
    let (control, reason) = (&by.console.control, fields.get("reason"));
    match what.as_str() {
        "lift" => {
            control.lift_measure(&by.access, measure.id, reason).await?;
            Ok(after(&measure, "lifting"))
        }
        "reject" => {
            match pending(&by, measure.id).await? {
                Some(approval)
                    if by.viewer.can_approve && approval.requester != by.access.actor =>
                {
                    control.decide_approval(&by.access, approval.id, false, reason, false).await?;
                }
                _ => {
                    control.reject_measure(&by.access, measure.id, reason).await?;
                }
            }
            Ok(after(&measure, "rejected"))
        }
        "approve" => {
            let approval = pending(&by, measure.id).await?.ok_or_else(|| {
                Failure::new(409, "No approval is pending for this measure any more.")
            })?;
            control.decide_approval(&by.access, approval.id, true, reason, true).await?;
            Ok(after(&measure, "approved"))
        }
        _ => Err(Failure::not_found("A measure can be lifted, rejected or approved.")),
    }
}

async fn pending(by: &Signed, measure: MeasureId) -> Result<Option<Approval>, Failure> {
    let page = PageRequest::first(CURRENT_MAX);
    let pending = by.console.control.approvals(&by.access, true, &page).await?.items;
    Ok(pending.into_iter().find(|approval| approval.measure == Some(measure)))
}

async fn load(by: &Signed, id: &str) -> Result<Measure, Failure> {
    let id: MeasureId = id.parse().map_err(|_| Failure::not_found("There is no such measure."))?;
    Ok(by.console.control.measure(&by.access, id).await?.0)
}

fn after(measure: &Measure, done: &str) -> Redirect {
    Redirect::to(&match measure.incident {
        Some(id) => format!("/incidents/{id}?done={done}#contain"),
        None => format!("/containment?done={done}"),
    })
}

/// What the form asks for.
async fn wanted(by: &Signed, fields: &Fields) -> Result<NewMeasure, Failure> {
    let incident = match fields.some("incident") {
        Some(name) => Some(by.console.control.incident(&by.access, name).await?.incident.id),
        None => None,
    };
    let minutes = match fields.get("minutes") {
        "" | "0" => None,
        _ => Some(fields.parse::<u32>("minutes")?),
    };
    Ok(NewMeasure {
        application: fields.get("application").into(),
        target: target(fields)?,
        effect: effect(fields.get("effect"))?,
        reason: fields.get("reason").into(),
        incident,
        minutes,
    })
}

fn effect(name: &str) -> Result<Effect, Failure> {
    Ok(match name {
        "restrict" => Effect::Restrict,
        "degrade" => Effect::Degrade { limits: Degradation::default() },
        "fallback" => Effect::Fallback,
        "shutdown" => Effect::Shutdown,
        _ => return Err(Failure::invalid("Choose one of the four levels.")),
    })
}

fn target(fields: &Fields) -> Result<Target, Failure> {
    let value = fields.get("value").to_owned();
    Ok(match fields.get("target") {
        "application" => Target::Application,
        "user" => Target::User { user: value },
        "session" => Target::Session { session: value },
        "address" => Target::Address { address: value },
        "api_key" => Target::ApiKey { key: value },
        "tool" => Target::Tool { tool: value },
        "model" => Target::Model { model: value },
        "upstream" => Target::Upstream { upstream: value },
        "pattern" => Target::Pattern {
            pattern: TextPattern {
                text: value,
                regex: false,
                directions: Vec::new(),
                sample: None,
            },
        },
        _ => return Err(Failure::invalid("Choose what the measure acts on.")),
    })
}

/// The measure as it would be, for saying what it would do.
fn draft(by: &Signed, new: &NewMeasure) -> Measure {
    let now = by.console.control.now();
    Measure {
        id: MeasureId::new(by.console.ids.as_ref()),
        application: new.application.clone(),
        target: new.target.clone(),
        effect: new.effect.clone(),
        reason: new.reason.clone(),
        incident: new.incident,
        actor: Actor::User(by.viewer.name.clone()),
        approval: None,
        expires_at: None,
        state: MeasureState::Proposed,
        created_at: now,
        requested_at: None,
        acknowledged_at: None,
        verified_at: None,
        ended_at: None,
        epoch: 0,
        detail: None,
        version: 1,
    }
}
