//! `/signals/{id}`: why it was found, its text for a reason, and whether it was right.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::{Html, Redirect};
use quell_control::feedback::{Explained, SignalView};
use quell_domain::Signal;
use quell_domain::feedback::{Label, LabelSource};
use quell_domain::interaction::TextField;
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::signal::Span;

use crate::http::failure::{sentence, status};
use crate::http::{Failure, Posted, Signed};
use crate::interaction::context::Pair;
use crate::measures::{link, numbers};
use crate::moment::Moment;
use crate::render::words;
use crate::shell::Section;
use crate::signal::context::{LabelView, Reason, ScoreBar, SignalPage};
use crate::views::{ActorView, FieldText, Link, segments};

/// `GET /signals/{id}`
pub(crate) async fn show(by: Signed, Path(id): Path<String>) -> Result<Html<String>, Failure> {
    let content = hidden(&by, &id).await?;
    by.page(Section::Detections, &content).await
}

/// `POST /signals/{id}`: the text, for a reason. Reading it is an event.
pub(crate) async fn reveal(
    Path(id): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Html<String>, Failure> {
    let mut content = hidden(&by, &id).await?;
    match by.console.control.explain_signal(&by.access, &id, fields.get("reason")).await {
        Ok(explained) => {
            let signal = by.console.control.signal(&by.access, &id).await?.record.signal;
            reveal_into(&mut content, &signal, &explained);
        }
        Err(refused) if status(&refused) == 422 => content.error = Some(sentence(&refused)),
        Err(refused) => return Err(refused.into()),
    }
    by.page(Section::Detections, &content).await
}

/// `POST /signals/{id}/label`
pub(crate) async fn label(
    Path(id): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Redirect, Failure> {
    let label: Label = fields.parse("label")?;
    by.console.control.label_signal(&by.access, &id, label, fields.get("reason")).await?;
    Ok(Redirect::to(&format!("{}?done=labelled", href(&id))))
}

/// `POST /signals/{id}/unlabel`
pub(crate) async fn unlabel(
    Path(id): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, Failure> {
    by.console.control.unlabel_signal(&by.access, &id).await?;
    Ok(Redirect::to(&format!("{}?done=unlabelled", href(&id))))
}

/// The page of a signal.
pub(crate) fn href(id: &str) -> String {
    format!("/signals/{}", crate::http::segment(id))
}

async fn hidden(by: &Signed, id: &str) -> Result<SignalPage, Failure> {
    let control = &by.console.control;
    let SignalView { record, label } = control.signal(&by.access, id).await?;
    let meanings = control.fact_meanings().await?;
    let now = control.now();
    let signal = &record.signal;
    let mut facts = vec![Pair::new("Application", record.application.clone())];
    for (name, claim) in [("User", &record.principal.user), ("Session", &record.principal.session)]
    {
        if let Some(claim) = claim {
            facts.push(Pair::new(name, format!("{} ({})", claim.value, claim.grade)));
        }
    }
    facts.push(Pair::new("Direction", words(signal.direction.as_str())));
    let numbers = numbers(by).await?;
    // A rule that was removed has no page any more.
    let known = control.rules(&by.access).await?.iter().any(|rule| rule.info.id == signal.rule);
    let rule = if known {
        crate::rule::handler::href(&signal.rule)
    } else {
        crate::http::link("/interactions", &[("rule", &signal.rule)])
    };
    let no_text = match record.interaction {
        None => Some("This rule counts other signals; it points at no text."),
        Some(_) if signal.spans.is_empty() && signal.facts.is_empty() => {
            Some("This rule counts other signals; the exchange that completed the count is linked.")
        }
        Some(_) => None,
    };
    Ok(SignalPage {
        id: signal.id.clone(),
        href: href(&signal.id),
        title: signal.title.clone(),
        severity: signal.severity,
        kind_title: signal.kind.title().into(),
        mode: signal.mode.to_string(),
        did: did(signal),
        at: Moment::new(record.at, now),
        rule: Link::new(rule, &signal.rule),
        reasons: reasons(signal, &meanings),
        taxonomy: signal.taxonomy.clone(),
        facts,
        interaction: record
            .interaction
            .map(|id| Link::new(format!("/interactions/{id}"), id.to_string())),
        incident: record.incident.map(|id| link(id, &numbers)),
        label: label.map(|label| LabelView {
            label: label.label.to_string(),
            actor: ActorView::from(&label.actor),
            at: Moment::new(label.at, now),
            reason: label.reason,
            by_incident: label.source == LabelSource::Incident,
        }),
        today: None,
        scores: Vec::new(),
        texts: Vec::new(),
        revealed: false,
        no_text: no_text.map(Into::into),
        error: None,
        can_respond: by.viewer.can_respond,
    })
}

/// What the rule did to the traffic.
fn did(signal: &Signal) -> String {
    let what = match signal.direction {
        Direction::Input => "request",
        Direction::Output => "answer",
    };
    match (signal.effect, signal.mode) {
        (RuleEffect::Signal, _) => "It only raises a signal.".into(),
        (RuleEffect::Redact, RuleMode::Enforce) => format!("It redacted the {what}."),
        (RuleEffect::Block, RuleMode::Enforce) => format!("It blocked the {what}."),
        (RuleEffect::Redact, RuleMode::Shadow) => {
            format!("In shadow: it would have redacted the {what}.")
        }
        (RuleEffect::Block, RuleMode::Shadow) => {
            format!("In shadow: it would have blocked the {what}.")
        }
    }
}

fn reasons(signal: &Signal, meanings: &BTreeMap<String, String>) -> Vec<Reason> {
    let reason = |fact: &String| {
        let times = signal.spans.iter().filter(|span| span.fact == *fact).count();
        Reason {
            fact: fact.clone(),
            meaning: meanings.get(fact).cloned().unwrap_or_else(|| "stated by a detector".into()),
            places: match times {
                0 => "about the exchange as a whole".into(),
                1 => "at one place".into(),
                times => format!("at {times} places"),
            },
        }
    };
    signal.facts.iter().map(reason).collect()
}

fn reveal_into(content: &mut SignalPage, signal: &Signal, explained: &Explained) {
    content.revealed = true;
    let fields = explained.read.interaction.texts(signal.direction);
    content.texts = texts(fields, &signal.spans);
    let Some(scores) = &explained.scores else {
        content.no_text =
            Some("This application records metadata only; the text was never kept.".into());
        return;
    };
    content.scores = [
        ("attack", scores.attack),
        ("harm", scores.harm),
        ("leak", scores.leak),
        ("identifiers", scores.identifiers),
        ("secrets", scores.secrets),
    ]
    .map(|(name, score)| ScoreBar::new(name, score))
    .to_vec();
    let again = if explained.still { "find it again" } else { "do not find it any more" };
    content.today = Some(format!(
        "The rules in force now {again}. The scores are today's; 50 is the threshold."
    ));
}

/// The fields the signal points at; every field if it points at none.
fn texts(fields: &[TextField], spans: &[Span]) -> Vec<FieldText> {
    let here = |field: &TextField| -> Vec<Span> {
        spans.iter().filter(|span| span.field == field.field).cloned().collect()
    };
    let wanted = fields.iter().filter(|field| spans.is_empty() || !here(field).is_empty());
    wanted
        .enumerate()
        .map(|(index, field)| {
            let spans = here(field);
            let mut facts: Vec<String> = spans.iter().map(|span| span.fact.clone()).collect();
            facts.sort_unstable();
            facts.dedup();
            FieldText {
                anchor: format!("text-{index}"),
                field: field.field.clone(),
                speaker: words(field.role.as_str()),
                part: field.part.clone(),
                facts,
                segments: segments(&field.text, &spans),
                note: "Empty.".into(),
            }
        })
        .collect()
}
