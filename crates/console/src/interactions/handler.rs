//! `GET /interactions`

use std::collections::BTreeSet;

use axum::extract::Query;
use axum::response::Html;
use jiff::Timestamp;
use quell_control::interactions::{InteractionFilter, InteractionSummary};
use quell_domain::{InteractionId, Principal};
use quell_store::PageRequest;

use crate::http::{Failure, Signed, link};
use crate::incidents::handler::{chosen, counted, some};
use crate::interactions::context::{Filter, Finding, InteractionRow, Interactions, outcomes};
use crate::moment::Moment;
use crate::shell::Section;
use crate::views::{Choice, Pager};

/// Rows of a page.
const ROWS: usize = 30;
/// Exchanges of an incident looked at.
const INCIDENT_MAX: u32 = 500;

pub(crate) async fn list(
    by: Signed,
    Query(filter): Query<Filter>,
) -> Result<Html<String>, Failure> {
    let (control, now) = (&by.console.control, by.console.control.now());
    let of_incident = match filter.incident.trim() {
        "" => None,
        name => Some(of_incident(&by, name).await?),
    };
    let wanted = InteractionFilter {
        application: some(&filter.application),
        user: some(&filter.user),
        session: some(&filter.session),
        outcome: chosen(&filter.outcome)?,
        rule: some(&filter.rule),
        flagged: false,
        text: None,
        from: None,
        to: chosen::<Timestamp>(&filter.cursor)?,
        // One more, to know whether there is another page.
        limit: if of_incident.is_some() { INCIDENT_MAX as usize } else { ROWS + 1 },
    };
    let mut found = control.interactions(&by.access, wanted).await?;
    if let Some(ids) = &of_incident {
        found.retain(|summary| ids.contains(&summary.id));
    }
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let next = found.last().filter(|_| more).map(|last| address(&filter, &last.at.to_string()));
    let applications = control.applications(&by.access).await?;
    let content = Interactions {
        rows: found.iter().map(|summary| row(summary, now)).collect(),
        filtered: filter != Filter { cursor: filter.cursor.clone(), ..Filter::default() },
        applications: applications
            .into_iter()
            .map(|row| Choice::new(row.value.name.clone(), row.value.name))
            .collect(),
        outcomes: outcomes(),
        pager: Pager {
            summary: counted(found.len(), "interaction"),
            previous: (!filter.cursor.is_empty()).then(|| address(&filter, "")),
            next,
        },
        missing: of_incident.map(|_| {
            format!("Only the newest {INCIDENT_MAX} exchanges in the log are looked through for an incident.")
        }),
        filter,
    };
    by.page(Section::Interactions, &content).await
}

async fn of_incident(by: &Signed, name: &str) -> Result<BTreeSet<InteractionId>, Failure> {
    let control = &by.console.control;
    let incident = control.incident(&by.access, name).await?.incident.id;
    let page = PageRequest::first(INCIDENT_MAX);
    let linked = control.incident_interactions(&by.access, incident, &page).await?;
    Ok(linked.items.into_iter().map(|link| link.interaction).collect())
}

fn address(filter: &Filter, cursor: &str) -> String {
    link(
        "/interactions",
        &[
            ("application", filter.application.as_str()),
            ("outcome", &filter.outcome),
            ("user", &filter.user),
            ("session", &filter.session),
            ("rule", &filter.rule),
            ("incident", &filter.incident),
            ("cursor", cursor),
        ],
    )
}

fn row(summary: &InteractionSummary, now: Timestamp) -> InteractionRow {
    let (user, grade) = who(&summary.principal);
    InteractionRow {
        href: format!("/interactions/{}", summary.id),
        started: Moment::new(summary.at, now),
        application: summary.application.clone(),
        user,
        grade,
        model: summary.model.clone().unwrap_or_else(|| "no model".into()),
        outcome: summary.outcome.to_string(),
        status: summary.status,
        signals: summary
            .findings
            .iter()
            .zip(std::iter::repeat(summary.severity))
            .filter_map(|(title, severity)| {
                Some(Finding { severity: severity?, title: title.clone() })
            })
            .collect(),
        chars: format!("{} in, {} out", summary.request_chars, summary.response_chars),
    }
}

/// The best name for somebody, and how far it can be trusted.
pub(crate) fn who(principal: &Principal) -> (String, String) {
    if let Some(user) = &principal.user {
        return (user.value.clone(), user.grade.to_string());
    }
    if let Some(session) = &principal.session {
        return (format!("session {}", session.value), session.grade.to_string());
    }
    match (&principal.address, principal.key) {
        (Some(address), _) => (address.clone(), "observed".into()),
        (None, Some(key)) => (key.to_string(), "authenticated".into()),
        (None, None) => ("somebody".into(), "unknown".into()),
    }
}
