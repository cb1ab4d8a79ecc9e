//! Budgets: what applications, keys and users have spent in the running minute, hour, day and
//! month, and what requests under way have set aside. A request is let through only with room in
//! every budget that concerns it, and holds that room until it is settled: requests side by side
//! cannot spend the same token twice.
//!
//! The state is this gateway's own. It is kept on disk with the log's cursor; a restart reads both
//! ([`keep`]), so nothing is forgotten.

pub(crate) mod charge;
pub(crate) mod keep;
pub(crate) mod room;
pub(crate) mod tell;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use parking_lot::Mutex;
use quell_domain::Principal;
use quell_domain::application::Application;
use quell_domain::budget::{BudgetPeriod, BudgetScope, ModelPrice, SpendBudget};
use serde::{Deserialize, Serialize};

use charge::Charge;

/// Counters kept. When they are full, those of past periods are dropped; if that is not enough,
/// whoever is new shares one counter with all others who are.
const COUNTERS_MAX: usize = 100_000;

/// Who shares a counter when there are too many.
const OTHERS: &str = "*";

/// Everything spent and set aside.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counters: HashMap<Key, Counter>,
    /// The highest sequence number of the log heard of.
    last: u64,
    /// Requests between being handed to the log and being counted, by what `last` was before.
    pending: BTreeMap<u64, u32>,
    /// Sequence numbers counted that lie above the cursor.
    above: BTreeSet<u64>,
    changed: bool,
}

/// One budget of one holder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    application: String,
    per: BudgetScope,
    period: BudgetPeriod,
    who: String,
}

#[derive(Debug, Default)]
struct Counter {
    start: i64,
    spent: Charge,
    /// Spent through a gateway of this name that ran before; kept in its own file.
    inherited: Charge,
    reserved: Charge,
    /// Whether it was said that this is spent.
    told: bool,
}

/// What a request wants to spend.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub application: &'a Application,
    pub principal: &'a Principal,
    pub model: Option<&'a str>,
    pub at: Timestamp,
    /// Prompt tokens, estimated.
    pub input: u64,
    /// Completion tokens wanted, over all choices.
    pub output: u64,
    /// Fewer completion tokens than this are of no use.
    pub least: u64,
}

/// Room held for one request.
#[derive(Debug)]
pub(crate) struct Reservation {
    held: Vec<(Key, i64)>,
    reserved: Charge,
    /// Completion tokens it may have, over all choices.
    pub output: u64,
    /// The budget that allows no more, if it is less than was asked.
    pub limited_by: Option<SpendBudget>,
}

/// A budget that has no room.
#[derive(Debug)]
pub(crate) struct Spent {
    pub budget: SpendBudget,
    /// When it begins anew.
    pub until: Timestamp,
    /// Whether nobody was told yet.
    pub first: bool,
}

/// Why nothing was reserved.
#[derive(Debug)]
pub(crate) enum Refused {
    Spent(Box<Spent>),
    /// There is a budget in money and no price of this model.
    Unpriced,
}

impl Ledger {
    /// Sets room aside in every budget. With `unpriced_too` a model without a price is counted in
    /// tokens only.
    pub(crate) fn reserve(
        &self,
        ask: &Ask<'_>,
        unpriced_too: bool,
    ) -> Result<Reservation, Refused> {
        let spending = &ask.application.spending;
        let price = price_of(ask.application, ask.model);
        let in_money = spending.budgets.iter().any(|budget| budget.cost_micros.is_some());
        if in_money && price.is_none() && !unpriced_too {
            return Err(Refused::Unpriced);
        }
        let mut state = self.0.lock();
        let mut output = ask.output;
        let mut limited_by = None;
        let mut held = Vec::with_capacity(spending.budgets.len());
        for budget in &spending.budgets {
            let key = state.key(ask, budget);
            let start = budget.period.start(ask.at);
            let counter = state.counters.entry(key.clone()).or_default();
            counter.roll(start);
            let room = counter.room(budget, price, ask.input);
            if room.is_none_or(|room| room < ask.least) {
                let first = !std::mem::replace(&mut counter.told, true);
                let until = budget.period.end(ask.at);
                return Err(Refused::Spent(Box::new(Spent {
                    budget: budget.clone(),
                    until,
                    first,
                })));
            }
            if let Some(room) = room.filter(|room| *room < output) {
                output = room;
                limited_by = Some(budget.clone());
            }
            if !held.iter().any(|(other, _)| *other == key) {
                held.push((key, counter.start));
            }
        }
        let reserved = Charge::new(ask.input, output, price);
        for (key, _) in &held {
            if let Some(counter) = state.counters.get_mut(key) {
                counter.reserved.add(reserved);
            }
        }
        Ok(Reservation { held, reserved, output, limited_by })
    }

