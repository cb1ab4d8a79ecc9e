//! What an application, a key or a user may spend in a time, in tokens or money.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Unit, ZonedRound};
use serde::{Deserialize, Serialize};

use crate::incident::Severity;
use crate::kind::IncidentKind;

/// What may be spent, and what things cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Spending {
    /// Budgets; a request needs room in each that concerns it.
    pub budgets: Vec<SpendBudget>,
    /// Prices, for budgets in money.
    pub prices: Vec<ModelPrice>,
    /// Output tokens set aside for a request that states no limit of its own. While the
    /// application has a budget this is also set as its limit.
    pub reserve_tokens: u32,
}

impl Default for Spending {
    fn default() -> Self {
        Self { budgets: Vec::new(), prices: Vec::new(), reserve_tokens: 4_096 }
    }
}

/// One budget of an application. At least one of `tokens` and `cost_micros` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SpendBudget {
    /// Who has it.
    pub per: BudgetScope,
    /// How long it lasts before it begins anew.
    pub period: BudgetPeriod,
    /// Tokens of requests and answers together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Cost by the application's `prices`, in millionths of their currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// The kind of the signal raised when it is spent, once per holder and period.
    #[serde(default = "default_kind")]
    pub kind: IncidentKind,
    /// The severity of that signal.
    #[serde(default = "default_severity")]
    pub severity: Severity,
    /// Whether to refuse without a signal.
    #[serde(default)]
    pub quiet: bool,
}

fn default_kind() -> IncidentKind {
    IncidentKind::DenialOfService
}

fn default_severity() -> Severity {
    Severity::Low
}

impl SpendBudget {
    /// Its name in causes and cuts, e.g. `budget:user_hour`.
    pub fn name(&self) -> String {
        format!("budget:{}_{}", self.per, self.period)
    }
}

impl fmt::Display for SpendBudget {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.per, self.period)?;
        if let Some(tokens) = self.tokens {
            write!(f, ":tokens={tokens}")?;
        }
        if let Some(micros) = self.cost_micros {
            write!(f, ":cost={}", Money(micros))?;
        }
        Ok(())
    }
}

/// What is wrong with a budget or price as written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotABudget(String);

impl FromStr for SpendBudget {
    type Err = NotABudget;

    /// Reads `user:hour:tokens=10000:cost=2.50`.
    fn from_str(text: &str) -> Result<Self, NotABudget> {
        let wrong = |what: String| {
            NotABudget(format!(
                "{what}; a budget reads user:hour:tokens=10000 or application:month:cost=250.00"
            ))
        };
        let mut parts = text.split(':');
        let per = parts.next().unwrap_or_default().parse().map_err(|e| wrong(format!("{e}")))?;
        let period = parts.next().unwrap_or_default().parse().map_err(|e| wrong(format!("{e}")))?;
        let (kind, severity) = (default_kind(), default_severity());
        let mut budget =
            Self { per, period, tokens: None, cost_micros: None, kind, severity, quiet: false };
        for part in parts {
            match part.split_once('=') {
                Some(("tokens", number)) => {
                    let tokens = number.parse();
                    budget.tokens =
                        Some(tokens.map_err(|_| wrong(format!("{number:?} is no whole number")))?);
                }
                Some(("cost", amount)) => {
                    budget.cost_micros = Some(amount.parse::<Money>()?.0);
                }
                _ => return Err(wrong(format!("{part:?} is neither tokens= nor cost="))),
            }
        }
        if budget.tokens.is_none() && budget.cost_micros.is_none() {
            return Err(wrong("it has no amount".into()));
        }
        Ok(budget)
    }
}

/// What one million tokens of a model cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// The model's name; a `*` at the end stands for any rest. The first price that fits counts.
    pub model: String,
    /// One million prompt tokens, in millionths of the currency.
    pub input_micros: u64,
    /// One million completion tokens, in millionths of the currency.
    pub output_micros: u64,
}

impl ModelPrice {
    /// Whether this is the price of `model`.
    pub fn is_of(&self, model: &str) -> bool {
        match self.model.strip_suffix('*') {
            Some(start) => model.starts_with(start),
            None => self.model == model,
        }
    }

    /// What so many tokens cost, in millionths, rounded up.
    pub fn cost(&self, input: u64, output: u64) -> u64 {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let total = part(input, self.input_micros) + part(output, self.output_micros);
        u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

impl FromStr for ModelPrice {
    type Err = NotABudget;

    /// Reads `gpt-4o*=2.50/10`: the price of a million input and of a million output tokens.
    fn from_str(text: &str) -> Result<Self, NotABudget> {
        let read = || {
            let (model, prices) = text.rsplit_once('=')?;
            let (input, output) = prices.split_once('/')?;
            Some(Self {
                model: Some(model).filter(|model| !model.is_empty())?.to_owned(),
                input_micros: input.parse::<Money>().ok()?.0,
                output_micros: output.parse::<Money>().ok()?.0,
            })
        };
        read().ok_or_else(|| {
            NotABudget(format!(
                "{text:?} is no price; write MODEL=INPUT/OUTPUT per million tokens, e.g. gpt-4o*=2.50/10"
            ))
        })
    }
}

/// An amount in millionths, written with a decimal point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money(pub u64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let digits = format!("{rest:06}");
        let shown = digits.trim_end_matches('0');
        write!(f, "{whole}.{shown:0<2}")
    }
}

