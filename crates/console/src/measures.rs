//! Measures as cards, with what stands beside them in the store.

use std::collections::BTreeMap;

use quell_domain::{IncidentId, Measure, MeasureId};
use quell_store::{ApprovalDecision, IncidentFilter, PageRequest};

use crate::http::{Failure, Signed};
use crate::views::{ActorView, Link, MeasureView};

/// Most incidents and approvals looked at for names.
const NAMES_MAX: u32 = 500;

/// The cards for `measures`, in their order. On an incident's own page (`here`) its number is not
/// repeated.
pub(crate) async fn cards(
    by: &Signed,
    measures: &[Measure],
    here: bool,
) -> Result<Vec<MeasureView>, Failure> {
    if measures.is_empty() {
        return Ok(Vec::new());
    }
    let now = by.console.control.now();
    let approvers = approvers(by, measures).await?;
    let numbers = if here { BTreeMap::new() } else { numbers(by).await? };
    let cards = measures.iter().map(|measure| {
        let incident = measure.incident.filter(|_| !here).map(|id| link(id, &numbers));
        let approver = approvers.get(&measure.id).cloned();
        MeasureView::new(measure, incident, approver, &by.viewer, now)
    });
    Ok(cards.collect())
}

/// Numbers of the newest incidents, by id.
pub(crate) async fn numbers(by: &Signed) -> Result<BTreeMap<IncidentId, String>, Failure> {
    let all = IncidentFilter::default();
    let page = PageRequest::first(NAMES_MAX);
    let incidents = by.console.control.incidents(&by.access, &all, &page).await?.items;
    Ok(incidents.into_iter().map(|incident| (incident.id, incident.number)).collect())
}

/// An incident's link, by number where that is known.
pub(crate) fn link(id: IncidentId, numbers: &BTreeMap<IncidentId, String>) -> Link {
    match numbers.get(&id) {
        Some(number) => Link::new(format!("/incidents/{number}"), number),
        None => Link::new(format!("/incidents/{id}"), "its incident"),
    }
}

async fn approvers(
    by: &Signed,
    measures: &[Measure],
) -> Result<BTreeMap<MeasureId, String>, Failure> {
    if measures.iter().all(|measure| measure.approval.is_none()) {
        return Ok(BTreeMap::new());
    }
    let page = PageRequest::first(NAMES_MAX);
    let approvals = by.console.control.approvals(&by.access, false, &page).await?.items;
    let granted = approvals.into_iter().filter_map(|approval| {
        let granted = approval.decision == Some(ApprovalDecision::Approved);
        let approver = approval.approver.as_ref().filter(|_| granted)?;
        Some((approval.measure?, ActorView::from(approver).name))
    });
    Ok(granted.collect())
}
