//! What `quell app spend` prints.

use quell_domain::budget::{Money, SpendBudget};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::output;

const COLUMNS: [(&str, &str); 7] = [
    ("BUDGET", "/budget"),
    ("WHO", "/who"),
    ("USED", "/used"),
    ("OF", "/of"),
    ("SHARE", "/share"),
    ("BEGINS ANEW", "/resets_at"),
    ("GATEWAY", "/gateway"),
];

/// A line for each holder of each budget; a budget nobody spent of has one, too.
pub(crate) fn shown(spend: &Value) -> String {
    let budgets = output::rows(spend, "/budgets");
    if budgets.is_empty() {
        return "no budget; set one with: quell app set NAME --budget user:hour:tokens=20000"
            .into();
    }
    let rows: Vec<Value> = budgets.iter().flat_map(lines).collect();
    let table = output::table(&rows, &COLUMNS);
    match spend["left_out"].as_u64() {
        Some(left_out @ 1..) => {
            format!("{table}\n{left_out} emptier ones, over all applications, are not listed")
        }
        _ => table,
    }
}

fn lines(of: &Value) -> Vec<Value> {
    let name =
        format!("{} {}", output::cell(of, "/budget/per"), output::cell(of, "/budget/period"));
    let budget = SpendBudget::deserialize(&of["budget"]).ok();
    let limits = budget.as_ref().map_or_else(String::new, |budget| {
        amounts(budget, budget.tokens.unwrap_or(0), budget.cost_micros.unwrap_or(0))
    });
    let line = |who: String, used: String, share: String, gateway: String| {
        json!({
            "budget": name, "who": who, "used": used, "of": limits, "share": share,
            "resets_at": of["resets_at"], "gateway": gateway,
        })
    };
    let holders = output::rows(of, "/holders");
    if holders.is_empty() {
        return vec![line("nobody yet".into(), "0".into(), "0 %".into(), String::new())];
    }
    let one = |holder: &Value| {
        let number = |name: &str| holder[name].as_u64().unwrap_or(0);
        let tokens = number("tokens").saturating_add(number("held_tokens"));
        let cost = number("cost_micros").saturating_add(number("held_cost_micros"));
        let used = budget.as_ref().map(|budget| amounts(budget, tokens, cost));
        let mut gateway = output::cell(holder, "/gateway");
        if holder["live"] == false {
            let at = output::cell(holder, "/reported_at");
            gateway = format!("{gateway} (away since {at})");
        }
        let share = format!("{} %", number("per_mille") / 10);
        line(who(of, holder), used.unwrap_or_default(), share, gateway)
    };
    holders.iter().map(one).collect()
}

/// Tokens and money, as far as `budget` limits them.
fn amounts(budget: &SpendBudget, tokens: u64, cost_micros: u64) -> String {
    let tokens = budget.tokens.map(|_| format!("{tokens} tokens"));
    let cost = budget.cost_micros.map(|_| format!("cost {}", Money(cost_micros)));
    tokens.into_iter().chain(cost).collect::<Vec<_>>().join(", ")
}

fn who(of: &Value, holder: &Value) -> String {
    let name = output::cell(holder, "/key_name");
    match (output::cell(holder, "/who").as_str(), output::cell(of, "/budget/per").as_str()) {
        ("*", _) => "all others together".into(),
        ("", "application") => "the application".into(),
        ("", per) => format!("without a {per}"),
        (id, "key") if !name.is_empty() => format!("{name} ({id})"),
        (who, _) => who.replacen(':', " ", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_budget_has_a_line_and_says_who() {
        let spend = json!({"left_out": 2, "budgets": [
            {
                "budget": {"per": "user", "period": "hour", "tokens": 100, "cost_micros": 2_500_000},
                "resets_at": "2026-01-01T11:00:00Z",
                "holders": [{
                    "who": "asserted:ada", "gateway": "gw-1", "live": true, "tokens": 40,
                    "held_tokens": 10, "cost_micros": 500_000, "held_cost_micros": 0,
                    "per_mille": 500,
                }],
            },
            {
                "budget": {"per": "application", "period": "day", "tokens": 9},
                "resets_at": "2026-01-02T00:00:00Z", "holders": [],
            },
        ]});
        let text = shown(&spend);
        for said in [
            "asserted ada",
            "50 tokens, cost 0.50",
            "100 tokens, cost 2.50",
            "50 %",
            "2026-01-01 11:00:00.000Z",
            "nobody yet",
            "2 emptier ones",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(shown(&json!({"budgets": [], "left_out": 0})).contains("no budget"));
    }
}
