//! One application: how streams leave, who must prove who they are, what may be spent and is.

use serde::Serialize;

use crate::application::form::{BudgetRow, Errors, Form};
use crate::application::spend::SpendView;
use crate::render::Page;
use crate::settings::context::{ApplicationView, Settings};
use crate::views::Choice;

/// The page of an application.
#[derive(Debug, Clone, Serialize)]
pub struct ApplicationPage {
    /// What is set, readable.
    pub view: ApplicationView,
    /// The form.
    pub form: Form,
    /// What is wrong with it, by field.
    pub errors: Errors,
    /// Stream modes, weakest guarantee first.
    pub streams: Vec<StreamChoice>,
    /// Who can have a budget.
    pub scopes: Vec<Choice>,
    /// How long budgets last.
    pub periods: Vec<Choice>,
    /// What is spent.
    pub spend: SpendView,
    /// Whether the viewer may change it.
    pub can_admin: bool,
}

impl Page for ApplicationPage {
    const TEMPLATE: &'static str = "application/page.html";
}

/// One stream mode with what it guarantees.
#[derive(Debug, Clone, Serialize)]
pub struct StreamChoice {
    /// What the form sends.
    pub value: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What never leaves.
    pub guarantee: &'static str,
    /// What it costs.
    pub costs: &'static str,
}

/// Every mode, weakest guarantee first.
pub(crate) fn streams() -> Vec<StreamChoice> {
    let choice = |value, label, guarantee, costs| StreamChoice { value, label, guarantee, costs };
    vec![
        choice(
            "live",
            "Live",
            "Never leaves: what is found by its beginning (secrets, identifiers, planted strings, \
             patterns of measures). What only shows at its end may leave before it is found.",
            "No delay, except at such a beginning.",
        ),
        choice(
            "sentence",
            "Window by sentence",
            "Never leaves: also what is found late, where it fits one sentence no longer than the \
             characters below.",
            "Text comes a sentence later.",
        ),
        choice(
            "characters",
            "Window of the newest characters",
            "Never leaves: also what is found late and is no longer than the characters below.",
            "Text comes so many characters later.",
        ),
        choice(
            "buffered",
            "Buffered",
            "Never leaves: whatever any rule blocks or redacts, of any length.",
            "The client waits for the whole answer.",
        ),
    ]
}

pub(crate) fn scopes() -> Vec<Choice> {
    vec![
        Choice::new("application", "The application"),
        Choice::new("key", "Each key"),
        Choice::new("user", "Each user"),
    ]
}

pub(crate) fn periods() -> Vec<Choice> {
    ["minute", "hour", "day", "month"]
        .map(|period| Choice::new(period, format!("per {period}")))
        .to_vec()
}

impl ApplicationPage {
    /// Sound, with errors at fields, and for a reader without budgets.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let row = |of: &str, per: &str, period: &str, tokens: &str, cost: &str| BudgetRow {
            of: of.into(),
            per: per.into(),
            period: period.into(),
            tokens: tokens.into(),
            cost: cost.into(),
        };
        let form = Form {
            version: "7".into(),
            stream: "sentence".into(),
            window_chars: "240".into(),
            buffer_bytes: "4194304".into(),
            user_token: "required".into(),
            user_token_secret: "env:SHOP_TOKEN_KEY".into(),
            tool_destinations: "api.shop.example\npay.example".into(),
            budgets: vec![
                row("0", "application", "month", "", "250.00"),
                row("1", "user", "hour", "20000", ""),
                row("2", "key", "day", "1000000", ""),
                row("", "user", "day", "", ""),
                row("", "user", "day", "", ""),
            ],
            prices: "gpt-4o*=2.50/10.00\n*=5.00/15.00".into(),
            reserve_tokens: "2048".into(),
        };
        let views = Settings::samples().into_iter().flat_map(|(_, page)| page.applications);
        views.take(1).flat_map(|view| Self::sampled(view, &form)).collect()
    }

    fn sampled(view: ApplicationView, form: &Form) -> [(&'static str, Self); 3] {
        let full = Self {
            view,
            form: form.clone(),
            errors: Errors::new(),
            streams: streams(),
            scopes: scopes(),
            periods: periods(),
            spend: SpendView::sample(),
            can_admin: true,
        };
        let mut wrong = full.clone();
        wrong.form.user_token_secret = String::new();
        wrong.form.window_chars = "4".into();
        if let Some(row) = wrong.form.budgets.get_mut(1) {
            row.tokens = "twenty".into();
        }
        let error = |field: &str, text: &str| (field.to_owned(), text.to_owned());
        wrong.errors = Errors::from([
            error("window_chars", "A whole number of characters, 16 to 20000."),
            error(
                "user_token_secret",
                "Required tokens need the key that signs them: env:NAME or file:/path.",
            ),
            error("budget_1", "Tokens are a whole number, at least 1."),
        ]);
        let mut reader = full.clone();
        reader.can_admin = false;
        reader.view.budgets = Vec::new();
        reader.spend = SpendView { budgets: Vec::new(), left_out: None, several: false };
        [("admin", full), ("errors", wrong), ("reader", reader)]
    }
}
