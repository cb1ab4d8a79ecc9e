//! Applications, upstreams, keys and gateways, readable.

use serde::Serialize;

use crate::moment::Moment;
use crate::overview::context::{GatewayView, sample_gateways};
use crate::render::Page;
use crate::sample;
use crate::views::Choice;

/// The settings page.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// Applications.
    pub applications: Vec<ApplicationView>,
    /// Upstreams.
    pub upstreams: Vec<UpstreamView>,
    /// Keys clients present.
    pub keys: Vec<KeyView>,
    /// Gateways.
    pub gateways: Vec<GatewayView>,
    /// Applications a key can open.
    pub choices: Vec<Choice>,
    /// A key just made, shown once.
    pub fresh_key: Option<String>,
    /// What was wrong with the last form.
    pub error: Option<String>,
    /// Whether the viewer may change anything.
    pub can_admin: bool,
}

impl Page for Settings {
    const TEMPLATE: &'static str = "settings/page.html";
}

/// One application.
#[derive(Debug, Clone, Serialize)]
pub struct ApplicationView {
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// What people call it, or its purpose.
    pub about: String,
    /// Who answers for it.
    pub owner: String,
    /// How much depends on it.
    pub criticality: quell_domain::Severity,
    /// Its upstreams, in order.
    pub upstreams: String,
    /// What of the text is kept, and what happens when it cannot be.
    pub record: String,
    /// What of a streamed answer waits, and what that guarantees.
    pub stream: String,
    /// What may be spent.
    pub budgets: Vec<String>,
    /// What automatic response does.
    pub policy: Vec<String>,
}

/// One upstream.
#[derive(Debug, Clone, Serialize)]
pub struct UpstreamView {
    /// Its name.
    pub name: String,
    /// Base URL.
    pub base_url: String,
    /// `openai` or `anthropic`.
    pub dialect: String,
    /// Where its secret comes from.
    pub secret: String,
}

/// One key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The application it opens.
    pub application: String,
    /// The user it stands for.
    pub user: Option<String>,
    /// When it ends.
    pub expires: Option<Moment>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl Settings {
    /// Full with a fresh key, and the first day of a reader.
    pub fn samples() -> Vec<(&'static str, Self)> {
        let application = |name: &str, about: &str| {
            ApplicationView {
            name: name.into(),
            href: format!("/applications/{name}"),
            about: about.into(),
            owner: "Customer service".into(),
            criticality: quell_domain::Severity::High,
            upstreams: "openai-eu, then anthropic".into(),
            record: "Full text; refuses when it cannot record".into(),
            stream: "Window: each sentence leaves once it is complete and judged; what fits in one never leaks".into(),
            budgets: vec![
                "Each user: 20000 tokens per hour".into(),
                "The application: cost 250.00 per month".into(),
            ],
            policy: vec![
                "From high on, jailbreak: apply level 1 to the principal for 60 min".into(),
                "From critical on: propose level 3 to the application for 240 min".into(),
            ],
        }
        };
        let upstream = |name: &str, url: &str, dialect: &str| UpstreamView {
            name: name.into(),
            base_url: url.into(),
            dialect: dialect.into(),
            secret: format!("env:{}_KEY", name.to_uppercase().replace('-', "_")),
        };
        let key = |n: u32, name: &str, user: Option<&str>, revoked: bool| KeyView {
            id: format!("key_0199000000007000800000000000{n:04}"),
            name: name.into(),
            application: sample::APPLICATION.into(),
            user: user.map(Into::into),
            expires: (!revoked).then(|| sample::moment(-7_776_000)),
            revoked,
        };
        let full = Self {
            applications: vec![
                application("shop-assistant", "Answers questions about orders"),
                application("billing-chat", "Explains invoices"),
            ],
            upstreams: vec![
                upstream("openai-eu", "https://api.openai.com", "openai"),
                upstream("anthropic", "https://api.anthropic.com", "anthropic"),
            ],
            keys: vec![
                key(1, "web shop", None, false),
                key(2, "batch export", Some("svc-export"), false),
                key(3, "pilot", None, true),
            ],
            gateways: sample_gateways(),
            choices: vec![Choice::new("shop-assistant", "shop-assistant")],
            fresh_key: Some("qk_9fK2mT7vX4bR8nQ1sW6yZ3cD5gH0jLpA".into()),
            error: None,
            can_admin: true,
        };
        let first = Self {
            applications: Vec::new(),
            upstreams: Vec::new(),
            keys: Vec::new(),
            gateways: Vec::new(),
            choices: Vec::new(),
            fresh_key: None,
            can_admin: false,
            ..full.clone()
        };
        vec![("admin", full), ("first-day-reader", first)]
    }
}
