//! `/models`: bring a model, try it in shadow, release it by two people, go back.

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use quell_control::models::{ModelView as Brought, Models as All, SHADOW_JUDGED_MIN};
use quell_control::nodes::Node;
use quell_domain::ApprovalId;
use quell_store::{ModelRecord, ModelState};

use crate::confirm::context::Confirm;
use crate::consequence::Consequence;
use crate::http::failure::{sentence, status};
use crate::http::upload::Uploaded;
use crate::http::{Failure, Posted, Signed};
use crate::models::context::{
    GateView, InForce, ModelView, Models, RequestView, ShadowView, Trail,
};
use crate::moment::Moment;
use crate::shell::Section;
use crate::views::{ActorView, Link};

/// `GET /models`
pub(crate) async fn list(by: Signed) -> Result<Html<String>, Failure> {
    let content = content(&by).await?;
    by.page(Section::Detections, &content).await
}

/// `POST /models`: brings a model.
pub(crate) async fn propose(Uploaded { by, fields, file }: Uploaded) -> Result<Response, Failure> {
    let reason = fields.get("reason");
    let refused = if file.is_empty() {
        "Choose the file that quell model train wrote.".to_owned()
    } else {
        match by.console.control.propose_model(&by.access, file.to_vec(), reason).await {
            Ok(record) => {
                let place = format!("/models?done=brought#m-{}", short(&record.sha256));
                return Ok(Redirect::to(&place).into_response());
            }
            Err(refused) if matches!(status(&refused), 409 | 422) => sentence(&refused),
            Err(refused) => return Err(refused.into()),
        }
    };
    let mut content = content(&by).await?;
    (content.error, content.reason) = (Some(refused), reason.to_owned());
    Ok(by.page(Section::Detections, &content).await?.into_response())
}

/// `GET /models/{sha256}/{what}` for shadow, unshadow, release, approve, reject.
pub(crate) async fn ask(
    by: Signed,
    Path((sha256, what)): Path<(String, String)>,
) -> Result<Html<String>, Failure> {
    let model = load(&by, &sha256).await?;
    let (label, tone, consequence) = step(&what)?;
    let name = &model.record.name;
    let confirm = Confirm {
        title: format!("{label}: {name} ({})", short(&model.record.sha256)),
        consequence: Some(consequence),
        refused: match what.as_str() {
            "approve" | "reject" => {
                model.grant_refused(&by.access, by.console.control.now()).map(|r| sentence(&r))
            }
            _ => None,
        },
        warning: (what == "release").then(|| {
            "This only asks. Somebody other than you, and other than whoever brought the model, \
             must approve it before it judges anything."
                .into()
        }),
        action: format!("/models/{}/{what}", model.record.sha256),
        fields: Vec::new(),
        ask_reason: matches!(what.as_str(), "release" | "approve" | "reject"),
        label: label.into(),
        tone,
        back: place(&model.record, ""),
    };
    by.page(Section::Detections, &confirm).await
}

/// What the step called `what` says before it is taken.
fn step(what: &str) -> Result<(&'static str, &'static str, Consequence), Failure> {
    let will = |does: &str, whom: &str, others: &str, until: &str, undo: &str| Consequence {
        does: does.into(),
        whom: whom.into(),
        others: others.into(),
        until: until.into(),
        undo: undo.into(),
    };
    let everything = "Every request through every gateway.";
    Ok(match what {
        "shadow" => (
            "Try in shadow",
            "main",
            will(
                "Gateways fetch it and judge requests with it in the background; it decides \
                 nothing.",
                everything,
                "The model in force goes on judging. Another model in shadow goes back.",
                "the trial is ended, or the model released",
                "End the trial here.",
            ),
        ),
        "unshadow" => (
            "End the trial",
            "main",
            will(
                "Gateways stop judging with it; a request for its release lapses.",
                "This model.",
                "The model in force goes on judging.",
                "it is tried again",
                "Try it in shadow again; its counts begin anew.",
            ),
        ),
        "release" => (
            "Ask for release",
            "main",
            will(
                "Somebody else is asked to put it into force.",
                everything,
                "Nothing changes until then.",
                "somebody decides, or the request lapses",
                "End the trial.",
            ),
        ),
        "approve" => (
            "Approve release",
            "stop",
            will(
                "It judges in place of the model in force, from the next epoch on.",
                everything,
                "Rules and their modes stay as they are.",
                "another is released, or somebody rolls back",
                "Roll back: one person may.",
            ),
        ),
        "reject" => (
            "Reject release",
            "main",
            will(
                "The request ends. The model stays in shadow.",
                "This request.",
                "The model in force goes on judging.",
                "somebody asks again",
                "Ask for its release again.",
            ),
        ),
        _ => return Err(Failure::not_found("A model can be tried, released or rolled back.")),
    })
}

