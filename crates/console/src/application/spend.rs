//! What is spent of budgets, as bars.

use jiff::Timestamp;
use quell_control::applications::{BudgetSpend, HolderSpend, Spend};
use quell_domain::budget::{BudgetScope, Money, SpendBudget};
use serde::Serialize;

use crate::moment::{Moment, grouped};

/// What is spent now.
#[derive(Debug, Clone, Serialize)]
pub struct SpendView {
    /// Each budget.
    pub budgets: Vec<BudgetView>,
    /// Holders that are not shown, in words.
    pub left_out: Option<String>,
    /// Whether several gateways report: each has its own count.
    pub several: bool,
}

/// One budget and its fullest holders.
#[derive(Debug, Clone, Serialize)]
pub struct BudgetView {
    /// Whose, and per what.
    pub title: String,
    /// Its amounts.
    pub limit: String,
    /// When it begins anew.
    pub resets: Moment,
    /// Its holders, the fullest first.
    pub holders: Vec<HolderView>,
}

/// What one holder spent.
#[derive(Debug, Clone, Serialize)]
pub struct HolderView {
    /// Who.
    pub who: String,
    /// What is known about the name: how a user was established, or the id of a key.
    pub sub: String,
    /// What is spent.
    pub used: String,
    /// What is set aside for requests under way.
    pub held: Option<String>,
    /// Of the budget.
    pub percent: u64,
    /// How far the bar goes, percent.
    pub width: u64,
    /// Its colour.
    pub class: &'static str,
    /// The gateway that says so.
    pub gateway: String,
    /// Since when the gateway is away.
    pub away: Option<Moment>,
}

impl SpendView {
    /// `spend` as seen at `now`.
    pub fn new(spend: &Spend, now: Timestamp) -> Self {
        let mut gateways: Vec<&str> = spend
            .budgets
            .iter()
            .flat_map(|of| &of.holders)
            .map(|holder| holder.gateway.as_str())
            .collect();
        gateways.sort_unstable();
        gateways.dedup();
        Self {
            budgets: spend.budgets.iter().map(|of| view(of, now)).collect(),
            left_out: (spend.left_out > 0).then(|| {
                format!(
                    "{} emptier holders, over all applications, are not listed.",
                    grouped(spend.left_out)
                )
            }),
            several: gateways.len() > 1,
        }
    }
}

fn view(of: &BudgetSpend, now: Timestamp) -> BudgetView {
    let budget = &of.budget;
    BudgetView {
        title: format!("{}, per {}", whose(budget.per), budget.period),
        limit: amounts(budget, budget.tokens.unwrap_or(0), budget.cost_micros.unwrap_or(0)),
        resets: Moment::new(of.resets_at, now),
        holders: of.holders.iter().map(|holder| one(budget, holder, now)).collect(),
    }
}

/// Who has a budget, in words.
pub(crate) const fn whose(per: BudgetScope) -> &'static str {
    match per {
        BudgetScope::Application => "The application",
        BudgetScope::Key => "Each key",
        BudgetScope::User => "Each user",
    }
}

/// Tokens and money, as far as `budget` limits them.
fn amounts(budget: &SpendBudget, tokens: u64, cost_micros: u64) -> String {
    let tokens = budget.tokens.map(|_| format!("{} tokens", grouped(tokens)));
    let cost = budget.cost_micros.map(|_| format!("cost {}", Money(cost_micros)));
    tokens.into_iter().chain(cost).collect::<Vec<_>>().join(", ")
}

fn one(budget: &SpendBudget, holder: &HolderSpend, now: Timestamp) -> HolderView {
    let percent = holder.per_mille(budget) / 10;
    let held = (holder.held_tokens, holder.held_cost_micros);
    let (who, sub) = who(budget.per, holder);
    HolderView {
        who,
        sub,
        used: amounts(budget, holder.tokens, holder.cost_micros),
        held: (held != (0, 0)).then(|| amounts(budget, held.0, held.1)),
        percent,
        width: percent.min(100),
        class: match percent {
            0..75 => "f-accent",
            75..100 => "f-medium",
            _ => "f-high",
        },
        gateway: holder.gateway.clone(),
        away: (!holder.live).then(|| Moment::new(holder.reported_at, now)),
    }
}

/// The holder's name, and what is known about it.
fn who(per: BudgetScope, holder: &HolderSpend) -> (String, String) {
    let who = holder.who.as_str();
    match (per, who) {
        (_, "*") => ("All others together".into(), "too many to keep apart".into()),
        (BudgetScope::Application, _) => ("The application".into(), String::new()),
        (BudgetScope::Key, "") => ("Requests without a key".into(), String::new()),
        (BudgetScope::User, "") => ("Requests without a user".into(), String::new()),
        (BudgetScope::Key, id) => match &holder.key_name {
            Some(name) => (name.clone(), id.to_owned()),
            None => (id.to_owned(), String::new()),
        },
        (BudgetScope::User, graded) => match graded.split_once(':') {
            Some((grade, name)) => (name.to_owned(), grade.to_owned()),
            None => (graded.to_owned(), String::new()),
        },
    }
}

impl SpendView {
    /// Three budgets, one of them spent.
    pub(crate) fn sample() -> Self {
        let holder = |who: &str, tokens: u64, gateway: &str, live: bool| HolderSpend {
            who: who.into(),
            key_name: None,
            gateway: gateway.into(),
            reported_at: crate::sample::ago(if live { 3 } else { 7_200 }),
            live,
            tokens,
            cost_micros: tokens * 412,
            held_tokens: if tokens > 16_000 { 0 } else { 512 },
            held_cost_micros: 0,
        };
        let budgets = [
            (
                "application:month:cost=250.00",
                vec![holder("", 438_000, "gw-1", true), holder("", 97_000, "gw-2", false)],
            ),
            (
                "user:hour:tokens=20000",
                vec![
                    holder("authenticated:u-58213", 20_140, "gw-1", true),
                    holder("asserted:u-90377", 15_900, "gw-1", true),
                    holder("", 2_210, "gw-1", true),
                ],
            ),
            ("key:day:tokens=1000000", Vec::new()),
        ];
        let now = crate::sample::now();
        let spend = Spend {
            left_out: 41,
            budgets: budgets
                .into_iter()
                .filter_map(|(text, holders)| {
                    let budget: SpendBudget = text.parse().ok()?;
                    let resets_at = budget.period.end(now);
                    Some(BudgetSpend { budget, resets_at, holders })
                })
                .collect(),
        };
        Self::new(&spend, now)
    }
}
