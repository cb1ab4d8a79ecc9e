//! What control hears of budgets: the fullest holders of each, in every report.

use std::collections::HashMap;

use jiff::Timestamp;
use quell_domain::application::Application;
use quell_domain::budget::{BudgetPeriod, BudgetScope, BudgetUse, SpendBudget, SpendReport};

use super::charge::Charge;
use super::{Counter, Key, Ledger};
use crate::active::Active;
use crate::shared::Shared;

/// What is spent of the budgets in force.
pub(crate) fn report(shared: &Shared, active: &Active) -> SpendReport {
    shared.ledger.report(active.applications(), shared.clock.now())
}

/// One budget's amounts and its fullest holders so far.
#[derive(Debug)]
struct Slot {
    per: BudgetScope,
    period: BudgetPeriod,
    start: i64,
    tokens: Option<u64>,
    cost_micros: Option<u64>,
    fullest: Vec<(f64, BudgetUse)>,
    left_out: u64,
}

impl Ledger {
    fn report<'a>(
        &self,
        applications: impl Iterator<Item = &'a Application>,
        now: Timestamp,
    ) -> SpendReport {
        let mut slots: HashMap<&str, Vec<Slot>> = applications
            .map(|application| {
                (application.name.as_str(), slots(&application.spending.budgets, now))
            })
            .collect();
        let state = self.0.lock();
        for (key, counter) in &state.counters {
            let of = slots.get_mut(key.application.as_str());
            let fits = |slot: &&mut Slot| slot.per == key.per && slot.period == key.period;
            if let Some(slot) = of.and_then(|slots| slots.iter_mut().find(fits)) {
                slot.offer(key, counter);
            }
        }
        drop(state);
        let mut report = SpendReport::default();
        let mut fullest = Vec::new();
        for slot in slots.into_values().flatten() {
            report.left_out += slot.left_out;
            fullest.extend(slot.fullest);
        }
        fullest.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let past = fullest.len().saturating_sub(SpendReport::HOLDERS_MAX);
        report.left_out += past as u64;
        let kept = fullest.into_iter().take(SpendReport::HOLDERS_MAX);
        report.holders = kept.map(|(_, row)| row).collect();
        report
    }
}

/// A slot for each scope and period; several budgets of one share their counters.
fn slots(budgets: &[SpendBudget], now: Timestamp) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for budget in budgets {
        let known = |slot: &&mut Slot| slot.per == budget.per && slot.period == budget.period;
        let tighter = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        match slots.iter_mut().find(known) {
            Some(slot) => {
                slot.tokens = tighter(slot.tokens, budget.tokens);
                slot.cost_micros = tighter(slot.cost_micros, budget.cost_micros);
            }
            None => slots.push(Slot {
                per: budget.per,
                period: budget.period,
                start: budget.period.start(now),
                tokens: budget.tokens,
                cost_micros: budget.cost_micros,
                fullest: Vec::new(),
                left_out: 0,
            }),
        }
    }
    slots
}

impl Slot {
    /// Takes a holder in, in place of the emptiest when there are too many.
    fn offer(&mut self, key: &Key, counter: &Counter) {
        let mut used = counter.spent;
        used.add(counter.inherited);
        used.add(counter.reserved);
        if counter.start < self.start || used == Charge::default() {
            return;
        }
        let share = |used: u64, limit: Option<u64>| {
            limit.map_or(0.0, |limit| used as f64 / limit.max(1) as f64)
        };
        let share = share(used.tokens, self.tokens).max(share(used.cost_micros, self.cost_micros));
        if self.fullest.len() < SpendReport::OF_ONE_BUDGET_MAX {
            self.fullest.push((share, counter.told_as(key)));
            return;
        }
        self.left_out += 1;
        let emptiest = self.fullest.iter_mut().min_by(|(one, _), (other, _)| one.total_cmp(other));
        if let Some(emptiest) = emptiest.filter(|(held, _)| *held < share) {
            *emptiest = (share, counter.told_as(key));
        }
    }
}

impl Counter {
    fn told_as(&self, key: &Key) -> BudgetUse {
        let mut spent = self.spent;
        spent.add(self.inherited);
        BudgetUse {
            application: key.application.clone(),
            per: key.per,
            period: key.period,
            start: self.start,
            who: key.who.clone(),
            tokens: spent.tokens,
            cost_micros: spent.cost_micros,
            held_tokens: self.reserved.tokens,
            held_cost_micros: self.reserved.cost_micros,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(budgets: &[&str]) -> Application {
        let mut application = Application::new("a", Vec::new());
        application.spending.budgets = budgets.iter().map(|b| b.parse().unwrap()).collect();
        application
    }

    fn spend(ledger: &Ledger, who: &str, period: BudgetPeriod, at: Timestamp, tokens: u64) {
        let (application, per) = ("a".to_owned(), BudgetScope::User);
        let key = Key { application, per, period, who: who.into() };
        ledger.0.lock().count(key, at, Charge { tokens, cost_micros: 0 }, false);
    }

    #[test]
    fn the_fullest_are_told_first_and_the_rest_is_counted() {
        let (ledger, now) = (Ledger::default(), "2026-01-01T10:30:00Z".parse().unwrap());
        for n in 0..30 {
            spend(&ledger, &format!("asserted:u-{n}"), BudgetPeriod::Hour, now, n);
        }
        spend(&ledger, "asserted:u-1", BudgetPeriod::Day, now, 5);
        let of = application(&["user:hour:tokens=100", "user:hour:cost=1.00"]);
        let report = ledger.report([&of].into_iter(), now);
        let told: Vec<_> = report.holders.iter().map(|row| row.tokens).collect();
        assert_eq!(told, (20..30).rev().collect::<Vec<_>>(), "no day: it has no budget");
        assert_eq!(report.left_out, 19, "who spent nothing is not counted");
        let later = "2026-01-01T11:00:00Z".parse().unwrap();
        assert_eq!(ledger.report([&of].into_iter(), later), SpendReport::default(), "a new hour");
    }
}