    /// Whether this is the first time that `budget` is seen to be spent by the holder of `held`.
    pub(crate) fn tell(&self, held: &Reservation, budget: &SpendBudget) -> bool {
        let mut state = self.0.lock();
        let concerned =
            |(key, _): &&(Key, i64)| key.per == budget.per && key.period == budget.period;
        let Some((key, _)) = held.held.iter().find(concerned) else { return false };
        let counter = state.counters.get_mut(key);
        counter.is_some_and(|counter| !std::mem::replace(&mut counter.told, true))
    }

    /// Gives back what was set aside; nothing was spent.
    pub(crate) fn release(&self, held: &Reservation) {
        self.0.lock().settle(held, Charge::default());
    }

    /// A record is about to be handed to the log. To be given back to [`Ledger::settle`].
    pub(crate) fn begin(&self) -> u64 {
        let mut state = self.0.lock();
        let floor = state.last;
        *state.pending.entry(floor).or_default() += 1;
        floor
    }

    /// The record is in the log at `sequence` (none: it could not be recorded). What was set aside
    /// is given back and what was spent is counted.
    pub(crate) fn settle(
        &self,
        held: &Reservation,
        charge: Charge,
        floor: u64,
        sequence: Option<u64>,
    ) {
        let mut state = self.0.lock();
        state.settle(held, charge);
        if let Some(count) = state.pending.get_mut(&floor) {
            *count -= 1;
            if *count == 0 {
                state.pending.remove(&floor);
            }
        }
        if let Some(sequence) = sequence {
            state.last = state.last.max(sequence);
            state.above.insert(sequence);
        }
        state.forget_settled();
    }
}

impl State {
    /// Everything up to here is counted.
    fn cursor(&self) -> u64 {
        self.pending.keys().next().copied().unwrap_or(self.last)
    }

    fn forget_settled(&mut self) {
        let cursor = self.cursor();
        while self.above.first().is_some_and(|sequence| *sequence <= cursor) {
            self.above.pop_first();
        }
    }

    fn settle(&mut self, held: &Reservation, charge: Charge) {
        self.changed = true;
        for (key, start) in &held.held {
            let Some(counter) = self.counters.get_mut(key) else { continue };
            // A period that is over took with it what was set aside in it.
            if counter.start == *start {
                counter.reserved.take(held.reserved);
                counter.spent.add(charge);
            }
        }
    }

    fn key(&mut self, ask: &Ask<'_>, budget: &SpendBudget) -> Key {
        let key = Key::of(&ask.application.name, ask.principal, budget);
        if self.counters.len() < COUNTERS_MAX || self.counters.contains_key(&key) {
            return key;
        }
        self.counters.retain(|key, counter| counter.start >= key.period.start(ask.at));
        if self.counters.len() < COUNTERS_MAX {
            return key;
        }
        Key { who: OTHERS.into(), ..key }
    }

    /// Counts what an earlier record says was spent.
    fn count(&mut self, key: Key, at: Timestamp, charge: Charge, inherited: bool) {
        let start = key.period.start(at);
        if self.counters.len() >= COUNTERS_MAX && !self.counters.contains_key(&key) {
            return;
        }
        let counter = self.counters.entry(key).or_default();
        counter.roll(start);
        if counter.start == start {
            let part = if inherited { &mut counter.inherited } else { &mut counter.spent };
            part.add(charge);
        }
    }
}

impl Key {
    fn of(application: &str, principal: &Principal, budget: &SpendBudget) -> Self {
        let who = match budget.per {
            BudgetScope::Application => String::new(),
            BudgetScope::Key => principal.key.map(|key| key.to_string()).unwrap_or_default(),
            // Who only says so has a budget apart from who has shown it.
            BudgetScope::User => principal
                .user
                .as_ref()
                .map(|user| format!("{}:{}", user.grade, user.value))
                .unwrap_or_default(),
        };
        Self { application: application.to_owned(), per: budget.per, period: budget.period, who }
    }
}

impl Counter {
    /// Begins anew when the period is over. A clock that was set back begins nothing.
    fn roll(&mut self, start: i64) {
        if start > self.start {
            *self = Self { start, ..Self::default() };
        }
    }

    /// Completion tokens there is room for beside `input` prompt tokens; none: not even for those.
    fn room(&self, budget: &SpendBudget, price: Option<&ModelPrice>, input: u64) -> Option<u64> {
        let mut used = self.spent;
        used.add(self.inherited);
        used.add(self.reserved);
        let mut room = u64::MAX;
        if let Some(limit) = budget.tokens {
            room = limit.checked_sub(used.tokens)?.checked_sub(input)?;
            if room == 0 && limit <= used.tokens {
                return None;
            }
        }
        if let (Some(limit), Some(price)) = (budget.cost_micros, price) {
            let left = limit.checked_sub(used.cost_micros)?.checked_sub(price.cost(input, 0))?;
            let tokens = u128::from(left) * 1_000_000;
            let tokens = tokens.checked_div(u128::from(price.output_micros));
            room = room.min(tokens.map_or(u64::MAX, |t| u64::try_from(t).unwrap_or(u64::MAX)));
        }
        Some(room)
    }
}

