//! An application's settings and what it spent.

use axum::http::StatusCode;
use quell_control::Access;
use quell_domain::application::UserToken;
use quell_domain::budget::{BudgetPeriod, BudgetScope, BudgetUse, SpendReport};
use quell_domain::snapshot::GatewayReport;
use quell_domain::streaming::{StreamMode, WindowUnit};
use quell_domain::{AccessRole, Clock};

use crate::browser::Site;

const SOUND: [(&str, &str); 14] = [
    ("stream", "characters"),
    ("window_chars", "400"),
    ("buffer_bytes", "4 194 304"),
    ("user_token", "required"),
    ("user_token_secret", "env:SHOP_TOKENS"),
    ("per_0", "user"),
    ("period_0", "hour"),
    ("tokens_0", "20000"),
    ("per_1", "application"),
    ("period_1", "month"),
    ("cost_1", "250"),
    ("prices", "gpt-4o*=2.50/10\r\n\r\n*=5/15"),
    ("reserve_tokens", "2048"),
    ("of_0", ""),
];

/// `SOUND` over `version`, with other `values`.
fn form<'a>(version: &'a str, values: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("version", version)];
    fields.extend(SOUND.iter().filter(|(name, _)| values.iter().all(|(other, _)| other != name)));
    fields.extend(values);
    fields
}

#[tokio::test]
async fn streams_tokens_and_budgets_are_set_by_a_form() {
    let site = Site::new().await;
    let mut admin = site.signed_in("lead", AccessRole::Admin).await;
    let settings = admin.get("/settings").await;
    assert!(settings.links().contains(&"/applications/shop".to_owned()), "{}", settings.html);
    let page = admin.get("/applications/shop").await;
    for said in
        ["whatever any rule blocks or redacts, of any length", "refused with 401", "No budget"]
    {
        assert!(page.html.contains(said), "{said}: {}", page.html);
    }
    let saved = admin.post("/applications/shop", &page, &form("1", &[])).await;
    assert_eq!(saved.location, "/applications/shop?done=application", "{}", saved.html);
    let stored = site.control.application(&Access::system(), "shop").await.expect("it is there");
    let shop = &stored.value;
    assert_eq!(shop.stream.mode, StreamMode::Window);
    assert_eq!((shop.stream.window, shop.stream.window_chars), (WindowUnit::Characters, 400));
    assert_eq!(shop.user_token, UserToken::Required);
    let budgets: Vec<String> = shop.spending.budgets.iter().map(ToString::to_string).collect();
    assert_eq!(budgets, ["user:hour:tokens=20000", "application:month:cost=250.00"]);
    assert_eq!(shop.spending.prices.len(), 2);

    let again = admin.post("/applications/shop", &page, &form("1", &[])).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.html.contains("Somebody changed this application meanwhile"), "{}", again.html);
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost() {
    let site = Site::new().await;
    let mut admin = site.signed_in("lead", AccessRole::Admin).await;
    let page = admin.get("/applications/shop").await;
    for (field, value, said) in [
        ("window_chars", "4", "A whole number of characters, 16 to 20000."),
        ("buffer_bytes", "much", "A whole number of bytes"),
        ("user_token_secret", "", "Required tokens need the key"),
        ("user_token_secret", "hunter2", "A secret is given as a reference"),
        ("tokens_0", "twenty <b>", "Tokens are a whole number"),
        ("cost_1", "1e9", "Money is an amount like 2.50."),
        ("prices", "gpt-4o 5", "is no price"),
        ("prices", "", "A budget in money needs prices"),
        ("reserve_tokens", "0", "A whole number, at least 1."),
    ] {
        let refused = admin.post("/applications/shop", &page, &form("1", &[(field, value)])).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(refused.html.contains(said), "{field}: {}", refused.html);
        let typed = value.replace('<', "&lt;").replace('>', "&gt;");
        assert!(refused.html.contains(&typed), "{field}: {}", refused.html);
        assert!(refused.html.contains("value=\"2048\"") || field == "reserve_tokens");
    }
    let stored = site.control.application(&Access::system(), "shop").await.expect("it is there");
    assert_eq!(stored.version, 1, "nothing was saved");
    let mut reader = site.signed_in("reader", AccessRole::Viewer).await;
    let page = reader.get("/applications/shop").await;
    assert!(page.html.contains("Changing it needs the access role admin."), "{}", page.html);
    let refused = reader.post("/applications/shop", &page, &form("1", &[])).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(reader.get("/applications/none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn spend_is_shown_as_bars() {
    let site = Site::new().await;
    let mut admin = site.signed_in("lead", AccessRole::Admin).await;
    let page = admin.get("/applications/shop").await;
    admin.post("/applications/shop", &page, &form("1", &[])).await;
    let holder = |who: &str, tokens: u64| BudgetUse {
        application: "shop".into(),
        per: BudgetScope::User,
        period: BudgetPeriod::Hour,
        start: BudgetPeriod::Hour.start(site.clock.now()),
        who: who.into(),
        tokens,
        cost_micros: 0,
        held_tokens: 0,
        held_cost_micros: 0,
    };
    let holders = vec![holder("asserted:<ada>", 15_000), holder("", 500)];
    let spend = Some(SpendReport { holders, left_out: 7 });
    site.control.report(GatewayReport { spend, ..site.report() }).await.expect("a report");
    let page = admin.get("/applications/shop").await;
    for said in [
        "&lt;ada&gt;",
        "75 %",
        "Requests without a user",
        "2 %",
        "7 emptier holders",
        "Nothing spent in this period.",
        "every 5 seconds",
    ] {
        assert!(page.html.contains(said), "{said}: {}", page.html);
    }
}
