//! What is spent of an application's budgets.

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use quell_control::Control;
use quell_control::applications::{BudgetSpend, HolderSpend, Spend};
use quell_domain::budget::SpendBudget;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::extract::Path;
use crate::problem::Result;

/// What is spent of an application's budgets, as the gateways last reported it: every few seconds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Spent {
    /// Each budget with its fullest holders.
    budgets: Vec<BudgetSpent>,
    /// Holders that gateways left out of their reports, over all applications; they are emptier.
    left_out: u64,
}

/// What is spent of one budget.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BudgetSpent {
    /// The budget.
    budget: SpendBudget,
    /// When it begins anew.
    resets_at: Timestamp,
    /// Who spent of it in the running period, the fullest first. Each gateway counts by itself and
    /// refuses by that alone, so a holder has a row for each gateway.
    holders: Vec<Holder>,
}

/// What one holder of a budget spent through one gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BudgetHolder)]
pub(crate) struct Holder {
    /// Who: nothing for the application or for requests without a key or user, else the key's id,
    /// or the user as `grade:name`; `*` for those that are not kept apart.
    who: String,
    /// The name of the key, if it is one and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_name: Option<String>,
    /// The gateway.
    gateway: String,
    /// When the gateway reported this.
    reported_at: Timestamp,
    /// Whether that was lately.
    live: bool,
    /// Tokens spent.
    tokens: u64,
    /// Cost, in millionths of the currency.
    cost_micros: u64,
    /// Tokens set aside for requests under way.
    held_tokens: u64,
    /// Cost set aside for requests under way.
    held_cost_micros: u64,
    /// Spent and set aside, in thousandths of the budget.
    per_mille: u64,
}

impl From<Spend> for Spent {
    fn from(spend: Spend) -> Self {
        let budgets = spend.budgets.into_iter().map(BudgetSpent::from).collect();
        Self { budgets, left_out: spend.left_out }
    }
}

impl From<BudgetSpend> for BudgetSpent {
    fn from(spend: BudgetSpend) -> Self {
        let BudgetSpend { budget, resets_at, holders } = spend;
        let holder = |holder: HolderSpend| Holder {
            per_mille: holder.per_mille(&budget),
            who: holder.who,
            key_name: holder.key_name,
            gateway: holder.gateway,
            reported_at: holder.reported_at,
            live: holder.live,
            tokens: holder.tokens,
            cost_micros: holder.cost_micros,
            held_tokens: holder.held_tokens,
            held_cost_micros: holder.held_cost_micros,
        };
        let holders = holders.into_iter().map(holder).collect();
        Self { budget, resets_at, holders }
    }
}

/// Shows what is spent of an application's budgets in their running periods.
#[utoipa::path(
    get, path = "/api/v1/applications/{name}/spend", tag = "inventory",
    params(("name", description = "The application's name")),
    responses((status = 200, body = Spent))
)]
pub(crate) async fn show_spend(
    State(control): State<Control>,
    Caller(access): Caller,
    Path(name): Path<String>,
) -> Result<Reply<Spent>> {
    Ok(Reply(control.spend(&access, &name).await?.into()))
}
