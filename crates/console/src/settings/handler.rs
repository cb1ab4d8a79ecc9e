//! `/settings`

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::SignedDuration;
use quell_control::applications::NewKey;
use quell_domain::ApiKeyId;
use quell_domain::application::{
    Application, PolicyAction, PolicyRule, PolicyTarget, RecordPolicy, TextRetention, Upstream,
};
use quell_domain::budget::{Money, SpendBudget};
use quell_domain::streaming::{StreamMode, Streaming, WindowUnit};
use quell_store::ApiKey;

use crate::application::spend::whose;
use crate::http::failure::{sentence, status};
use crate::http::{Failure, Posted, Signed};
use crate::moment::Moment;
use crate::overview::handler::gateway;
use crate::settings::context::{ApplicationView, KeyView, Settings, UpstreamView};
use crate::shell::Section;
use crate::views::Choice;

/// Longest a key made here lasts, days.
const KEY_DAYS_MAX: i64 = 3_650;

/// `GET /settings`
pub(crate) async fn show(by: Signed) -> Result<Html<String>, Failure> {
    let content = content(&by).await?;
    by.page(Section::Settings, &content).await
}

/// `POST /settings/keys`
pub(crate) async fn create_key(Posted { by, fields }: Posted) -> Result<Response, Failure> {
    let days: i64 = fields.parse("days")?;
    if !(1..=KEY_DAYS_MAX).contains(&days) {
        return Err(Failure::invalid(format!("A key lasts 1 to {KEY_DAYS_MAX} days.")));
    }
    let new = NewKey {
        application: fields.get("application").into(),
        label: fields.get("name").into(),
        user: fields.some("user").map(Into::into),
        expires_at: Some(by.console.control.now() + SignedDuration::from_hours(24 * days)),
    };
    let mut content = content(&by).await?;
    match by.console.control.create_key(&by.access, new).await {
        Ok(receipt) => {
            let now = by.console.control.now();
            content.keys.push(key(&receipt.key, now));
            content.fresh_key = Some(receipt.secret);
        }
        Err(refused) if matches!(status(&refused), 404 | 409 | 422) => {
            content.error = Some(sentence(&refused));
        }
        Err(refused) => return Err(refused.into()),
    }
    Ok(by.page(Section::Settings, &content).await?.into_response())
}

/// `POST /settings/keys/{id}/revoke`
pub(crate) async fn revoke_key(
    Path(id): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, Failure> {
    let id: ApiKeyId = id.parse().map_err(|_| Failure::not_found("There is no such key."))?;
    by.console.control.revoke_key(&by.access, id).await?;
    Ok(Redirect::to("/settings?done=revoked#keys"))
}

async fn content(by: &Signed) -> Result<Settings, Failure> {
    let (control, now) = (&by.console.control, by.console.control.now());
    let applications = control.applications(&by.access).await?;
    let upstreams = control.upstreams(&by.access).await?;
    let keys = control.keys(&by.access, None).await?;
    let gateways = control.nodes(&by.access).await?;
    Ok(Settings {
        choices: applications
            .iter()
            .map(|row| Choice::new(row.value.name.clone(), row.value.name.clone()))
            .collect(),
        applications: applications.into_iter().map(|row| application(row.value)).collect(),
        upstreams: upstreams.into_iter().map(|row| upstream(row.value)).collect(),
        keys: keys.iter().map(|row| key(row, now)).collect(),
        gateways: gateways.iter().map(|node| gateway(node, now)).collect(),
        fresh_key: None,
        error: None,
        can_admin: by.viewer.can_admin,
    })
}

/// What is set of an application, readable.
pub(crate) fn application(application: Application) -> ApplicationView {
    let text = match application.text {
        TextRetention::Full => "Full text",
        TextRetention::Redacted => "Text with identifiers and secrets replaced",
        TextRetention::Metadata => "Metadata only",
    };
    let record = match application.record {
        RecordPolicy::Required => "refuses when it cannot record",
        RecordPolicy::BestEffort => "serves also when it cannot record",
    };
    let about = if application.title.is_empty() { application.purpose } else { application.title };
    let owner = Some(application.owner).filter(|owner| !owner.is_empty());
    ApplicationView {
        href: crate::application::handler::href(&application.name),
        name: application.name,
        about,
        owner: owner.unwrap_or_else(|| "nobody named".into()),
        criticality: application.criticality,
        upstreams: application.upstreams.join(", then "),
        record: format!("{text}; {record}"),
        stream: stream(&application.stream),
        budgets: application.spending.budgets.iter().map(budget).collect(),
        policy: application.policy.rules.iter().map(policy).collect(),
    }
}

fn stream(stream: &Streaming) -> String {
    match (stream.mode, stream.window) {
        (StreamMode::Live, _) => {
            "Live: only beginnings of what must not leave wait; other findings may come late".into()
        }
        (StreamMode::Window, WindowUnit::Sentence) => {
            "Window: each sentence leaves once it is complete and judged; what fits in one never leaks"
                .into()
        }
        (StreamMode::Window, WindowUnit::Characters) => format!(
            "Window: the newest {} characters wait; what fits in them never leaks",
            stream.window_chars
        ),
        (StreamMode::Buffered, _) => {
            "Buffered: nothing leaves before the whole answer is judged".into()
        }
    }
}

fn budget(budget: &SpendBudget) -> String {
    let who = whose(budget.per);
    let tokens = budget.tokens.map(|tokens| format!("{tokens} tokens"));
    let cost = budget.cost_micros.map(|micros| format!("cost {}", Money(micros)));
    let amounts: Vec<_> = tokens.into_iter().chain(cost).collect();
    format!("{who}: {} per {}", amounts.join(" and "), budget.period)
}

fn policy(rule: &PolicyRule) -> String {
    let kinds = match rule.kinds.as_slice() {
        [] => "anything".to_owned(),
        kinds => kinds.iter().map(|kind| kind.title()).collect::<Vec<_>>().join(", "),
    };
    let action = match rule.action {
        PolicyAction::Propose => "propose",
        PolicyAction::Apply => "apply",
    };
    let target = match rule.target {
        PolicyTarget::Principal => "the principal",
        PolicyTarget::Application => "the application",
    };
    format!(
        "{kinds}, from {} on: {action} level {} to {target} for {} min",
        rule.min_severity, rule.level, rule.minutes
    )
}

fn upstream(upstream: Upstream) -> UpstreamView {
    UpstreamView {
        dialect: format!("{:?}", upstream.dialect).to_lowercase(),
        name: upstream.name,
        base_url: upstream.base_url,
        secret: upstream.secret.unwrap_or_else(|| "the client".into()),
    }
}

fn key(key: &ApiKey, now: jiff::Timestamp) -> KeyView {
    KeyView {
        id: key.binding.id.to_string(),
        name: if key.label.is_empty() { "unnamed".into() } else { key.label.clone() },
        application: key.binding.application.clone(),
        user: key.binding.user.clone(),
        expires: Moment::opt(key.binding.expires_at, now),
        revoked: key.revoked_at.is_some(),
    }
}
