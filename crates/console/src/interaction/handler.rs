//! `/interactions/{id}`: metadata for whoever may look, text for a reason.

use axum::extract::Path;
use axum::response::Html;
use quell_control::interactions::InteractionSummary;
use quell_domain::interaction::{Cause, Cut, Interaction, TextField};
use quell_domain::signal::Span;
use quell_domain::{InteractionId, Signal};

use crate::http::failure::{sentence, status};
use crate::http::{Failure, Posted, Signed};
use crate::interaction::context::{CauseView, InteractionPage, Pair};
use crate::interactions::handler::who;
use crate::measures::{link, numbers};
use crate::moment::{Moment, duration};
use crate::render::words;
use crate::shell::Section;
use crate::views::{FieldText, SignalView, segments};

/// `GET /interactions/{id}`
pub(crate) async fn show(by: Signed, Path(id): Path<String>) -> Result<Html<String>, Failure> {
    let content = hidden(&by, parse(&id)?).await?;
    by.page(Section::Interactions, &content).await
}

/// `POST /interactions/{id}`: the text, for a reason. Reading it is an event.
pub(crate) async fn reveal(
    Path(id): Path<String>,
    Posted { by, fields }: Posted,
) -> Result<Html<String>, Failure> {
    let id = parse(&id)?;
    let content =
        match by.console.control.read_interaction(&by.access, id, fields.get("reason")).await {
            Ok(read) => {
                let numbers = numbers(&by).await?;
                let mut content = summary(&by, &read.summary);
                content.incidents = read.incidents.iter().map(|id| link(*id, &numbers)).collect();
                reveal_into(&mut content, &read.interaction);
                content
            }
            Err(refused) if status(&refused) == 422 => {
                InteractionPage { error: Some(sentence(&refused)), ..hidden(&by, id).await? }
            }
            Err(refused) => return Err(refused.into()),
        };
    by.page(Section::Interactions, &content).await
}

fn parse(id: &str) -> Result<InteractionId, Failure> {
    id.parse().map_err(|_| Failure::not_found("There is no such interaction."))
}

async fn hidden(by: &Signed, id: InteractionId) -> Result<InteractionPage, Failure> {
    let found = by.console.control.interaction(&by.access, id).await?;
    Ok(summary(by, &found))
}

fn summary(by: &Signed, found: &InteractionSummary) -> InteractionPage {
    let now = by.console.control.now();
    let principal = &found.principal;
    let mut rows = Vec::new();
    for (name, claim) in [("User", &principal.user), ("Session", &principal.session)] {
        if let Some(claim) = claim {
            rows.push(Pair::new(name, format!("{} ({})", claim.value, claim.grade)));
        }
    }
    if let Some(address) = &principal.address {
        rows.push(Pair::new("Address", format!("{address} (observed)")));
    }
    if let Some(key) = principal.key {
        rows.push(Pair::code("Key", key.to_string()));
    }
    let streamed = if found.stream { ", streamed" } else { "" };
    InteractionPage {
        id: found.id.to_string(),
        href: format!("/interactions/{}", found.id),
        application: found.application.clone(),
        user: who(principal).0,
        started: Moment::new(found.at, now),
        outcome: found.outcome.to_string(),
        causes: Vec::new(),
        not_evaluated: Vec::new(),
        cut: found.cut.as_ref().map(cut),
        signals: Vec::new(),
        findings: found.findings.clone(),
        incidents: Vec::new(),
        principal: rows,
        exchange: vec![
            Pair::new("Endpoint", format!("{}{streamed}", words(found.endpoint.as_str()))),
            Pair::new("Model asked", found.model.clone().unwrap_or_else(|| "none".into())),
            Pair::new("Status", found.status.to_string()),
            Pair::new("Request", format!("{} characters", found.request_chars)),
            Pair::new("Response", format!("{} characters", found.response_chars)),
        ],
        provenance: vec![
            Pair::new("Gateway", found.gateway.clone()),
            Pair::new("Log record", found.sequence.to_string()),
        ],
        request: Vec::new(),
        response: Vec::new(),
        revealed: false,
        no_text: None,
        error: None,
        can_reveal: by.viewer.can_respond,
    }
}

