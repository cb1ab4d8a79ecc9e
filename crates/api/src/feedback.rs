//! Labels on signals: lists, figures by rule, and the labelled texts as rows to train on.

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::feedback::{ExportPage, FeedbackRow};
use quell_domain::IncidentKind;
use quell_domain::feedback::{Label, LabelSource};
use quell_domain::{Actor, IncidentId, InteractionId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Query};
use crate::paging::{Paged, page};
use crate::problem::Result;
use crate::records::{LabelFilter, RuleFigures, SignalLabel, SignalRecord};

/// Which labels.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichLabels {
    /// Saying this.
    label: Option<Label>,
    /// About signals of this rule.
    rule: Option<String>,
    /// About signals of this application.
    application: Option<String>,
    /// Of this incident.
    #[param(value_type = Option<String>)]
    incident: Option<IncidentId>,
    /// Given at or after.
    from: Option<Timestamp>,
    /// Given before.
    to: Option<Timestamp>,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A label and the signal it is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Labelled {
    /// What was said.
    label: SignalLabel,
    /// About which signal.
    record: SignalRecord,
}

/// Lists labels with their signals, newest first, without text.
#[utoipa::path(
    get, path = "/api/v1/feedback", tag = "feedback", params(WhichLabels),
    responses((status = 200, body = Paged<Labelled>))
)]
pub(crate) async fn list_labels(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichLabels>,
) -> Result<Reply<Paged<Labelled>>> {
    let WhichLabels { label, rule, application, incident, from, to, limit, cursor } = which;
    let filter = LabelFilter { label, rule, application, incident, from, to };
    let found = control.labels(&access, &filter, &page(limit, cursor)).await?;
    let items = found.items.into_iter().map(|(label, record)| Labelled { label, record });
    let items = items.collect();
    Ok(Reply(crate::records::Page { items, next: found.next }.into()))
}

/// How a rule fares.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Counts.
    #[serde(flatten)]
    figures: RuleFigures,
    /// Confirmed among labelled signals, in percent; absent without a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<i64>,
}

/// Says how often every rule matched in the last 24 hours and 7 days, how often it would have acted,
/// and its precision by feedback.
#[utoipa::path(
    get, path = "/api/v1/feedback/rules", tag = "feedback",
    responses((status = 200, body = [Figures]))
)]
pub(crate) async fn list_rule_figures(
    State(control): State<Control>,
    Caller(access): Caller,
) -> Result<Reply<Vec<Figures>>> {
    let figures = control.rule_figures(&access).await?.into_iter();
    let with = |figures: RuleFigures| Figures { precision: figures.precision(), figures };
    Ok(Reply(figures.map(with).collect()))
}

/// Which labelled texts, and why they are needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportWanted {
    /// Why the texts are needed.
    reason: String,
    /// Saying this.
    #[serde(default)]
    label: Option<Label>,
    /// About signals of this rule.
    #[serde(default)]
    rule: Option<String>,
    /// About signals of this application.
    #[serde(default)]
    application: Option<String>,
    /// Of this incident.
    #[serde(default)]
    incident: Option<IncidentId>,
    /// Given at or after.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Given before.
    #[serde(default)]
    to: Option<Timestamp>,
    /// At most so many labels, 1 to 100.
    #[serde(default)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// One page of labelled texts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Exported {
    /// The rows.
    rows: Vec<Row>,
    /// Labels that gave no row.
    skipped: Skipped,
    /// Send this as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One labelled text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeedbackRow)]
struct Row {
    /// Signal and field.
    id: String,
    /// The text.
    text: String,
    /// `attack` where the signal was confirmed, else `benign`.
    label: &'static str,
    /// Whose text: `user`, `system`, `document`, `output`.
    role: &'static str,
    /// What the signal suggested.
    family: IncidentKind,
    /// Always `feedback`.
    source: &'static str,
    /// Where the row comes from.
    provenance: Provenance,
}

/// Where a row comes from.
#[derive(Debug, Serialize, ToSchema)]
struct Provenance {
    /// The signal.
    signal: String,
    /// The rule that raised it.
    rule: String,
    /// The exchange.
    interaction: InteractionId,
    /// The field of the exchange, as a JSON pointer.
    field: String,
    /// The application.
    application: String,
    /// The incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<IncidentId>,
    /// How the label came about.
    labelled: LabelSource,
    /// Who said it.
    labelled_by: Actor,
    /// When.
    labelled_at: Timestamp,
    /// Digest of the rules that judged the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules_sha256: Option<String>,
    /// Digest of the classifier that judged the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_sha256: Option<String>,
}

/// Labels that gave no row.
#[derive(Debug, Serialize, ToSchema)]
struct Skipped {
    /// The signal points at no text.
    no_span: u64,
    /// The exchange is not in the log, or not within reach of a search.
    not_found: u64,
    /// The application records no text, or a redacted one.
    not_kept: u64,
}

impl From<FeedbackRow> for Row {
    fn from(row: FeedbackRow) -> Self {
        let FeedbackRow { id, text, label, role, family, source, provenance: from } = row;
        let provenance = Provenance {
            signal: from.signal,
            rule: from.rule,
            interaction: from.interaction,
            field: from.field,
            application: from.application,
            incident: from.incident,
            labelled: from.labelled,
            labelled_by: from.labelled_by,
            labelled_at: from.labelled_at,
            rules_sha256: from.rules_sha256,
            model_sha256: from.model_sha256,
        };
        Self { id, text, label, role, family, source, provenance }
    }
}

impl From<ExportPage> for Exported {
    fn from(page: ExportPage) -> Self {
        let ExportPage { rows, skipped, next } = page;
        let skipped = Skipped {
            no_span: skipped.no_span,
            not_found: skipped.not_found,
            not_kept: skipped.not_kept,
        };
        Self { rows: rows.into_iter().map(Row::from).collect(), skipped, next }
    }
}

/// Gives labelled texts as rows to train on, newest label first, for a reason. That they were read
/// is an event, stored first.
#[utoipa::path(
    post, path = "/api/v1/feedback/export", tag = "feedback", request_body = ExportWanted,
    responses((status = 200, body = Exported))
)]
pub(crate) async fn export_feedback(
    State(control): State<Control>,
    Caller(access): Caller,
    Json(wanted): Json<ExportWanted>,
) -> Result<Reply<Exported>> {
    let ExportWanted { reason, label, rule, application, incident, from, to, limit, cursor } =
        wanted;
    let filter = LabelFilter { label, rule, application, incident, from, to };
    let page = page(Some(limit.unwrap_or(100)), cursor);
    Ok(Reply(control.export_feedback(&access, &filter, &page, &reason).await?.into()))
}
