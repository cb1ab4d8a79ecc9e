//! Runs the examples that rules carry. They are the rules' tests.

use std::sync::Arc;

use jiff::Timestamp;
use quell_domain::id::InteractionId;
use quell_domain::interaction::{
    Digests, Endpoint, INTERACTION_SCHEMA, Interaction, Outcome, Role, TextField, Timing, ToolCall,
    Usage,
};
use quell_domain::principal::{Graded, Principal, TrustGrade};
use quell_domain::rule::Direction;
use serde_json::Value;

use crate::alarm::BaselineAlarm;
use crate::budget::Budget;
use crate::correlate::Correlator;
use crate::event::Context;
use crate::patterns::PatternSet;
use crate::review::Review;
use crate::rules::{Example, RuleInfo, RuleSet, Turn};

/// What running all examples gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ExampleReport {
    /// Examples run.
    pub checked: usize,
    /// Rules without a positive or without a negative example.
    pub untested: Vec<String>,
    /// Examples that went the wrong way.
    pub failures: Vec<ExampleFailure>,
}

/// An example that went the wrong way.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ExampleFailure {
    /// The rule.
    pub rule: String,
    /// `positive` or `negative`.
    pub expected: &'static str,
    /// Which one, from 1.
    pub number: usize,
    /// The rules that matched instead.
    pub matched: Vec<String>,
}

/// Runs every example of every rule.
pub fn run_examples(rules: &Arc<RuleSet>) -> ExampleReport {
    let mut report = ExampleReport::default();
    for info in rules.rules() {
        let (positive, negative) = (&info.examples.positive, &info.examples.negative);
        if positive.is_empty() || negative.is_empty() {
            report.untested.push(info.id.clone());
        }
        for (examples, expected) in [(positive, "positive"), (negative, "negative")] {
            for (index, example) in examples.iter().enumerate() {
                report.checked += 1;
                let matched = matched(rules, info, example);
                if matched.contains(&info.id) != (expected == "positive") {
                    let (rule, number) = (info.id.clone(), index + 1);
                    report.failures.push(ExampleFailure { rule, expected, number, matched });
                }
            }
        }
    }
    report
}