fn cause(cause: &Cause) -> CauseView {
    let outcome = cause.outcome.to_string();
    let (by, href) = match cause.by.split_once(':') {
        Some(("measure", id)) => ("a measure".to_owned(), Some(format!("/containment#{id}"))),
        Some(("rule", id)) => {
            (format!("rule {id}"), Some(crate::http::link("/detections", &[("q", id)])))
        }
        _ => (by(&cause.by), None),
    };
    CauseView { outcome, by, href }
}

fn cut(cut: &Cut) -> String {
    format!(
        "Cut by {} after {} characters; {} of them belong to the match.",
        by(&cut.by),
        cut.delivered_chars,
        cut.leaked_chars
    )
}

/// `rule:x` → `rule x`.
fn by(text: &str) -> String {
    text.replacen(':', " ", 1)
}

/// Adds everything the full record says.
fn reveal_into(content: &mut InteractionPage, record: &Interaction) {
    content.causes = record.causes.iter().map(cause).collect();
    content.not_evaluated = record
        .not_evaluated
        .iter()
        .map(|part| match part.field.as_str() {
            "" => part.reason.replace('_', " "),
            field => format!("{} in {field}", part.reason.replace('_', " ")),
        })
        .collect();
    content.findings = Vec::new();
    content.signals = record.signals.iter().map(signal).collect();
    let spans: Vec<&Span> = record.signals.iter().flat_map(|signal| &signal.spans).collect();
    content.request = texts("request", &record.request, &spans);
    content.response = texts("response", &record.response, &spans);
    content.revealed = true;
    let kept = record.request.iter().chain(&record.response).any(|field| !field.text.is_empty());
    if !kept && record.request_chars + record.response_chars > 0 {
        content.no_text =
            Some("This application records metadata only; the text was never kept.".into());
    }
    let usage = &record.usage;
    let mut more = |name, value: Option<String>| {
        if let Some(value) = value {
            content.exchange.push(Pair::new(name, value));
        }
    };
    more("Model served", record.model_served.clone());
    more("Upstream", record.upstream.clone());
    more("Tokens in", usage.input_tokens.map(|tokens| tokens.to_string()));
    more("Tokens out", usage.output_tokens.map(|tokens| tokens.to_string()));
    more("First byte", record.timing.first_byte_us.map(duration));
    more("Last byte", record.timing.last_byte_us.map(duration));
    more("Finished", Some(record.finish_reasons.join(", ")).filter(|text| !text.is_empty()));
    more("Tools called", tools(record));
    content.provenance.push(Pair::new("Epoch", record.epoch.to_string()));
    let digests = &record.digests;
    for (name, digest) in [
        ("System prompt", &digests.system_prompt),
        ("Rules", &digests.rules),
        ("Configuration", &digests.config),
        ("Request received", &digests.request_received),
        ("Request forwarded", &digests.request_forwarded),
        ("Response received", &digests.response_received),
        ("Response delivered", &digests.response_delivered),
        ("Provider request", &record.provider_request_id),
        ("Trace", &record.traceparent),
    ] {
        if let Some(value) = digest {
            content.provenance.push(Pair::code(name, value.clone()));
        }
    }
}

fn tools(record: &Interaction) -> Option<String> {
    let names: Vec<&str> = record.tool_calls.iter().map(|call| call.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn signal(signal: &Signal) -> SignalView {
    SignalView {
        href: crate::signal::handler::href(&signal.id),
        title: signal.title.clone(),
        rule: signal.rule.clone(),
        severity: signal.severity,
        facts: signal.facts.clone(),
        direction: signal.direction.to_string(),
        mode: signal.mode.to_string(),
        effect: signal.effect.to_string(),
        taxonomy: signal.taxonomy.clone(),
    }
}

fn texts(direction: &str, fields: &[TextField], spans: &[&Span]) -> Vec<FieldText> {
    fields
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let here: Vec<Span> = spans
                .iter()
                .filter(|span| span.field == field.field)
                .map(|s| (*s).clone())
                .collect();
            let mut facts: Vec<String> = here.iter().map(|span| span.fact.clone()).collect();
            facts.sort_unstable();
            facts.dedup();
            FieldText {
                anchor: format!("{direction}-{index}"),
                field: field.field.clone(),
                speaker: words(field.role.as_str()),
                part: field.part.clone(),
                facts,
                segments: segments(&field.text, &here),
                note: "Empty.".into(),
            }
        })
        .collect()
}
