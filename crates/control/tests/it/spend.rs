//! What is spent of budgets, from what gateways report.

use quell_domain::AccessRole;
use quell_domain::budget::{BudgetPeriod, BudgetScope, BudgetUse, SpendReport};
use quell_domain::snapshot::GatewayReport;

use crate::lab::{Lab, person};

/// Some time in the hour of `now`.
fn row(lab: &Lab, who: &str, tokens: u64, hours_ago: i64) -> BudgetUse {
    let start = BudgetPeriod::Hour.start(lab.control.now());
    BudgetUse {
        application: "shop".into(),
        per: BudgetScope::User,
        period: BudgetPeriod::Hour,
        start: start - hours_ago * 3_600,
        who: who.into(),
        tokens,
        cost_micros: 0,
        held_tokens: 5,
        held_cost_micros: 0,
    }
}

async fn report(lab: &Lab, gateway: &str, holders: Vec<BudgetUse>, left_out: u64) -> bool {
    let spend = Some(SpendReport { holders, left_out });
    let report = GatewayReport { spend, ..lab.report(gateway, Vec::new()) };
    lab.control.report(report).await.is_ok()
}

#[tokio::test]
async fn spend_is_told_by_gateway_and_period_and_ages() {
    let lab = Lab::new().await;
    let admin = person("root", AccessRole::Admin);
    let viewer = person("eve", AccessRole::Viewer);
    let stored = lab.control.application(&viewer, "shop").await.unwrap();
    let mut shop = stored.value;
    shop.spending.budgets =
        ["user:hour:tokens=100", "key:day:tokens=7"].map(|b| b.parse().unwrap()).to_vec();
    lab.control.put_application(&admin, shop, Some(stored.version)).await.unwrap();

    let rows = vec![row(&lab, "asserted:ada", 40, 0), row(&lab, "asserted:bob", 90, 0)];
    assert!(report(&lab, "gw-1", rows, 3).await);
    lab.advance(20);
    let other = BudgetUse { application: "bank".into(), ..row(&lab, "asserted:eve", 9, 0) };
    let rows = vec![row(&lab, "asserted:ada", 60, 0), row(&lab, "asserted:old", 99, 1), other];
    assert!(report(&lab, "gw-2", rows, 0).await);

    let spend = lab.control.spend(&viewer, "shop").await.unwrap();
    let told: Vec<_> = spend.budgets[0]
        .holders
        .iter()
        .map(|h| {
            (h.who.as_str(), h.gateway.as_str(), h.live, h.per_mille(&spend.budgets[0].budget))
        })
        .collect();
    let expected = [
        ("asserted:bob", "gw-1", false, 950),
        ("asserted:ada", "gw-2", true, 650),
        ("asserted:ada", "gw-1", false, 450),
    ];
    assert_eq!(told, expected, "what is set aside counts; an hour that is over does not");
    assert!(spend.budgets[1].holders.is_empty());
    assert_eq!(spend.left_out, 3);
    assert!(spend.budgets[0].resets_at > lab.control.now());
    let nodes = lab.control.nodes(&viewer).await.unwrap();
    assert!(nodes.iter().all(|node| node.report.spend.is_none()), "told in one place only");
    let missing = lab.control.spend(&viewer, "bank").await.unwrap_err();
    assert_eq!(missing.code(), "not_found");

    let many = vec![row(&lab, "asserted:ada", 1, 0); SpendReport::HOLDERS_MAX + 1];
    assert!(!report(&lab, "gw-1", many, 0).await, "a report has its limit");
}