impl FromStr for Money {
    type Err = NotABudget;

    fn from_str(text: &str) -> Result<Self, NotABudget> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let read = || {
            let sound = !whole.is_empty() && digits(whole) && digits(rest) && rest.len() <= 6;
            let whole: u64 = sound.then(|| whole.parse().ok())??;
            let rest: u64 = format!("{rest:0<6}").parse().ok()?;
            whole.checked_mul(1_000_000)?.checked_add(rest)
        };
        let wrong = || NotABudget(format!("{text:?} is no amount; write it like 2.50"));
        read().map(Self).ok_or_else(wrong)
    }
}

/// Who has a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// The whole application.
    Application,
    /// Each key; requests without one share one budget.
    Key,
    /// Each user; requests without one share one budget.
    User,
}

impl BudgetScope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Application, Self::Key, Self::User];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Key => "key",
            Self::User => "user",
        }
    }
}
crate::incident::text_enum!(BudgetScope);

/// How long a budget lasts, by the UTC calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl BudgetPeriod {
    /// Shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The first moment of the period `at` lies in, Unix seconds.
    pub fn start(self, at: Timestamp) -> i64 {
        let seconds = at.as_second();
        match self {
            Self::Minute => seconds - seconds.rem_euclid(60),
            Self::Hour => seconds - seconds.rem_euclid(3_600),
            Self::Day => seconds - seconds.rem_euclid(86_400),
            Self::Month => {
                let day = at.to_zoned(TimeZone::UTC);
                let days = i64::from(day.day()) - 1;
                Self::Day.start(at) - days * 86_400
            }
        }
    }

    /// The first moment of the next period.
    pub fn end(self, at: Timestamp) -> Timestamp {
        let start = Timestamp::from_second(self.start(at)).unwrap_or(at);
        let zoned = start.to_zoned(TimeZone::UTC);
        let next = match self {
            Self::Minute => zoned.checked_add(1.minute()),
            Self::Hour => zoned.checked_add(1.hour()),
            Self::Day => zoned.checked_add(1.day()),
            Self::Month => zoned.checked_add(1.month()),
        };
        let next = next.and_then(|next| next.round(ZonedRound::new().smallest(Unit::Second)));
        next.map_or(at, |next| next.timestamp())
    }
}
crate::incident::text_enum!(BudgetPeriod);

/// What is spent of the budgets a gateway keeps, the fullest first. Part of its report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SpendReport {
    /// One row for each holder of a budget.
    pub holders: Vec<BudgetUse>,
    /// Holders that are not among the rows; all of them are emptier.
    pub left_out: u64,
}

impl SpendReport {
    /// Most rows.
    pub const HOLDERS_MAX: usize = 200;
    /// Most rows of one budget.
    pub const OF_ONE_BUDGET_MAX: usize = 10;
}

/// What one holder has spent of one budget in its running period, through one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetUse {
    /// The application.
    pub application: String,
    /// Whose budget.
    pub per: BudgetScope,
    /// Which period.
    pub period: BudgetPeriod,
    /// When the period began, Unix seconds.
    pub start: i64,
    /// Who: nothing for the application or for requests without a key or user, else the key's id,
    /// or the user as `grade:name`; `*` for those that are not kept apart.
    pub who: String,
    /// Tokens spent.
    pub tokens: u64,
    /// Cost, in millionths of the currency.
    pub cost_micros: u64,
    /// Tokens set aside for requests under way.
    pub held_tokens: u64,
    /// Cost set aside for requests under way.
    pub held_cost_micros: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_follow_the_calendar() {
        let at: Timestamp = "2028-02-29T23:59:31.5Z".parse().unwrap();
        let shown = |period: BudgetPeriod| {
            let start = Timestamp::from_second(period.start(at)).unwrap();
            format!("{start} {}", period.end(at))
        };
        assert_eq!(shown(BudgetPeriod::Minute), "2028-02-29T23:59:00Z 2028-03-01T00:00:00Z");
        assert_eq!(shown(BudgetPeriod::Hour), "2028-02-29T23:00:00Z 2028-03-01T00:00:00Z");
        assert_eq!(shown(BudgetPeriod::Day), "2028-02-29T00:00:00Z 2028-03-01T00:00:00Z");
        assert_eq!(shown(BudgetPeriod::Month), "2028-02-01T00:00:00Z 2028-03-01T00:00:00Z");
    }

    #[test]
    fn budgets_and_prices_are_read_strictly() {
        let budget: SpendBudget = "user:hour:tokens=100:cost=2.5".parse().unwrap();
        assert_eq!((budget.tokens, budget.cost_micros), (Some(100), Some(2_500_000)));
        assert_eq!(budget.to_string(), "user:hour:tokens=100:cost=2.50");
        assert_eq!(budget.name(), "budget:user_hour");
        for wrong in ["user:hour", "user:year:tokens=1", "team:day:tokens=1", "user:day:cost=1e3"] {
            assert!(wrong.parse::<SpendBudget>().is_err(), "{wrong}");
        }
        let price: ModelPrice = "gpt-4o*=2.50/10".parse().unwrap();
        assert!(price.is_of("gpt-4o-mini") && !price.is_of("gpt-4"));
        assert_eq!(price.cost(1_000_000, 100_000), 3_500_000);
        assert_eq!(price.cost(1, 0), 3, "rounded up");
        assert!("gpt=1".parse::<ModelPrice>().is_err());
    }
}