/// `POST /models/{sha256}/{what}`
pub(crate) async fn change(
    Path((sha256, what)): Path<(String, String)>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let model = load(&by, &sha256).await?;
    let (control, access) = (&by.console.control, &by.access);
    let (sha256, reason) = (&model.record.sha256, fields.get("reason"));
    let done = match what.as_str() {
        "shadow" => {
            control.shadow_model(access, sha256).await?;
            "trial"
        }
        "unshadow" => {
            control.unshadow_model(access, sha256).await?;
            "untried"
        }
        "release" => {
            control.request_model_release(access, sha256, reason).await?;
            "asked"
        }
        "approve" => {
            control.decide_approval(access, pending(&model)?, true, reason, false).await?;
            "released"
        }
        "reject" => {
            control.decide_approval(access, pending(&model)?, false, reason, false).await?;
            "declined"
        }
        _ => return Err(Failure::not_found("A model can be tried, released or rolled back.")),
    };
    Ok(Redirect::to(&place(&model.record, done)))
}

/// `GET /models/rollback`
pub(crate) async fn ask_back(by: Signed) -> Result<Html<String>, Failure> {
    let all = by.console.control.models(&by.access).await?;
    let before = before(&all).ok_or_else(|| Failure::new(409, NOTHING_BEFORE))?;
    let confirm = Confirm {
        title: format!("Roll back to {before}"),
        consequence: Some(Consequence {
            does: format!("Gateways judge with {before} again, from the next epoch on."),
            whom: "Every request through every gateway.".into(),
            others: "Rules and their modes stay as they are.".into(),
            until: "another model is released".into(),
            undo: "Bring the model again; two people release it.".into(),
        }),
        refused: None,
        warning: None,
        action: "/models/rollback".into(),
        fields: Vec::new(),
        ask_reason: true,
        label: "Roll back".into(),
        tone: "stop",
        back: "/models".into(),
    };
    by.page(Section::Detections, &confirm).await
}

/// Why there is no way back.
const NOTHING_BEFORE: &str = "The model that ships is in force; there is none before it.";

/// `POST /models/rollback`
pub(crate) async fn roll_back(Posted { by, fields }: Posted) -> Result<Redirect, Failure> {
    by.console.control.roll_back_model(&by.access, fields.get("reason")).await?;
    Ok(Redirect::to("/models?done=rolled_back"))
}

async fn load(by: &Signed, sha256: &str) -> Result<Brought, Failure> {
    let all = by.console.control.models(&by.access).await?.brought;
    let found = all.into_iter().find(|model| model.record.sha256 == sha256);
    found.ok_or_else(|| Failure::not_found("There is no such model."))
}

fn pending(model: &Brought) -> Result<ApprovalId, Failure> {
    let asked = model.request.as_ref().map(|asked| asked.id);
    asked.ok_or_else(|| Failure::new(409, "No release of this model is asked for any more."))
}

fn place(record: &ModelRecord, done: &str) -> String {
    let query = if done.is_empty() { String::new() } else { format!("?done={done}") };
    format!("/models{query}#m-{}", short(&record.sha256))
}

async fn content(by: &Signed) -> Result<Models, Failure> {
    let (control, now) = (&by.console.control, by.console.control.now());
    let all = control.models(&by.access).await?;
    let nodes = control.nodes(&by.access).await?;
    Ok(Models {
        in_force: in_force(&all, &nodes, by.viewer.can_approve),
        brought: all.brought.iter().map(|model| view(by, model, now)).collect(),
        can_admin: by.viewer.can_admin,
        error: None,
        reason: String::new(),
    })
}

fn in_force(all: &All, nodes: &[Node], can_approve: bool) -> InForce {
    let record = released(all);
    let live: Vec<&Node> = nodes.iter().filter(|node| node.live).collect();
    let other = |node: &&&Node| node.report.model.as_ref() != Some(&all.current);
    let others: Vec<&str> =
        live.iter().filter(other).map(|node| node.report.gateway.as_str()).collect();
    let (with, count) = (live.len() - others.len(), live.len());
    let gateways = match (count, others.as_slice()) {
        (0, _) => "No gateway reports now".into(),
        (_, []) => format!("Judging with it: {with} of {count} gateways"),
        (_, others) => {
            format!("Judging with it: {with} of {count} gateways; not yet {}", others.join(", "))
        }
    };
    InForce {
        name: record.map_or_else(|| "The model that ships".into(), |model| model.name.clone()),
        sha256: all.current.clone(),
        ships: record.is_none(),
        everywhere: !live.is_empty() && others.is_empty(),
        gateways,
        before: before(all),
        can_roll_back: can_approve,
    }
}

