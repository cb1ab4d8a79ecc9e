//! The door.

use serde::Serialize;

use crate::render::Page;

/// The sign-in page.
#[derive(Debug, Clone, Serialize)]
pub struct SignIn {
    /// The name entered.
    pub name: String,
    /// Where to go afterwards.
    pub next: String,
    /// What was wrong with the last attempt.
    pub error: Option<String>,
    /// Whether no account exists yet.
    pub needs_setup: bool,
}

impl Page for SignIn {
    const TEMPLATE: &'static str = "sign_in/page.html";
}

impl SignIn {
    /// Plain, refused, nobody there yet.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let plain = Self { name: String::new(), next: "/".into(), error: None, needs_setup: false };
        let refused = Self {
            name: "on-call".into(),
            error: Some("Name or password is wrong.".into()),
            ..plain.clone()
        };
        let setup = Self { needs_setup: true, ..plain.clone() };
        vec![("plain", plain), ("refused", refused), ("needs-setup", setup)]
    }
}
