//! Level 3: deterministic answers instead of the model, in the right wire shape.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use quell_domain::application::FallbackPlan;
use quell_domain::interaction::Endpoint;
use quell_response::Treatment;
use quell_wire::{ParsedRequest, RefusalReason, WireReply};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::active::Secret;
use crate::exchange::{Exchange, Stop};

/// How long the receiver of a hand-off may take.
const HANDOFF_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a conversation stays with the ticket it got.
const HANDOFF_HOLDS: Duration = Duration::from_mins(30);

/// Conversations remembered.
const HANDOFFS_MAX: usize = 10_000;

/// The answer, if the treatment says fallback.
pub(crate) async fn answer(exchange: &Exchange, treatment: &Treatment) -> Option<WireReply> {
    treatment.fallback.as_ref()?;
    let endpoint = exchange.record.endpoint;
    let Some(request) = exchange.request.as_ref().filter(|_| endpoint != Endpoint::Embeddings)
    else {
        let Stop::Refused(refusal) = exchange.refuse_contained(RefusalReason::ShutDown) else {
            return None;
        };
        return Some(quell_wire::refuse(endpoint, &refusal));
    };
    let plan = &exchange.application.as_ref()?.config.fallback;
    let text = match handoff(exchange, plan).await {
        Some(text) => text,
        None => canned(plan, &quell_wire::last_user_text(request)).to_owned(),
    };
    Some(quell_wire::fallback_reply(
        endpoint,
        request.stream,
        &text,
        exchange.record.model_asked.as_deref().unwrap_or("fallback"),
        &exchange.record.id.uuid().simple().to_string(),
        exchange.record.started_at.as_second(),
        wants_usage(request),
    ))
}

/// `stream_options.include_usage` of the chat and completions surfaces.
fn wants_usage(request: &ParsedRequest) -> bool {
    request.body.pointer("/stream_options/include_usage").and_then(serde_json::Value::as_bool)
        == Some(true)
}

/// The first intent with a keyword in `said`, else the plan's own text.
fn canned<'a>(plan: &'a FallbackPlan, said: &str) -> &'a str {
    let said = said.to_lowercase();
    let speaks_of = |word: &String| !word.is_empty() && said.contains(&word.to_lowercase());
    plan.intents
        .iter()
        .find(|intent| intent.keywords.iter().any(speaks_of))
        .map_or(plan.text.as_str(), |intent| intent.text.as_str())
}

/// Hands the conversation over to people: a signed webhook with a reference, never the text. None
/// when there is no hand-off or its receiver did not take it.
async fn handoff(exchange: &Exchange, plan: &FallbackPlan) -> Option<String> {
    let application = exchange.application.as_ref()?;
    let handoff = plan.handoff.as_ref()?;
    let Secret::Known(secret) = &application.handoff_secret else { return None };
    let conversation = conversation(exchange);
    if let Some(ticket) =
        exchange.shared.handoffs.known(&conversation, exchange.shared.clock.ticks())
    {
        return Some(handoff.text.replace("{ticket}", &ticket));
    }
    let id = exchange.record.id.uuid().simple().to_string();
    let ticket = format!("Q-{}", id.get(id.len().saturating_sub(10)..)?.to_uppercase());
    if exchange.probe.is_some() {
        return Some(handoff.text.replace("{ticket}", &ticket));
    }
    let body = json!({
        "ticket": ticket,
        "application": application.config.name,
        "interaction": exchange.record.id.to_string(),
        "session": exchange.record.principal.session,
        "user": exchange.record.principal.user,
        "at": exchange.record.started_at.to_string(),
    });
    let shared = &exchange.shared;
    let sent = shared.webhooks.post_signed(
        &handoff.url,
        secret.expose_secret().as_bytes(),
        body.to_string(),
        shared.clock.now(),
    );
    match tokio::time::timeout(HANDOFF_TIMEOUT, sent).await {
        Ok(Ok(response)) if response.status.is_success() => {
            shared.handoffs.took(conversation, ticket.clone(), shared.clock.ticks());
            Some(handoff.text.replace("{ticket}", &ticket))
        }
        Ok(Ok(response)) => {
            tracing::warn!(interaction.id = %exchange.record.id, status = %response.status, "the hand-off receiver refused; answering with canned text");
            None
        }
        Ok(Err(error)) => {
            tracing::warn!(interaction.id = %exchange.record.id, %error, "the hand-off receiver is down; answering with canned text");
            None
        }
        Err(_) => {
            tracing::warn!(interaction.id = %exchange.record.id, "the hand-off receiver did not answer in time; answering with canned text");
            None
        }
    }
}

/// What counts as one conversation: a session, else a user, else a key and address.
fn conversation(exchange: &Exchange) -> String {
    let principal = &exchange.record.principal;
    let who = principal
        .session
        .as_ref()
        .or(principal.user.as_ref())
        .map_or_else(|| principal.address.clone().unwrap_or_default(), |claim| claim.value.clone());
    let key = principal.key.map(|key| key.to_string()).unwrap_or_default();
    format!("{}\n{key}\n{who}", exchange.record.application)
}

/// Conversations that people have already been handed, so that each costs one webhook.
#[derive(Debug, Default)]
pub(crate) struct Handoffs(Mutex<HashMap<String, (String, Duration)>>);

impl Handoffs {
    /// The ticket of a conversation that was handed over lately.
    fn known(&self, conversation: &str, now: Duration) -> Option<String> {
        let taken = self.0.lock();
        let (ticket, at) = taken.get(conversation)?;
        (now.saturating_sub(*at) < HANDOFF_HOLDS).then(|| ticket.clone())
    }

    fn took(&self, conversation: String, ticket: String, now: Duration) {
        let mut taken = self.0.lock();
        if taken.len() >= HANDOFFS_MAX {
            taken.retain(|_, (_, at)| now.saturating_sub(*at) < HANDOFF_HOLDS);
        }
        if taken.len() < HANDOFFS_MAX {
            taken.insert(conversation, (ticket, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_domain::application::FallbackIntent;

    #[test]
    fn the_first_intent_with_a_keyword_answers() {
        let intent = |word: &str, text: &str| FallbackIntent {
            keywords: vec![word.into()],
            text: text.into(),
        };
        let plan = FallbackPlan {
            intents: vec![intent("Refund", "refunds"), intent("order", "orders")],
            text: "default".into(),
            handoff: None,
        };
        assert_eq!(canned(&plan, "where is my ORDER and my refund"), "refunds");
        assert_eq!(canned(&plan, "my order"), "orders");
        assert_eq!(canned(&plan, "hello"), "default");
    }
}
