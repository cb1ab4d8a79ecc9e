//! Why a text was found: the recorded exchange judged again with the rules in force now.

use std::sync::Arc;

use quell_detection::{Budget, Context, PatternSet, Review, RuleSet, Scores};
use quell_domain::application::Limits;
use quell_domain::interaction::Interaction;
use quell_domain::rule::Direction;

use crate::access::Access;
use crate::handle::Control;
use crate::interactions::InteractionText;
use crate::refused::Refused;
use crate::rules::effective_content;

/// A signal's exchange, and what the rules in force say about it today.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The exchange with its text.
    pub read: InteractionText,
    /// How sure today's judgement is; none where no text was kept.
    pub scores: Option<Scores>,
    /// Whether the rule matches today.
    pub still: bool,
}

impl Control {
    /// Reads the exchange of a signal, for a reason, and judges it again. That it was read is an
    /// event, stored before the text is given.
    pub async fn explain_signal(
        &self,
        access: &Access,
        id: &str,
        reason: &str,
    ) -> Result<Explained, Refused> {
        let view = self.signal(access, id).await?;
        let signal = view.record.signal;
        let interaction = view.record.interaction;
        let interaction = interaction.ok_or_else(|| Refused::not_found("interaction of", id))?;
        let read = self.read_interaction(access, interaction, reason).await?;
        let kept = read.interaction.texts(signal.direction).iter().any(|f| !f.text.is_empty());
        if !kept {
            return Ok(Explained { read, scores: None, still: false });
        }
        let rules = self.rule_book().current(&mut self.read().await?).await?;
        let model = self.classifier().await?;
        let overrides = effective_content(&mut self.read().await?).await?;
        let record = read.interaction.clone();
        let direction = signal.direction;
        let judge = move || -> Result<_, Refused> {
            if rules.classifier().is_some_and(|held| held.sha256() == model.sha256()) {
                return Ok(judged(&rules, &record, direction));
            }
            let rules = RuleSet::with_overrides(&overrides).map_err(Refused::files)?;
            let rules = rules.with_classifier(Some(Arc::new(model)));
            Ok(judged(&rules, &record, direction))
        };
        let (scores, matched) =
            tokio::task::spawn_blocking(judge).await.map_err(Refused::files)??;
        let still = matched.contains(&signal.rule);
        Ok(Explained { read, scores: Some(scores), still })
    }
}

/// The scores and the rules that match.
fn judged(rules: &RuleSet, record: &Interaction, direction: Direction) -> (Scores, Vec<String>) {
    let system: Vec<&str> = record
        .request
        .iter()
        .filter(|field| field.part == "system")
        .map(|field| field.text.as_str())
        .collect();
    let context = Context {
        application: &record.application,
        endpoint: record.endpoint,
        model: record.model_asked.as_deref(),
        principal: &record.principal,
        system_text: &system.join("\n"),
        canaries: &[],
        tools_offered: &record.tools_offered,
        review: Review::recorded(record),
        stream: record.stream,
        parameters: &record.parameters,
    };
    let mut budget = Budget::new(Limits::default().work_bytes);
    let none = PatternSet::empty();
    let mut found =
        rules.inspect_request(&context, &none, &record.request, &mut budget, record.id, None);
    if direction == Direction::Output {
        let facts = found.facts;
        let fields = &record.response;
        found = rules.inspect_response(&context, &none, fields, &mut budget, record.id, &facts);
    }
    (found.scores, found.signals.into_iter().map(|signal| signal.rule).collect())
}
