//! The inventory: applications, the upstreams that serve them, and the keys that open them.

mod keys;
mod spend;
mod upstreams;

pub use keys::{NewKey, NewKeyReceipt};
pub use spend::{BudgetSpend, HolderSpend, Spend};

use quell_domain::application::{Application, UserToken};
use quell_domain::budget::{SpendBudget, Spending};
use quell_domain::streaming::Streaming;
use quell_domain::{AccessRole, Measure, MeasureState};
use quell_response::policy;
use quell_store::{Read, Versioned};
use serde_json::json;

use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;

/// Most applications.
const APPLICATIONS_MAX: usize = 1_000;
/// Most budgets and prices of one application.
const BUDGETS_MAX: usize = 32;
const PRICES_MAX: usize = 500;
/// Longest text of a setting people write, bytes.
const TEXT_MAX: usize = 4_000;
/// Hosts an application may list.
const DESTINATIONS_MAX: usize = 200;

impl Control {
    /// Every application, by name.
    pub async fn applications(
        &self,
        access: &Access,
    ) -> Result<Vec<Versioned<Application>>, Refused> {
        access.require(AccessRole::Viewer)?;
        Ok(self.read().await?.applications().await?)
    }

    /// One application.
    pub async fn application(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<Versioned<Application>, Refused> {
        access.require(AccessRole::Viewer)?;
        let found = self.read().await?.application(name).await?;
        found.ok_or_else(|| Refused::not_found("application", name))
    }

    /// Stores an application: as new without `version`, else over that version.
    pub async fn put_application(
        &self,
        access: &Access,
        application: Application,
        version: Option<i64>,
    ) -> Result<i64, Refused> {
        access.require(AccessRole::Admin)?;
        check(&application)?;
        let mut unit = self.unit(&access.actor).await?;
        check_upstreams(&mut unit, &application).await?;
        if version.is_none() && unit.applications().await?.len() >= APPLICATIONS_MAX {
            return Err(Refused::state("application.limit", "there are 1000 applications already"));
        }
        let stored = unit.put_application(&application, version).await?;
        let epoch = unit.epoch().await?;
        let kind = if version.is_none() { "application.created" } else { "application.changed" };
        let data = json!({"application": application.name, "version": stored, "epoch": epoch});
        unit.event(None, kind, data);
        unit.commit().await?;
        Ok(stored)
    }

    /// Removes an application that has no measure in force.
    pub async fn delete_application(&self, access: &Access, name: &str) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let mut unit = self.unit(&access.actor).await?;
        let measures = unit.current_measures().await?;
        let holds = |m: &Measure| m.state.in_force() || m.state == MeasureState::Lifting;
        if measures.iter().any(|measure| measure.application == name && holds(measure)) {
            return Err(Refused::state(
                "application.contained",
                "the application has measures in force; lift them first",
            ));
        }
        if !unit.delete_application(name).await? {
            return Err(Refused::not_found("application", name));
        }
        let epoch = unit.epoch().await?;
        unit.event(None, "application.deleted", json!({"application": name, "epoch": epoch}));
        unit.commit().await?;
        Ok(())
    }
}

fn check(application: &Application) -> Result<(), Refused> {
    let refuse = |code, message: &str| Err(Refused::invalid(code, message));
    let name = &application.name;
    if !is_name(name) {
        return refuse(
            "application.name",
            "a name is 1 to 64 of a-z 0-9 - and starts with a letter",
        );
    }
    if application.upstreams.is_empty() {
        return refuse("application.upstreams", "name at least one upstream");
    }
    let texts = [
        &application.title,
        &application.owner,
        &application.purpose,
        &application.contact,
        &application.strict_preamble,
        &application.fallback.text,
    ];
    if texts.into_iter().any(|text| text.len() > TEXT_MAX) {
        return refuse("application.text", "a text has at most 4000 bytes");
    }
    if application.forward_paths.iter().any(|path| !path.starts_with('/')) {
        return refuse("application.forward_paths", "a path starts with /");
    }
    let host = |host: &str| {
        let host = host.trim_start_matches("*.");
        let known = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        !host.is_empty() && host.len() <= 253 && host.chars().all(known)
    };
    if application.tool_destinations.len() > DESTINATIONS_MAX
        || !application.tool_destinations.iter().all(|name| host(name))
    {
        return refuse(
            "application.tool_destinations",
            "name at most 200 hosts, such as api.example.org, without scheme, port or path",
        );
    }
    let references = application
        .user_token_secret
        .iter()
        .chain(application.fallback.handoff.as_ref().map(|handoff| &handoff.secret));
    for reference in references {
        check_reference(reference)?;
    }
    check_user_token(application)?;
    check_stream(&application.stream)?;
    check_spending(&application.spending)?;
    policy::check(&application.policy)
        .map_err(|fault| Refused::invalid("application.policy", fault.to_string()))
}

fn check_user_token(application: &Application) -> Result<(), Refused> {
    if application.user_token == UserToken::Required && application.user_token_secret.is_none() {
        return Err(Refused::invalid(
            "application.user_token",
            "user_token = \"required\" needs user_token_secret, the key that signs the tokens",
        ));
    }
    Ok(())
}

fn check_stream(stream: &Streaming) -> Result<(), Refused> {
    let (chars, bytes) = (Streaming::WINDOW_CHARS, Streaming::BUFFER_BYTES);
    if chars.contains(&stream.window_chars) && bytes.contains(&stream.buffer_bytes) {
        return Ok(());
    }
    let (least, most) = (chars.start(), chars.end());
    Err(Refused::invalid(
        "application.stream",
        format!(
            "stream.window_chars is {least} to {most}, stream.buffer_bytes is {} to {}",
            bytes.start(),
            bytes.end()
        ),
    ))
}

fn check_spending(spending: &Spending) -> Result<(), Refused> {
    let refuse = |message: String| Err(Refused::invalid("application.spending", message));
    if spending.budgets.len() > BUDGETS_MAX || spending.prices.len() > PRICES_MAX {
        return refuse(format!("at most {BUDGETS_MAX} budgets and {PRICES_MAX} prices"));
    }
    let empty = |budget: &&SpendBudget| budget.tokens.is_none() && budget.cost_micros.is_none();
    if let Some(budget) = spending.budgets.iter().find(empty) {
        return refuse(format!("{} needs an amount: tokens or cost_micros", budget.name()));
    }
    let costs = spending.budgets.iter().any(|budget| budget.cost_micros.is_some());
    if costs && spending.prices.is_empty() {
        return refuse("a budget in money needs prices, e.g. --price 'gpt-4o*=2.50/10'".into());
    }
    if spending.reserve_tokens == 0 {
        return refuse("reserve_tokens is at least 1".into());
    }
    Ok(())
}

async fn check_upstreams(read: &mut Read, application: &Application) -> Result<(), Refused> {
    for name in &application.upstreams {
        if read.upstream(name).await?.is_none() {
            return Err(Refused::not_found("upstream", name));
        }
    }
    Ok(())
}

/// Secrets are named, never stored.
pub(crate) fn check_reference(reference: &str) -> Result<(), Refused> {
    if reference.starts_with("env:") || reference.starts_with("file:/") {
        return Ok(());
    }
    Err(Refused::invalid(
        "secret.reference",
        "a secret is given as a reference: env:NAME or file:/path; the value itself is not stored",
    ))
}

/// Whether it can stand in a path.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len())
        && name.bytes().all(fits)
        && name.as_bytes()[0].is_ascii_lowercase()
}
