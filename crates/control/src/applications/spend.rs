//! What is spent of an application's budgets, as the gateways last reported it.
//!
//! Each gateway keeps its own count and refuses by that alone, so there is a row for each gateway
//! and no sum over them. A row is as old as the gateway's last report: seconds, unless it is away.

use jiff::Timestamp;
use quell_domain::budget::{BudgetUse, SpendBudget};
use quell_domain::{AccessRole, ApiKeyId};

use crate::access::Access;
use crate::handle::Control;
use crate::nodes::is_live;
use crate::refused::Refused;

/// What is spent of an application's budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// Each budget with its fullest holders.
    pub budgets: Vec<BudgetSpend>,
    /// Holders that gateways left out of their reports, over all applications; they are emptier.
    pub left_out: u64,
}

/// What is spent of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSpend {
    /// The budget.
    pub budget: SpendBudget,
    /// When it begins anew.
    pub resets_at: Timestamp,
    /// Who spent of it in the running period, the fullest first.
    pub holders: Vec<HolderSpend>,
}

/// What one holder of a budget spent through one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderSpend {
    /// Who, as gateways write it: see [`BudgetUse::who`].
    pub who: String,
    /// The name people gave the key, where it is one.
    pub key_name: Option<String>,
    /// The gateway.
    pub gateway: String,
    /// When it reported this.
    pub reported_at: Timestamp,
    /// Whether that was lately.
    pub live: bool,
    /// Tokens spent.
    pub tokens: u64,
    /// Cost, in millionths of the currency.
    pub cost_micros: u64,
    /// Tokens set aside for requests under way.
    pub held_tokens: u64,
    /// Cost set aside for requests under way.
    pub held_cost_micros: u64,
}

impl HolderSpend {
    /// How much of `budget` is spent or set aside, in thousandths: of its tokens or of its money,
    /// whichever is more. Over 1,000 where an answer took more than was set aside for it.
    pub fn per_mille(&self, budget: &SpendBudget) -> u64 {
        let share = |used: u64, limit: Option<u64>| {
            let limit = limit.map(|limit| u128::from(limit.max(1)));
            let share = limit.map_or(0, |limit| u128::from(used) * 1_000 / limit);
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        let tokens = self.tokens.saturating_add(self.held_tokens);
        let cost = self.cost_micros.saturating_add(self.held_cost_micros);
        share(tokens, budget.tokens).max(share(cost, budget.cost_micros))
    }
}

impl Control {
    /// What is spent of an application's budgets now.
    pub async fn spend(&self, access: &Access, application: &str) -> Result<Spend, Refused> {
        access.require(AccessRole::Viewer)?;
        let mut read = self.read().await?;
        let found = read.application(application).await?;
        let found = found.ok_or_else(|| Refused::not_found("application", application))?.value;
        let keys = read.api_keys(Some(application)).await?;
        let now = self.now();
        let mut spend = Spend { budgets: Vec::new(), left_out: 0 };
        for budget in found.spending.budgets {
            let resets_at = budget.period.end(now);
            spend.budgets.push(BudgetSpend { budget, resets_at, holders: Vec::new() });
        }
        for record in read.gateways().await? {
            let live = is_live(&record, now);
            let Some(report) = record.report.spend else { continue };
            spend.left_out += report.left_out;
            for row in report.holders.iter().filter(|row| row.application == application) {
                let key: Option<ApiKeyId> = row.who.parse().ok();
                let key = keys.iter().find(|known| Some(known.binding.id) == key);
                let holder = HolderSpend {
                    who: row.who.clone(),
                    key_name: key.map(|key| key.label.clone()).filter(|name| !name.is_empty()),
                    gateway: record.report.gateway.clone(),
                    reported_at: record.last_seen_at,
                    live,
                    tokens: row.tokens,
                    cost_micros: row.cost_micros,
                    held_tokens: row.held_tokens,
                    held_cost_micros: row.held_cost_micros,
                };
                let concerned = |of: &&mut BudgetSpend| concerns(row, &of.budget, now);
                for of in spend.budgets.iter_mut().filter(concerned) {
                    of.holders.push(holder.clone());
                }
            }
        }
        for of in &mut spend.budgets {
            let BudgetSpend { budget, holders, .. } = of;
            holders.sort_by_key(|holder| std::cmp::Reverse(holder.per_mille(budget)));
        }
        Ok(spend)
    }
}

/// Whether a row tells of this budget in its running period.
fn concerns(row: &BudgetUse, budget: &SpendBudget, now: Timestamp) -> bool {
    row.per == budget.per && row.period == budget.period && row.start >= budget.period.start(now)
}