/// The price of a model, where the application has one.
pub(crate) fn price_of<'a>(
    application: &'a Application,
    model: Option<&str>,
) -> Option<&'a ModelPrice> {
    let model = model.unwrap_or_default();
    application.spending.prices.iter().find(|price| price.is_of(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(budgets: &[&str]) -> Application {
        let mut application = Application::new("a", Vec::new());
        application.spending.budgets = budgets.iter().map(|b| b.parse().unwrap()).collect();
        application.spending.prices = vec!["m=1/2".parse().unwrap()];
        application
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn reserve(ledger: &Ledger, of: &Application, now: &str) -> Result<Reservation, Refused> {
        let principal = Principal::default();
        let model = Some("m");
        let ask = Ask {
            application: of,
            principal: &principal,
            model,
            at: at(now),
            input: 10,
            output: 50,
            least: 1,
        };
        ledger.reserve(&ask, false)
    }

    #[test]
    fn what_is_set_aside_cannot_be_spent_twice() {
        let (ledger, of) = (Ledger::default(), application(&["application:hour:tokens=100"]));
        let first = reserve(&ledger, &of, "2026-01-01T10:00:00Z").unwrap();
        assert_eq!((first.output, first.limited_by.is_none()), (50, true));
        let second = reserve(&ledger, &of, "2026-01-01T10:30:00Z").unwrap();
        assert_eq!((second.output, second.limited_by.is_some()), (30, true));
        let refused = reserve(&ledger, &of, "2026-01-01T10:59:59Z").unwrap_err();
        let Refused::Spent(spent) = refused else { panic!("priced") };
        assert_eq!((spent.until, spent.first), (at("2026-01-01T11:00:00Z"), true));
        let floor = ledger.begin();
        ledger.settle(&first, Charge { tokens: 15, cost_micros: 0 }, floor, Some(1));
        assert_eq!(reserve(&ledger, &of, "2026-01-01T10:59:59Z").unwrap().output, 35);
    }

    #[test]
    fn a_new_period_begins_with_nothing_spent() {
        let (ledger, of) = (Ledger::default(), application(&["application:minute:tokens=70"]));
        let old = reserve(&ledger, &of, "2026-01-01T10:00:59Z").unwrap();
        assert!(reserve(&ledger, &of, "2026-01-01T10:00:59Z").is_err());
        assert!(reserve(&ledger, &of, "2026-01-01T10:01:00Z").is_ok());
        ledger.settle(&old, Charge { tokens: 70, cost_micros: 0 }, ledger.begin(), Some(1));
        let held = ledger.0.lock().counters.values().map(|c| c.spent.tokens).sum::<u64>();
        assert_eq!(held, 0, "spent in the minute that is over");
    }

    #[test]
    fn money_is_counted_by_the_price() {
        let (ledger, of) = (Ledger::default(), application(&["application:day:cost=0.00006"]));
        let held = reserve(&ledger, &of, "2026-01-01T10:00:00Z").unwrap();
        assert_eq!(held.output, 25, "60 millionths: 10 for the prompt, 2 for each further token");
        assert!(reserve(&ledger, &of, "2026-01-01T10:00:00Z").is_err());
        let mut unpriced = of;
        unpriced.spending.prices.clear();
        assert!(matches!(
            reserve(&ledger, &unpriced, "2026-01-02T10:00:00Z"),
            Err(Refused::Unpriced)
        ));
    }

    #[test]
    fn the_cursor_stays_below_what_is_not_counted_yet() {
        let (ledger, of) = (Ledger::default(), application(&["application:day:tokens=1000"]));
        let held: Vec<_> =
            (0..3).map(|_| reserve(&ledger, &of, "2026-01-01T10:00:00Z").unwrap()).collect();
        let floors: Vec<_> = held.iter().map(|_| ledger.begin()).collect();
        ledger.settle(&held[1], Charge::default(), floors[1], Some(2));
        assert_eq!(ledger.0.lock().cursor(), 0);
        ledger.settle(&held[0], Charge::default(), floors[0], Some(1));
        ledger.settle(&held[2], Charge::default(), floors[2], Some(3));
        let state = ledger.0.lock();
        assert_eq!((state.cursor(), state.above.len()), (3, 0));
    }
}
