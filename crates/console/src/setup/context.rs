//! The one-time link that makes the first admin.

use serde::Serialize;

use crate::render::Page;

/// The setup page.
#[derive(Debug, Clone, Serialize)]
pub struct Setup {
    /// Where the form goes: the link itself.
    pub action: String,
    /// The name entered.
    pub name: String,
    /// What was wrong with the last attempt.
    pub error: Option<String>,
}

impl Page for Setup {
    const TEMPLATE: &'static str = "setup/page.html";
}

impl Setup {
    /// Fresh, and refused.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let fresh = Self { action: "/setup/one-time".into(), name: String::new(), error: None };
        let refused = Self {
            name: "lead".into(),
            error: Some("The password has 6 characters; use at least 12.".into()),
            ..fresh.clone()
        };
        vec![("fresh", fresh), ("refused", refused)]
    }
}
