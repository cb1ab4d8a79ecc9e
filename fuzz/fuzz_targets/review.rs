//! Reading both sides of an exchange: any schema, arguments, documents and answer give facts
//! within the budget, at places that exist in the answer.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use quell_detection::{PatternSet, Review};
use quell_domain::interaction::{Role, TextField, ToolCall};

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (schema, arguments, document, answer) = input;
    let field = |role, part: &str, text: &str| TextField {
        field: "/choices/0/message/content".into(),
        role,
        part: part.into(),
        text: text.into(),
    };
    let request = [field(Role::User, "content", "Send it to ann@shop.example"), field(Role::Tool, "tool_result", document)];
    let response = [field(Role::Assistant, "content", answer)];
    let schema = serde_json::from_str(schema).unwrap_or_default();
    let logprobs = serde_json::from_str(document).ok();
    let calls = [ToolCall { choice: 0, id: None, name: "send".into(), arguments: arguments.into() }];
    let (schemas, hosts) = ([("send", &schema)], ["shop.example".to_owned()]);
    let none = PatternSet::empty();
    support::with_context(|context| {
        let mut context = *context;
        context.review = Review {
            request: &request,
            schemas: &schemas,
            destinations: &hosts,
            calls: &calls,
            logprobs: logprobs.as_ref(),
        };
        let mut budget = support::budget();
        let rules = support::rules();
        let found = rules.inspect_response(&context, &none, &response, &mut budget, support::interaction(), &[]);
        assert!(!budget.exhausted(), "{} for {}", budget.spent(), answer.len());
        for span in found.signals.iter().flat_map(|signal| &signal.spans) {
            assert!(answer.get(span.start..span.end).is_some(), "{span:?}");
        }
    });
});
