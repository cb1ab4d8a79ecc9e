//! Approvals: asked for by proposing a level-4 measure, decided here by somebody else.

use axum::Json as Reply;
use axum::extract::State;
use quell_control::Control;
use quell_control::measures::ApprovalReceipt;
use quell_domain::{ApprovalId, Measure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::extract::{Json, Path, Query};
use crate::paging::{Paged, page};
use crate::problem::Result;
use crate::records::Approval;

/// Which approvals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichApprovals {
    /// Only undecided ones.
    #[serde(default)]
    pending: bool,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists approvals, newest first.
#[utoipa::path(
    get, path = "/api/v1/approvals", tag = "containment", params(WhichApprovals),
    responses((status = 200, body = Paged<Approval>))
)]
pub(crate) async fn list_approvals(
    State(control): State<Control>,
    Caller(access): Caller,
    Query(which): Query<WhichApprovals>,
) -> Result<Reply<Paged<Approval>>> {
    let page = page(which.limit, which.cursor);
    Ok(Reply(control.approvals(&access, which.pending, &page).await?.into()))
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalDecisionMade)]
pub(crate) struct DecisionMade {
    /// Whether the action may run.
    grant: bool,
    /// Why.
    reason: String,
    /// Run it at once.
    #[serde(default)]
    apply: bool,
}

/// An approval after a decision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalDecided {
    /// The approval now.
    approval: Approval,
    /// The measure it is about, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    measure: Option<Measure>,
    /// The epoch that carries the measure to gateways, if it was applied at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

impl From<ApprovalReceipt> for ApprovalDecided {
    fn from(receipt: ApprovalReceipt) -> Self {
        let ApprovalReceipt { approval, measure, epoch } = receipt;
        Self { approval, measure, epoch }
    }
}

/// Grants or denies what somebody else asked for. An approval is bound to the exact action, lapses,
/// and is used once.
#[utoipa::path(
    post, path = "/api/v1/approvals/{approval}/decision", tag = "containment",
    request_body = DecisionMade,
    params(("approval" = ApprovalId, Path, description = "Its id")),
    responses((status = 200, body = ApprovalDecided))
)]
pub(crate) async fn decide_approval(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(id): Path<ApprovalId>,
    Json(made): Json<DecisionMade>,
) -> Result<Reply<ApprovalDecided>> {
    let decided = control.decide_approval(&access, id, made.grant, &made.reason, made.apply);
    Ok(Reply(decided.await?.into()))
}
