//! The phase in which a request takes room in its budgets, and what becomes of that room.

use std::sync::Arc;

use quell_domain::application::Application;
use quell_domain::budget::{BudgetScope, SpendBudget};
use quell_domain::canonical::sha256_hex;
use quell_domain::interaction::{Interaction, Outcome};
use quell_domain::rule::{Direction, RuleEffect, RuleMode};
use quell_domain::signal::Signal;
use quell_wire::{Refusal, RefusalReason};

use super::charge::{self, Charge};
use super::{Ask, Refused, Reservation, Spent};
use crate::exchange::{Exchange, Stop};
use crate::shared::Shared;

/// The rule id of the signal that a budget is spent.
const RULE: &str = "budget.spent";

/// Room held in budgets. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    shared: Arc<Shared>,
    held: Option<Reservation>,
}

/// What an exchange spent, on its way into the log.
#[derive(Debug)]
pub(crate) struct Spending {
    room: Room,
    charge: Charge,
    floor: u64,
}

impl Room {
    /// Completion tokens there is room for.
    pub(crate) fn output(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.output)
    }

    /// The exchange is over: `record` says what it cost.
    pub(crate) fn spend(self, record: &Interaction, application: &Application) -> Spending {
        let charge = charge::of(record, application);
        let floor = self.shared.ledger.begin();
        Spending { room: self, charge, floor }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.shared.ledger.release(&held);
        }
    }
}

impl Spending {
    /// The record is in the log at `sequence`, or could not be recorded.
    pub(crate) fn settle(mut self, sequence: Option<u64>) {
        if let Some(held) = self.room.held.take() {
            self.room.shared.ledger.settle(&held, self.charge, self.floor, sequence);
        }
    }
}

impl Exchange {
    /// Takes room in every budget that concerns this request, and holds the model to it.
    pub(crate) fn set_aside(&mut self) -> Result<(), Stop> {
        let application = self.application()?;
        let spending = &application.config.spending;
        if spending.budgets.is_empty() || self.probe.is_some() {
            return Ok(());
        }
        let Some(request) = &self.request else { return Ok(()) };
        let asked = quell_wire::output_asked(request);
        let choices = asked.map_or(0, |asked| asked.choices);
        let each = asked.and_then(|asked| asked.each).unwrap_or(spending.reserve_tokens.into());
        let input = charge::expected_input(&request.fields);
        let reserve = |exchange: &Self, unpriced_too| {
            let ask = Ask {
                application: &application.config,
                principal: &exchange.record.principal,
                model: exchange.record.model_asked.as_deref(),
                at: exchange.record.started_at,
                input,
                output: each.saturating_mul(choices),
                least: asked.map_or(0, |asked| asked.least.saturating_mul(choices)),
            };
            exchange.shared.ledger.reserve(&ask, unpriced_too)
        };
        let mut reserved = reserve(self, false);
        if let Err(Refused::Unpriced) = reserved {
            self.unjudged("price", Direction::Input)?;
            reserved = reserve(self, true);
        }
        let held = match reserved {
            Ok(held) => held,
            Err(Refused::Spent(spent)) => return Err(self.spent(&spent)),
            // Not refused when asked to count what has no price.
            Err(Refused::Unpriced) => return Ok(()),
        };
        if let Some(budget) = &held.limited_by {
            self.cause(Outcome::Degraded, budget.name());
        }
        let limit = held.output.checked_div(choices);
        if let (Some(limit), Some(request)) = (limit, self.request.as_mut()) {
            self.altered |= quell_wire::limit_output(request, limit);
        }
        self.room = Some(Room { shared: Arc::clone(&self.shared), held: Some(held) });
        Ok(())
    }

    fn spent(&mut self, spent: &Spent) -> Stop {
        let budget = &spent.budget;
        self.cause(Outcome::Blocked, budget.name());
        if spent.first {
            self.signal_spent(budget, Direction::Input);
        }
        let who = match budget.per {
            BudgetScope::Application => "this application",
            BudgetScope::Key => "this key",
            BudgetScope::User => "this user",
        };
        let contact = self.application.as_ref().map_or("the operator", |app| &app.config.contact);
        Stop::Refused(Refusal::new(
            RefusalReason::BudgetSpent,
            format!(
                "{who} has spent its budget for this {}; it begins anew at {}. Reference: {}. Contact: {contact}.",
                budget.period, spent.until, self.record.id
            ),
        ))
    }

    /// The answer has passed what was set aside for it. The budget that is named for it.
    pub(crate) fn note_passed_budget(&mut self) -> String {
        let budgets = self.application.as_ref().map(|app| &app.config.spending.budgets);
        let held = self.room.as_ref().and_then(|room| room.held.as_ref());
        let tightest = held.and_then(|held| held.limited_by.clone());
        let budget = tightest.or_else(|| budgets.and_then(|budgets| budgets.first().cloned()));
        let Some(budget) = budget else { return "budget".into() };
        let first = held.is_some_and(|held| self.shared.ledger.tell(held, &budget));
        self.cause(Outcome::Blocked, budget.name());
        self.record.finish_reasons.push("length".into());
        if first {
            self.signal_spent(&budget, Direction::Output);
        }
        budget.name()
    }

    fn signal_spent(&mut self, budget: &SpendBudget, direction: Direction) {
        if budget.quiet {
            return;
        }
        let key = format!("{RULE}\n{}\n{}", budget.name(), self.record.id);
        self.record.signals.push(Signal {
            id: format!("sig_{}", sha256_hex(key.as_bytes()).get(..32).unwrap_or_default()),
            rule: RULE.into(),
            title: format!("Budget spent: {} per {}", budget.per, budget.period),
            kind: budget.kind,
            severity: budget.severity,
            effect: RuleEffect::Block,
            mode: RuleMode::Enforce,
            direction,
            facts: vec![budget.name().replace(':', ".")],
            spans: Vec::new(),
            taxonomy: Vec::new(),
            suppressed_by: None,
        });
    }
}
