//! The settings form of an application: what is typed, and what it means.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use quell_domain::application::{Application, UserToken};
use quell_domain::budget::{BudgetPeriod, BudgetScope, ModelPrice, Money, SpendBudget};
use quell_domain::streaming::{StreamMode, Streaming, WindowUnit};
use serde::Serialize;

use crate::http::fields::Fields;

/// Rows of budgets that a form may have.
const ROWS_MAX: usize = 40;
/// Empty rows offered beside the budgets there are.
const ROWS_FREE: usize = 2;

/// What is wrong, by the field it is shown at.
pub type Errors = BTreeMap<String, String>;

/// The form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Form {
    /// The version that is changed.
    pub version: String,
    /// `live`, `sentence`, `characters`, `buffered`.
    pub stream: String,
    /// Characters that wait in a window.
    pub window_chars: String,
    /// Bytes that may wait when buffered.
    pub buffer_bytes: String,
    /// `optional` or `required`.
    pub user_token: String,
    /// Where the key that signs user tokens comes from.
    pub user_token_secret: String,
    /// Hosts that arguments of tool calls may name, one a line.
    pub tool_destinations: String,
    /// Budgets, and empty rows for more.
    pub budgets: Vec<BudgetRow>,
    /// A price a line.
    pub prices: String,
    /// Output tokens set aside for a request that states no limit.
    pub reserve_tokens: String,
}

/// One budget, as typed. Without an amount it is no budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BudgetRow {
    /// Which of the stored budgets it changes; empty for a new one.
    pub of: String,
    /// Whose it is.
    pub per: String,
    /// How long it lasts.
    pub period: String,
    /// Tokens.
    pub tokens: String,
    /// Money.
    pub cost: String,
}

impl Form {
    /// The form of `application` as it is stored.
    pub fn of(application: &Application, version: i64) -> Self {
        let (stream, spending) = (&application.stream, &application.spending);
        let budgets = spending.budgets.iter().enumerate().map(|(index, budget)| BudgetRow {
            of: index.to_string(),
            per: budget.per.to_string(),
            period: budget.period.to_string(),
            tokens: budget.tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
            cost: budget.cost_micros.map(|micros| Money(micros).to_string()).unwrap_or_default(),
        });
        let prices: Vec<String> = spending.prices.iter().map(price).collect();
        Self {
            version: version.to_string(),
            stream: match (stream.mode, stream.window) {
                (StreamMode::Window, unit) => unit.as_str(),
                (mode, _) => mode.as_str(),
            }
            .into(),
            window_chars: stream.window_chars.to_string(),
            buffer_bytes: stream.buffer_bytes.to_string(),
            user_token: match application.user_token {
                UserToken::Optional => "optional",
                UserToken::Required => "required",
            }
            .into(),
            user_token_secret: application.user_token_secret.clone().unwrap_or_default(),
            tool_destinations: application.tool_destinations.join("\n"),
            budgets: with_free_rows(budgets.collect()),
            prices: prices.join("\n"),
            reserve_tokens: spending.reserve_tokens.to_string(),
        }
    }

    /// The form as it was sent.
    pub(crate) fn read(fields: &Fields) -> Self {
        let row = |n: usize| {
            let get = |name: &str| fields.get(&format!("{name}_{n}")).to_owned();
            let row = BudgetRow {
                of: get("of"),
                per: get("per"),
                period: get("period"),
                tokens: get("tokens"),
                cost: get("cost"),
            };
            (!row.per.is_empty()).then_some(row)
        };
        let get = |name: &str| fields.get(name).to_owned();
        Self {
            version: get("version"),
            stream: get("stream"),
            window_chars: get("window_chars"),
            buffer_bytes: get("buffer_bytes"),
            user_token: get("user_token"),
            user_token_secret: get("user_token_secret"),
            tool_destinations: fields.get("tool_destinations").replace('\r', ""),
            budgets: (0..ROWS_MAX).map_while(row).collect(),
            prices: fields.get("prices").replace('\r', ""),
            reserve_tokens: get("reserve_tokens"),
        }
    }

