//! Accounts and what they may do.

use serde::Serialize;

use crate::moment::Moment;
use crate::render::{Page, words};
use crate::sample;
use crate::views::Choice;

/// The people page.
#[derive(Debug, Clone, Serialize)]
pub struct People {
    /// Accounts.
    pub accounts: Vec<AccountView>,
    /// Access roles to choose from.
    pub roles: Vec<Choice>,
    /// What was wrong with the last form.
    pub error: Option<String>,
    /// Whether the viewer may change anything.
    pub can_admin: bool,
}

impl Page for People {
    const TEMPLATE: &'static str = "people/page.html";
}

/// One account.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    /// `usr_…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Access role.
    pub role: String,
    /// What that means.
    pub may: &'static str,
    /// Whether it can sign in.
    pub enabled: bool,
    /// When it was made.
    pub created: Moment,
    /// Whether it is the viewer.
    pub me: bool,
}

/// What an access role may do, in words.
pub(crate) fn may(role: &str) -> &'static str {
    match role {
        "viewer" => "Look at everything except text",
        "responder" => "Act on incidents, contain up to level 3, read text",
        "approver" => "Also approve shutdowns asked for by others",
        "admin" => "Also change rules, applications, keys and accounts",
        _ => "Nothing",
    }
}

/// The access roles, least first.
pub(crate) fn roles() -> Vec<Choice> {
    ["viewer", "responder", "approver", "admin"]
        .map(|role| Choice::new(role, format!("{}: {}", words(role), may(role))))
        .to_vec()
}

impl People {
    /// For an admin, for a reader.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let accounts = [
            ("on-call", "approver"),
            ("lead", "admin"),
            ("support-desk", "viewer"),
            ("second-line", "responder"),
        ]
        .map(|(name, role)| AccountView {
            id: format!("usr_{name}"),
            name: name.into(),
            role: role.into(),
            may: may(role),
            enabled: name != "second-line",
            created: sample::moment(900_000),
            me: name == "on-call",
        })
        .to_vec();
        let admin = Self { accounts, roles: roles(), error: None, can_admin: true };
        let reader = Self { can_admin: false, ..admin.clone() };
        let refused = Self {
            error: Some("The password has 6 characters; use at least 12.".into()),
            ..admin.clone()
        };
        vec![("admin", admin), ("reader", reader), ("refused", refused)]
    }
}
