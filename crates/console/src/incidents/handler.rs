//! `GET /incidents`

use axum::extract::Query;
use axum::response::Html;
use quell_domain::{IncidentId, IncidentRecord, Measure, MeasureState};
use quell_store::{IncidentFilter, MeasureFilter, PageRequest};

use crate::http::{Failure, Signed};
use crate::incidents::context::{Choices, Filter, IncidentRow, Incidents, views};
use crate::moment::Moment;
use crate::shell::Section;
use crate::views::Pager;

/// Rows of a page.
const ROWS: u32 = 25;
/// Rows looked at when the worst come first.
const SORTED_MAX: u32 = 500;
/// The role that leads.
pub(crate) const COMMANDER: &str = "incident_commander";

pub(crate) async fn list(
    by: Signed,
    Query(mut filter): Query<Filter>,
) -> Result<Html<String>, Failure> {
    let control = &by.console.control;
    let filtered = [&filter.q, &filter.state, &filter.severity, &filter.kind, &filter.application]
        .iter()
        .any(|text| !text.is_empty());
    if filter.view.is_empty() {
        // Somebody who searches means everything.
        filter.view = if filtered { "all" } else { "open" }.into();
    }
    let worst_first = filter.sort == "severity";
    let request = PageRequest {
        limit: if worst_first { SORTED_MAX } else { ROWS },
        cursor: Some(filter.cursor.clone()).filter(|cursor| !cursor.is_empty()),
    };
    let mut page = control.incidents(&by.access, &store_filter(&filter)?, &request).await?;
    if worst_first {
        page.items.sort_by_key(|incident| std::cmp::Reverse(incident.severity));
    }
    let current = MeasureFilter { current: Some(true), ..MeasureFilter::default() };
    let measures = control.measures(&by.access, &current, &PageRequest::first(SORTED_MAX)).await?;
    let applications = control.applications(&by.access).await?;
    let names: Vec<String> = applications.into_iter().map(|row| row.value.name).collect();
    let content = Incidents {
        rows: rows(&by, &page.items, &measures.items).await?,
        views: views(&filter.view),
        filtered,
        choices: Choices::new(&names),
        pager: Pager {
            summary: counted(page.items.len(), "incident"),
            previous: request.cursor.is_some().then(|| address(&filter, "")),
            next: page.next.map(|cursor| address(&filter, &cursor)),
        },
        filter,
    };
    by.page(Section::Incidents, &content).await
}

fn store_filter(filter: &Filter) -> Result<IncidentFilter, Failure> {
    Ok(IncidentFilter {
        open: match filter.view.as_str() {
            "open" => Some(true),
            "closed" => Some(false),
            _ => None,
        },
        state: chosen(&filter.state)?,
        severity: chosen(&filter.severity)?,
        kind: chosen(&filter.kind)?,
        application: some(&filter.application),
        text: some(&filter.q),
        from: None,
        to: None,
    })
}

/// An empty choice is any.
pub(crate) fn chosen<T>(text: &str) -> Result<Option<T>, Failure>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error: T::Err| Failure::invalid(error.to_string())),
    }
}

pub(crate) fn some(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `3 incidents on this page`.
pub(crate) fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural} on this page")
}

fn address(filter: &Filter, cursor: &str) -> String {
    let pairs = [
        ("view", filter.view.as_str()),
        ("q", &filter.q),
        ("state", &filter.state),
        ("severity", &filter.severity),
        ("kind", &filter.kind),
        ("application", &filter.application),
        ("sort", &filter.sort),
        ("cursor", cursor),
    ];
    crate::http::link("/incidents", &pairs)
}

/// Rows for `incidents`, with the `measures` that concern them.
pub(crate) async fn rows(
    by: &Signed,
    incidents: &[IncidentRecord],
    measures: &[Measure],
) -> Result<Vec<IncidentRow>, Failure> {
    let now = by.console.control.now();
    let mut rows = Vec::with_capacity(incidents.len());
    for incident in incidents {
        let (verified, in_force) = contained(measures, incident.id);
        rows.push(IncidentRow {
            href: format!("/incidents/{}", incident.number),
            number: incident.number.clone(),
            title: incident.title.clone(),
            kind_title: incident.kind.title().into(),
            severity: incident.severity,
            state: incident.state,
            application: incident.application.clone(),
            opened: Moment::new(incident.opened_at, now),
            commander: commander(by, incident.id).await?,
            users: incident.affected.users.len() as u64,
            signals: incident.signal_count.unsigned_abs(),
            verified,
            in_force,
        });
    }
    Ok(rows)
}

fn contained(measures: &[Measure], incident: IncidentId) -> (u64, u64) {
    let mut counts = (0, 0);
    for measure in measures.iter().filter(|m| m.incident == Some(incident) && m.state.in_force()) {
        counts.1 += 1;
        counts.0 += u64::from(measure.state == MeasureState::Verified);
    }
    counts
}

async fn commander(by: &Signed, incident: IncidentId) -> Result<Option<String>, Failure> {
    let roles = by.console.control.incident_roles(&by.access, incident).await?;
    let holders = roles
        .into_iter()
        .filter(|view| view.role.id == COMMANDER)
        .flat_map(|view| view.assignments)
        .filter(|assignment| assignment.renounced_at.is_none());
    Ok(holders.map(|assignment| assignment.person).next())
}