    /// `stored` with what the form says, or everything that is wrong with it.
    pub fn apply(&self, stored: &Application) -> Result<Application, Errors> {
        let mut errors = Errors::new();
        let mut changed = stored.clone();
        self.apply_stream(&mut changed.stream, &mut errors);
        changed.user_token = match self.user_token.as_str() {
            "required" => UserToken::Required,
            _ => UserToken::Optional,
        };
        changed.user_token_secret =
            Some(self.user_token_secret.clone()).filter(|secret| !secret.is_empty());
        if changed.user_token == UserToken::Required && changed.user_token_secret.is_none() {
            let message = "Required tokens need the key that signs them: env:NAME or file:/path.";
            errors.insert("user_token_secret".into(), message.into());
        }
        let hosts = self.tool_destinations.split_whitespace();
        changed.tool_destinations = hosts.map(str::to_owned).collect();
        changed.spending.budgets = self.budgets(&stored.spending.budgets, &mut errors);
        let prices: Vec<ModelPrice> = self
            .prices
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .filter_map(|line| keep("prices", line.parse(), &mut errors))
            .collect();
        let costs = changed.spending.budgets.iter().any(|budget| budget.cost_micros.is_some());
        if costs && prices.is_empty() && !errors.contains_key("prices") {
            let message = "A budget in money needs prices, one a line, e.g. gpt-4o*=2.50/10.";
            errors.insert("prices".into(), message.into());
        }
        changed.spending.prices = prices;
        let reserve = number::<u32>(&self.reserve_tokens).filter(|tokens| *tokens > 0);
        match reserve {
            Some(tokens) => changed.spending.reserve_tokens = tokens,
            None => {
                errors.insert("reserve_tokens".into(), "A whole number, at least 1.".into());
            }
        }
        if errors.is_empty() { Ok(changed) } else { Err(errors) }
    }

    fn apply_stream(&self, stream: &mut Streaming, errors: &mut Errors) {
        (stream.mode, stream.window) = match self.stream.as_str() {
            "sentence" => (StreamMode::Window, WindowUnit::Sentence),
            "characters" => (StreamMode::Window, WindowUnit::Characters),
            "buffered" => (StreamMode::Buffered, stream.window),
            _ => (StreamMode::Live, stream.window),
        };
        let (chars, bytes) = (Streaming::WINDOW_CHARS, Streaming::BUFFER_BYTES);
        if let Some(n) = number(&self.window_chars).filter(|n| chars.contains(n)) {
            stream.window_chars = n;
        } else {
            let message =
                format!("A whole number of characters, {} to {}.", chars.start(), chars.end());
            errors.insert("window_chars".into(), message);
        }
        if let Some(n) = number(&self.buffer_bytes).filter(|n| bytes.contains(n)) {
            stream.buffer_bytes = n;
        } else {
            let message = format!("A whole number of bytes, {} to {}.", bytes.start(), bytes.end());
            errors.insert("buffer_bytes".into(), message);
        }
    }

    /// What the rows say; rows without an amount are none. What a row does not show stays as it is
    /// in the budget it changes.
    fn budgets(&self, stored: &[SpendBudget], errors: &mut Errors) -> Vec<SpendBudget> {
        let mut budgets = Vec::new();
        for (index, row) in self.budgets.iter().enumerate() {
            if row.tokens.is_empty() && row.cost.is_empty() {
                continue;
            }
            let place = format!("budget_{index}");
            if let Some(budget) = keep(&place, row.budget(stored), errors) {
                budgets.push(budget);
            }
        }
        budgets
    }

    /// Rows for more budgets, where the form came back full.
    pub(crate) fn offer_rows(&mut self) {
        self.budgets = with_free_rows(std::mem::take(&mut self.budgets));
    }
}

impl BudgetRow {
    fn budget(&self, stored: &[SpendBudget]) -> Result<SpendBudget, String> {
        let tokens = match self.tokens.as_str() {
            "" => None,
            text => Some(
                number(text)
                    .filter(|tokens| *tokens > 0)
                    .ok_or("Tokens are a whole number, at least 1.")?,
            ),
        };
        let cost = match self.cost.as_str() {
            "" => None,
            text => Some(text.parse::<Money>().map_err(|_| "Money is an amount like 2.50.")?.0),
        };
        let per: BudgetScope =
            self.per.parse().map_err(|_| "Choose the application, each key or each user.")?;
        let period: BudgetPeriod =
            self.period.parse().map_err(|_| "Choose a minute, an hour, a day or a month.")?;
        let changed = self.of.parse::<usize>().ok().and_then(|index| stored.get(index));
        let mut budget = if let Some(budget) = changed {
            budget.clone()
        } else {
            let text = format!("{per}:{period}:tokens=1");
            text.parse::<SpendBudget>().map_err(|error| error.to_string())?
        };
        (budget.per, budget.period) = (per, period);
        (budget.tokens, budget.cost_micros) = (tokens, cost);
        Ok(budget)
    }
}