fn released(all: &All) -> Option<&ModelRecord> {
    let mut records = all.brought.iter().map(|model| &model.record);
    records.find(|record| record.sha256 == all.current)
}

/// What rolling back goes to.
fn before(all: &All) -> Option<String> {
    let record = released(all)?;
    let Some(before) = &record.replaces else { return Some("the model that ships".into()) };
    let known = all.brought.iter().find(|model| model.record.sha256 == *before);
    let name = known.map_or("", |model| model.record.name.as_str());
    Some(format!("{name} ({})", short(before)).trim().to_owned())
}

fn view(by: &Signed, model: &Brought, now: Timestamp) -> ModelView {
    let record = &model.record;
    let admin = by.viewer.can_admin;
    let shadow = model.shadow.as_ref().map(|counts| ShadowView::new(counts, SHADOW_JUDGED_MIN));
    let enough = shadow.as_ref().is_some_and(|shadow| shadow.enough);
    let act =
        |what: &str, label: &str| Link::new(format!("/models/{}/{what}", record.sha256), label);
    let mut actions = Vec::new();
    let mut blocked = None;
    match record.state {
        ModelState::Candidate if record.gate.passed => {
            actions.push(act("shadow", "Try in shadow…"));
        }
        ModelState::Candidate => {
            blocked = Some("The gate refuses it; it is kept, and goes nowhere.".into());
        }
        ModelState::Shadow => {
            if enough && model.request.is_none() {
                actions.push(act("release", "Ask for release…"));
            } else if !enough {
                blocked = Some(format!(
                    "Its release may be asked for once it has judged {SHADOW_JUDGED_MIN} requests."
                ));
            }
            actions.push(act("unshadow", "End the trial…"));
        }
        ModelState::Released | ModelState::Retired => {}
    }
    ModelView {
        short: short(&record.sha256).into(),
        sha256: record.sha256.clone(),
        name: if record.name.is_empty() { "unnamed".into() } else { record.name.clone() },
        size: format!("{:.1} MB", record.size as f64 / 1_000_000.0),
        state: state(record),
        done: matches!(record.state, ModelState::Released | ModelState::Retired),
        gate: GateView::new(&record.gate),
        shadow,
        trail: trail(record, now),
        request: model.request.as_ref().map(|asked| RequestView {
            by: ActorView::from(&asked.requester),
            at: Moment::new(asked.requested_at, now),
            expires: Moment::new(asked.expires_at, now),
            reason: asked.request_reason.clone(),
            blocked: model.grant_refused(&by.access, now).map(|refused| sentence(&refused)),
        }),
        actions: if admin { actions } else { Vec::new() },
        blocked,
    }
}

fn state(record: &ModelRecord) -> &'static str {
    let rolled_back = record.ended.as_ref().is_some_and(|end| end.rolled_back.is_some());
    match record.state {
        ModelState::Candidate if !record.gate.passed => "refused",
        ModelState::Retired if rolled_back => "rolled_back",
        state => state.as_str(),
    }
}

/// Who did what with it.
fn trail(record: &ModelRecord, now: Timestamp) -> Vec<Trail> {
    let mut trail = vec![Trail {
        what: "Brought",
        actor: ActorView::from(&record.proposed_by),
        at: Moment::new(record.proposed_at, now),
        reason: record.reason.clone(),
    }];
    let mut push = |what, actor: Option<&_>, at: Option<Timestamp>, reason: &str| {
        if let (Some(actor), Some(at)) = (actor, at) {
            let (actor, at) = (ActorView::from(actor), Moment::new(at, now));
            trail.push(Trail { what, actor, at, reason: reason.into() });
        }
    };
    push("Put in shadow", record.shadow_by.as_ref(), record.shadow_since, "");
    push("Released", record.released_by.as_ref(), record.released_at, "");
    if let Some(end) = &record.ended {
        let what = if end.rolled_back.is_some() { "Rolled back" } else { "Replaced by another" };
        push(what, Some(&end.by), Some(end.at), end.rolled_back.as_deref().unwrap_or_default());
    }
    trail
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
