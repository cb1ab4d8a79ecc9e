//! `/detections/try`: rules of one's own over recorded traffic, before they go live.

use axum::response::{Html, IntoResponse, Response};
use jiff::SignedDuration;
use quell_control::rules::BacktestRequest;
use quell_domain::snapshot::ContentFile;
use quell_domain::{AccessRole, Severity};
use serde::Serialize;

use crate::http::failure::{sentence, status};
use crate::http::{Failure, Posted, Signed};
use crate::render::Page;
use crate::rule::backtest::{BacktestView, days, days_of, view};
use crate::shell::Section;
use crate::views::Choice;

/// Where the text stands in the content tree while it is tried.
const PLACE: &str = "rules/proposed.yaml";

/// The page on which rules are tried.
#[derive(Debug, Clone, Serialize)]
pub struct Proposed {
    /// The rules, as typed.
    pub text: String,
    /// Applications whose traffic can be chosen.
    pub applications: Vec<Choice>,
    /// The one chosen; empty for all.
    pub application: String,
    /// How far back can be chosen, days.
    pub days: Vec<Choice>,
    /// How far back was chosen.
    pub chosen_days: String,
    /// What they found.
    pub test: Option<BacktestView>,
    /// What each rule matched.
    pub rules: Vec<RuleHit>,
    /// What is wrong with them.
    pub error: Option<String>,
}

/// What one of several rules matched.
#[derive(Debug, Clone, Serialize)]
pub struct RuleHit {
    /// Its id.
    pub id: String,
    /// Exchanges.
    pub matched: u64,
    /// Principals.
    pub affected: u64,
}

impl Page for Proposed {
    const TEMPLATE: &'static str = "detections/proposed.html";
}

/// `GET /detections/try`
pub(crate) async fn show(by: Signed) -> Result<Html<String>, Failure> {
    by.access.require(AccessRole::Responder)?;
    let content = content(&by).await?;
    by.page(Section::Detections, &content).await
}

async fn content(by: &Signed) -> Result<Proposed, Failure> {
    let applications = by.console.control.applications(&by.access).await?;
    Ok(Proposed {
        text: String::new(),
        applications: applications
            .into_iter()
            .map(|row| Choice::new(row.value.name.clone(), row.value.name))
            .collect(),
        application: String::new(),
        days: days(),
        chosen_days: "7".into(),
        test: None,
        rules: Vec::new(),
        error: None,
    })
}

/// `POST /detections/try`: runs them; nothing is stored but that they were run.
pub(crate) async fn run(Posted { by, fields }: Posted) -> Result<Response, Failure> {
    let now = by.console.control.now();
    let days = days_of(&fields)?;
    let mut page = content(&by).await?;
    page.text = fields.exact("text").replace('\r', "");
    page.application = fields.get("application").into();
    page.chosen_days = days.to_string();
    if page.text.trim().is_empty() {
        page.error = Some("Write or paste at least one rule.".into());
    } else {
        let file = ContentFile { path: PLACE.into(), text: page.text.clone() };
        let request = BacktestRequest {
            files: vec![file],
            application: fields.some("application").map(Into::into),
            from: now.checked_sub(SignedDuration::from_hours(24 * days)).ok(),
            to: Some(now),
            ..BacktestRequest::default()
        };
        match by.console.control.backtest(&by.access, request).await {
            Ok(outcome) => {
                let hit = |hits: &quell_domain::backtest::RuleHits| RuleHit {
                    id: hits.rule.clone(),
                    matched: hits.matched,
                    affected: hits.affected,
                };
                page.rules = outcome.report.rules.iter().map(hit).collect();
                page.test = Some(view(&outcome, Severity::Medium, now));
            }
            Err(refused) if matches!(status(&refused), 409 | 422) => {
                page.error = Some(sentence(&refused));
            }
            Err(refused) => return Err(refused.into()),
        }
    }
    Ok(by.page(Section::Detections, &page).await?.into_response())
}

impl Proposed {
    /// A fresh page, one with a finding, and one with a rule that does not load.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let rule = "title: Override on a weekend form\n\
                    id: 3f0b6c1e-58c2-4a54-9a5e-0d2f6c1c7b10\n\
                    name: weekend_override\nstatus: experimental\n\
                    description: Instructions are overridden.\nauthor: Shop team\n\
                    date: 2026-11-20\nlogsource:\n  category: gen_ai\ndetection:\n  \
                    selection:\n    quell.fact: injection.override\n  condition: selection\n\
                    level: medium\nquell:\n  kind: prompt_injection\n  mode: shadow\n  \
                    effect: block\n  direction: input\n";
        let fresh = Self {
            text: String::new(),
            applications: vec![Choice::new(crate::sample::APPLICATION, crate::sample::APPLICATION)],
            application: String::new(),
            days: days(),
            chosen_days: "7".into(),
            test: None,
            rules: Vec::new(),
            error: None,
        };
        let found = Self {
            text: rule.into(),
            test: Some(BacktestView::sample()),
            rules: vec![RuleHit { id: "weekend_override".into(), matched: 41, affected: 9 }],
            ..fresh.clone()
        };
        let refused = Self {
            text: rule.into(),
            error: Some("Rules/proposed.yaml, line 6: unknown field `levle`.".into()),
            ..fresh.clone()
        };
        vec![("fresh", fresh), ("found", found), ("refused", refused)]
    }
}