fn with_free_rows(mut rows: Vec<BudgetRow>) -> Vec<BudgetRow> {
    let free = rows.iter().filter(|row| row.tokens.is_empty() && row.cost.is_empty()).count();
    let more = ROWS_FREE.saturating_sub(free).min(ROWS_MAX.saturating_sub(rows.len()));
    rows.extend((0..more).map(|_| BudgetRow {
        per: "user".into(),
        period: "day".into(),
        ..BudgetRow::default()
    }));
    rows
}

/// The value, or its error at `place`.
fn keep<T, E: Display>(place: &str, read: Result<T, E>, errors: &mut Errors) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(error) => {
            let mut text = error.to_string();
            if !text.ends_with('.') {
                text.push('.');
            }
            errors.entry(place.into()).or_insert(text);
            None
        }
    }
}

/// A whole number, also with spaces between groups of digits.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A price as it is typed.
fn price(price: &ModelPrice) -> String {
    format!("{}={}/{}", price.model, Money(price.input_micros), Money(price.output_micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_domain::Severity;

    fn stored() -> Application {
        let mut application = Application::new("shop", vec!["primary".into()]);
        let mut budget: SpendBudget = "user:hour:tokens=100".parse().expect("a budget");
        (budget.quiet, budget.severity) = (true, Severity::High);
        application.spending.budgets = vec![budget];
        application.spending.prices = vec!["m*=2.50/10".parse().expect("a price")];
        application
    }

    #[test]
    fn an_unchanged_form_changes_nothing() {
        for mode in ["live", "sentence", "characters", "buffered"] {
            let mut application = stored();
            let form = Form { stream: mode.into(), ..Form::of(&application, 3) };
            application = form.apply(&application).expect("sound");
            let form = Form::of(&application, 3);
            assert_eq!((form.stream.as_str(), form.version.as_str()), (mode, "3"));
            assert_eq!(form.apply(&application).expect("sound"), application);
        }
    }

    #[test]
    fn rows_change_add_and_remove_budgets() {
        let application = stored();
        let mut form = Form::of(&application, 1);
        assert_eq!(form.budgets.len(), 3);
        form.budgets[0].tokens = "20 000".into();
        form.budgets[2].cost = "2.5".into();
        let budgets = form.apply(&application).expect("sound").spending.budgets;
        assert_eq!(budgets[0].tokens, Some(20_000));
        assert!(budgets[0].quiet && budgets[0].severity == Severity::High, "kept");
        assert_eq!(budgets[1].to_string(), "user:day:cost=2.50");
        form.budgets[0].tokens.clear();
        assert_eq!(form.apply(&application).expect("sound").spending.budgets.len(), 1);
    }

    #[test]
    fn everything_wrong_is_named_at_its_field() {
        let application = stored();
        let mut form = Form::of(&application, 1);
        form.window_chars = "4".into();
        form.buffer_bytes = "many".into();
        form.user_token = "required".into();
        form.budgets[0].tokens = "-5".into();
        form.budgets[1].cost = "1e9".into();
        form.prices = "gpt".into();
        form.reserve_tokens = "0".into();
        let errors = form.apply(&application).expect_err("all of it is wrong");
        let fields: Vec<&str> = errors.keys().map(String::as_str).collect();
        assert_eq!(
            fields,
            [
                "budget_0",
                "budget_1",
                "buffer_bytes",
                "prices",
                "reserve_tokens",
                "user_token_secret",
                "window_chars"
            ]
        );
        let mut form = Form::of(&application, 1);
        (form.prices, form.budgets[1].cost) = (String::new(), "5".into());
        let errors = form.apply(&application).expect_err("no price");
        assert!(errors["prices"].contains("needs prices"), "{errors:?}");
    }
}
