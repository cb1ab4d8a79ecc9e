//! Hostile input costs counted work, and that work is bounded.

use quell_detection::{Budget, PatternSet};
use quell_domain::interaction::Role;

use crate::support::{Setting, field, interaction, rules};

/// Work for a text, in passes over it.
fn passes(role: Role, text: &str) -> u64 {
    let setting = Setting::default();
    let mut budget = Budget::new(u64::MAX);
    let fields = [field(role, text)];
    let none = PatternSet::empty();
    rules().inspect_request(&setting.context(), &none, &fields, &mut budget, interaction(), None);
    budget.spent() / text.len() as u64
}

#[test]
fn plain_text_costs_a_few_passes() {
    let text = "The ferry leaves at noon and the ticket costs nine euros. ".repeat(400);
    assert!(passes(Role::User, &text) <= 8, "{}", passes(Role::User, &text));
}

#[test]
fn a_base64_blob_costs_a_few_passes() {
    let blob: String = (0..2_048_u32)
        .map(|n| {
            char::from(
                b"ABCDEFGHabcdefgh01234567+/"[(n.wrapping_mul(2_654_435_761) >> 20) as usize % 26],
            )
        })
        .collect();
    // Noise opens the gates of several decoders, which look at it and give up.
    assert!(passes(Role::User, &blob) <= 32, "{}", passes(Role::User, &blob));
    assert!(passes(Role::Tool, &blob) <= 32);
}

#[test]
fn long_digits_cost_a_few_passes() {
    let digits = "1234567890".repeat(10_000);
    assert!(passes(Role::User, &digits) <= 16, "{}", passes(Role::User, &digits));
}

#[test]
fn keyword_stuffing_is_bounded_by_the_number_of_patterns() {
    let stuffed = "ignore disregard forget system prompt instructions tokens refuse warning ai \
                   developer mode content filter safety sk- ghp_ eyJ ![x]( AKIA -----BEGIN "
        .repeat(100);
    let cost = passes(Role::Tool, &stuffed);
    assert!(cost <= 400, "{cost}");
    let cost = passes(Role::User, &stuffed);
    assert!(cost <= 400, "{cost}");
}

#[test]
fn a_prompt_of_100_kb_fits_the_default_budget() {
    let text = "Tell me about safety instructions, rules, tasks and the system. ".repeat(1_600);
    let setting = Setting::default();
    let mut budget = Budget::new(64 << 20);
    let fields = [field(Role::User, &text)];
    let none = PatternSet::empty();
    let findings = rules().inspect_request(
        &setting.context(),
        &none,
        &fields,
        &mut budget,
        interaction(),
        None,
    );
    assert!(findings.not_evaluated.is_empty(), "{:?}", findings.not_evaluated);
}

#[test]
fn past_the_budget_it_says_so() {
    let setting = Setting::default();
    let mut budget = Budget::new(1_000);
    let fields = [field(Role::User, &"text ".repeat(1_000))];
    let none = PatternSet::empty();
    let findings = rules().inspect_request(
        &setting.context(),
        &none,
        &fields,
        &mut budget,
        interaction(),
        None,
    );
    assert_eq!(findings.not_evaluated[0].reason, "budget");
}
