//! Short ways to judge a text.

use std::sync::Arc;

use quell_detection::{Budget, Context, Findings, PatternSet, Review, RuleSet, StreamInspection};
use quell_domain::id::InteractionId;
use quell_domain::interaction::{Endpoint, Role, TextField, ToolCall};
use quell_domain::principal::Principal;
use serde_json::Map;

/// The shipped rules without the classifier, compiled once: for what patterns and analyzers say.
pub(crate) fn rules() -> Arc<RuleSet> {
    static RULES: std::sync::OnceLock<Arc<RuleSet>> = std::sync::OnceLock::new();
    Arc::clone(RULES.get_or_init(|| match RuleSet::embedded() {
        Ok(rules) => Arc::new(rules.with_classifier(None)),
        Err(errors) => panic!("{errors}"),
    }))
}

pub(crate) fn interaction() -> InteractionId {
    "int_018f0000000070008000000000000001".parse().expect("a fixed id")
}

pub(crate) fn budget() -> Budget {
    Budget::new(64 << 20)
}

/// Everything a context borrows.
#[derive(Default)]
pub(crate) struct Setting {
    pub(crate) principal: Principal,
    pub(crate) system: String,
    pub(crate) canaries: Vec<String>,
    pub(crate) offered: Vec<String>,
    pub(crate) called: Vec<ToolCall>,
    pub(crate) parameters: Map<String, serde_json::Value>,
}

impl Setting {
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            application: "app",
            endpoint: Endpoint::ChatCompletions,
            model: Some("model"),
            principal: &self.principal,
            system_text: &self.system,
            canaries: &self.canaries,
            tools_offered: &self.offered,
            review: Review { calls: &self.called, ..Review::default() },
            stream: false,
            parameters: &self.parameters,
        }
    }
}

pub(crate) fn field(role: Role, text: &str) -> TextField {
    TextField {
        field: "/messages/0/content".into(),
        role,
        part: "content".into(),
        text: text.into(),
    }
}

pub(crate) fn input(role: Role, text: &str) -> Findings {
    let extra = PatternSet::empty();
    let setting = Setting::default();
    let fields = [field(role, text)];
    rules().inspect_request(&setting.context(), &extra, &fields, &mut budget(), interaction(), None)
}

pub(crate) fn output(setting: &Setting, text: &str) -> Findings {
    let extra = PatternSet::empty();
    let fields = [field(Role::Assistant, text)];
    rules().inspect_response(&setting.context(), &extra, &fields, &mut budget(), interaction(), &[])
}

pub(crate) fn stream(setting: &Setting, extra: Arc<PatternSet>) -> StreamInspection {
    rules().stream(&setting.context(), extra, budget(), interaction(), &[])
}

/// When tests happen.
pub(crate) fn now() -> jiff::Timestamp {
    interaction().born()
}