/// The rules an example of `info` matches.
fn matched(rules: &Arc<RuleSet>, info: &RuleInfo, example: &Example) -> Vec<String> {
    let single;
    let turns: &[Turn] = match example {
        Example::Text(text) => {
            single = [Turn { text: text.clone(), ..Turn::default() }];
            &single
        }
        Example::Turn(turn) => std::slice::from_ref(turn),
        Example::Series(turns) => turns,
    };
    let mut correlator = Correlator::new(Arc::clone(rules));
    let (mut found, mut second, mut number) = (Vec::new(), 0, 0);
    for turn in turns {
        if let Some(alarm) = &turn.baseline {
            let alarm = BaselineAlarm {
                application: "example",
                metric: &alarm.metric,
                change: &alarm.change,
                scope: "application",
                part: "",
                at: Timestamp::UNIX_EPOCH,
            };
            found.extend(rules.judge_alarm(&alarm, &[]).into_iter().map(|signal| signal.rule));
            continue;
        }
        for _ in 0..turn.repeat.unwrap_or(1) {
            number += 1;
            second += turn.after;
            let interaction = exchange(rules, info.direction, turn, number, second);
            found.extend(interaction.signals.iter().map(|signal| signal.rule.clone()));
            found.extend(correlator.push(&interaction).into_iter().map(|signal| signal.rule));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Plays one exchange of an example through both inspections.
fn exchange(
    rules: &RuleSet,
    direction: Direction,
    turn: &Turn,
    number: u64,
    second: i64,
) -> Interaction {
    let principal = principal(turn);
    let parameters = turn.parameters.clone().into_iter().collect();
    let mut ctx = Context {
        application: "example",
        endpoint: Endpoint::ChatCompletions,
        model: turn.model.as_deref(),
        principal: &principal,
        system_text: &turn.system,
        canaries: &turn.canaries,
        tools_offered: &turn.tools_offered,
        review: Review::default(),
        stream: false,
        parameters: &parameters,
    };
    let text = turn.text.repeat(turn.times.unwrap_or(1)).replace("{n}", &number.to_string());
    let role = turn.role.unwrap_or(match direction {
        Direction::Input => Role::User,
        Direction::Output => Role::Assistant,
    });
    let answered = direction == Direction::Output && role == Role::Assistant;
    let mut request = Vec::new();
    let earlier = turn.earlier.iter().map(|text| (Role::User, text.as_str()));
    for (role, text) in earlier.chain([
        (Role::System, turn.system.as_str()),
        (Role::User, turn.request.as_str()),
        (Role::Tool, turn.tool_result.as_str()),
        (role, if answered { "" } else { text.as_str() }),
    ]) {
        if !text.is_empty() {
            request.push(field("/messages", request.len(), role, text));
        }
    }
    let response = if answered { vec![field("/choices", 0, role, &text)] } else { Vec::new() };
    let id = id(number);
    let none = PatternSet::empty();
    let mut budget = Budget::new(u64::MAX);
    let asked = rules.inspect_request(&ctx, &none, &request, &mut budget, id, None);
    let calls = calls(turn);
    let schemas: Vec<(&str, &Value)> = (turn.tool_schema.iter())
        .flat_map(|schema| turn.tools_called.iter().map(move |name| (name.as_str(), schema)))
        .collect();
    ctx.review = Review {
        request: &request,
        schemas: &schemas,
        destinations: &turn.tool_destinations,
        calls: &calls,
        logprobs: turn.logprobs.as_ref(),
    };
    let answer = rules.inspect_response(&ctx, &none, &response, &mut budget, id, &asked.facts);
    let mut interaction = record(id, second, principal.clone(), turn);
    interaction.signals = asked.signals;
    interaction.signals.extend(answer.signals);
    interaction.request = request;
    interaction.response = response;
    interaction
}

fn field(stem: &str, index: usize, role: Role, text: &str) -> TextField {
    TextField {
        field: format!("{stem}/{index}/content"),
        role,
        part: "content".into(),
        text: text.to_owned(),
    }
}

fn principal(turn: &Turn) -> Principal {
    let graded = |value: &String| Graded { value: value.clone(), grade: TrustGrade::Authenticated };
    Principal {
        user: turn.user.as_ref().map(graded),
        session: turn.session.as_ref().map(graded),
        address: None,
        key: None,
    }
}

#[expect(clippy::expect_used, reason = "the text is a well-formed id by construction")]
fn id(number: u64) -> InteractionId {
    format!("int_018f000000007000{:016x}", 0x8000_0000_0000_0000 | number)
        .parse()
        .expect("a well-formed id")
}

/// The calls of an example, all with the same arguments.
fn calls(turn: &Turn) -> Vec<ToolCall> {
    let arguments = turn.tool_arguments.as_ref().map(Value::to_string).unwrap_or_default();
    let call = |name: &String| ToolCall {
        choice: 0,
        id: None,
        name: name.clone(),
        arguments: arguments.clone(),
    };
    turn.tools_called.iter().map(call).collect()
}

fn record(id: InteractionId, second: i64, principal: Principal, turn: &Turn) -> Interaction {
    let started_at =
        Timestamp::from_second(1_700_000_000 + second).unwrap_or(Timestamp::UNIX_EPOCH);
    Interaction {
        schema: INTERACTION_SCHEMA,
        id,
        gateway: "example".into(),
        application: "example".into(),
        endpoint: Endpoint::ChatCompletions,
        path: "/v1/chat/completions".into(),
        stream: false,
        started_at,
        timing: Timing::default(),
        principal,
        model_asked: turn.model.clone(),
        model_served: turn.model.clone(),
        upstream: None,
        status: 200,
        outcome: Outcome::Allowed,
        causes: Vec::new(),
        not_evaluated: Vec::new(),
        signals: Vec::new(),
        cut: None,
        request: Vec::new(),
        response: Vec::new(),
        request_chars: 0,
        response_chars: 0,
        tools_offered: turn.tools_offered.clone(),
        tool_calls: calls(turn),
        finish_reasons: Vec::new(),
        usage: Usage { input_tokens: turn.input_tokens, output_tokens: turn.output_tokens },
        parameters: serde_json::Map::new(),
        logprobs: None,
        provider_request_id: None,
        provider_fingerprint: None,
        response_id: None,
        documents: Vec::new(),
        traceparent: None,
        epoch: 0,
        digests: Digests::default(),
    }
}
