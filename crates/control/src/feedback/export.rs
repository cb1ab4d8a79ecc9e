//! Labelled texts as rows to train on. The text comes from the interaction log; a row says where
//! it comes from, so that a model trained on it can be traced to who said what.

use quell_domain::feedback::{Label, LabelSource};
use quell_domain::interaction::{Role, TextField};
use quell_domain::{AccessRole, Actor, IncidentId, IncidentKind, Interaction, InteractionId};
use quell_store::{LabelFilter, PageRequest, SignalLabel, SignalRecord};
use serde::Serialize;
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::incidents::text_of;
use crate::refused::Refused;

/// What gateways write where text was redacted.
const REDACTED: &str = "[redacted]";
/// Labels of one page: each may cost a search in the log.
const PAGE_MAX: u32 = 100;

/// One labelled text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedbackRow {
    /// Signal and field, so that a row has an identity.
    pub id: String,
    /// The text.
    pub text: String,
    /// `attack` where the signal was confirmed, else `benign`.
    pub label: &'static str,
    /// Whose text: `user`, `system`, `document`, `output`.
    pub role: &'static str,
    /// What the signal suggested.
    pub family: IncidentKind,
    /// Always `feedback`.
    pub source: &'static str,
    /// Where the row comes from.
    pub provenance: Provenance,
}

/// Where a row comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The signal.
    pub signal: String,
    /// The rule that raised it.
    pub rule: String,
    /// The exchange.
    pub interaction: InteractionId,
    /// The field of the exchange.
    pub field: String,
    /// The application.
    pub application: String,
    /// The incident the label comes from or belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// How the label came about.
    pub labelled: LabelSource,
    /// Who said it.
    pub labelled_by: Actor,
    /// When.
    pub labelled_at: jiff::Timestamp,
    /// Digest of the rules that judged the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules_sha256: Option<String>,
    /// Digest of the classifier that judged the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_sha256: Option<String>,
}

/// Labels that gave no row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The signal points at no text: it counts others, or rests on the exchange as a whole.
    pub no_span: u64,
    /// The exchange is not in the log any more, or not within reach of a search.
    pub not_found: u64,
    /// The application records no text, or a redacted one.
    pub not_kept: u64,
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportPage {
    /// The rows.
    pub rows: Vec<FeedbackRow>,
    /// Labels that gave none.
    pub skipped: Skipped,
    /// Cursor of the next page.
    pub next: Option<String>,
}

impl Control {
    /// Labelled texts, newest label first, for a reason. That they were read is an event, stored
    /// before any text is given.
    pub async fn export_feedback(
        &self,
        access: &Access,
        filter: &LabelFilter,
        page: &PageRequest,
        reason: &str,
    ) -> Result<ExportPage, Refused> {
        access.require(AccessRole::Responder)?;
        let reason = text_of("a reason", reason)?;
        let page = PageRequest { limit: page.limit.min(PAGE_MAX), ..page.clone() };
        let labels = self.read().await?.labels(filter, &page).await?;
        let mut unit = self.unit(&access.actor).await?;
        let data = json!({"labels": labels.items.len(), "reason": reason});
        unit.event(filter.incident, "feedback.exported", data);
        unit.commit().await?;
        let (mut rows, mut skipped) = (Vec::new(), Skipped::default());
        for (label, record) in &labels.items {
            if record.signal.spans.is_empty() {
                skipped.no_span += 1;
                continue;
            }
            let found = match record.interaction {
                Some(id) => self.locate(id).await,
                None => Err(Refused::not_found("interaction", "")),
            };
            match found {
                Ok((_, _, interaction)) => {
                    let before = rows.len();
                    rows.extend(rows_of(label, record, &interaction));
                    skipped.not_kept += u64::from(rows.len() == before);
                }
                Err(Refused::NotFound { .. }) => skipped.not_found += 1,
                Err(refused) => return Err(refused),
            }
        }
        Ok(ExportPage { rows, skipped, next: labels.next })
    }
}

/// The fields a signal points at, each as a row.
pub(crate) fn rows_of<'a>(
    label: &'a SignalLabel,
    record: &'a SignalRecord,
    interaction: &'a Interaction,
) -> impl Iterator<Item = FeedbackRow> + 'a {
    let signal = &record.signal;
    let pointed = |field: &&TextField| signal.spans.iter().any(|span| span.field == field.field);
    let fields = interaction.texts(signal.direction).iter().filter(pointed);
    let kept = |field: &&TextField| !field.text.trim().is_empty() && !field.text.contains(REDACTED);
    fields.filter(kept).map(|field| FeedbackRow {
        id: format!("{}{}", signal.id, field.field),
        text: field.text.clone(),
        label: match label.label {
            Label::Confirmed => "attack",
            Label::FalsePositive => "benign",
        },
        role: match field.role {
            Role::User => "user",
            Role::System => "system",
            Role::Tool | Role::ToolDefinition => "document",
            Role::Assistant => "output",
        },
        family: signal.kind,
        source: "feedback",
        provenance: Provenance {
            signal: signal.id.clone(),
            rule: signal.rule.clone(),
            interaction: interaction.id,
            field: field.field.clone(),
            application: record.application.clone(),
            incident: label.incident,
            labelled: label.source,
            labelled_by: label.actor.clone(),
            labelled_at: label.at,
            rules_sha256: interaction.digests.rules.clone(),
            model_sha256: interaction.digests.model.clone(),
        },
    })
}
