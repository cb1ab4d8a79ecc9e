//! A rule's way from shadow to enforce: backtest over the log, promotion, history.

use quell_control::rules::{BacktestRequest, Promotion};
use quell_domain::rule::RuleMode;
use quell_domain::snapshot::ContentFile;
use quell_domain::{AccessRole, InteractionId};
use quell_store::RuleChangeKind;

use crate::lab::{Lab, person, responder};

const HERON: &str = "title: Heron
id: 7c1a4a52-0a56-4bb0-8a0e-a6f0a5f7d111
name: heron
logsource: {category: gen_ai}
detection:
  selection:
    gen_ai.input.messages|contains: violet heron
  condition: selection
level: high
quell: {kind: prompt_injection, mode: shadow, effect: block, direction: input}
";

fn heron() -> ContentFile {
    ContentFile { path: "rules/heron.yaml".into(), text: HERON.into() }
}

async fn traffic(lab: &Lab, calm: usize, herons: usize) {
    for number in 0..calm + herons {
        let mut record = lab.exchange(&format!("user-{}", number % 7));
        if number < calm {
            record.request[1].text = "Where is my parcel?".into();
        }
        lab.log(&record).await;
        lab.advance(1);
    }
}

#[tokio::test]
async fn a_proposed_rule_is_backtested_over_the_log_before_it_exists() {
    let lab = Lab::new().await;
    traffic(&lab, 30, 10).await;
    let request = BacktestRequest { files: vec![heron()], ..BacktestRequest::default() };
    let outcome = lab.control.backtest(&responder(), request).await.unwrap();
    let report = &outcome.report;
    assert_eq!((report.judged, report.matched, report.would_block), (40, 10, 10));
    assert_eq!((report.principals, report.affected), (7, 7));
    assert!((report.share() - 0.25).abs() < 1e-9);
    assert_eq!(report.examples.len(), 10);
    assert_eq!(report.series.iter().map(|bucket| bucket.matched).sum::<u64>(), 10);
    assert!(!outcome.truncated);
    // Nothing went live.
    let rules = lab.control.rules(&responder()).await.unwrap();
    assert!(rules.iter().all(|rule| rule.info.id != "heron"));
    let newest = BacktestRequest { files: vec![heron()], limit: 5, ..BacktestRequest::default() };
    let outcome = lab.control.backtest(&responder(), newest).await.unwrap();
    assert_eq!((outcome.report.judged, outcome.report.matched), (5, 5));
    assert!(outcome.truncated);
}

#[tokio::test]
async fn a_backtest_needs_a_rule_and_the_role_that_reads_text() {
    let lab = Lab::new().await;
    let none = lab.control.backtest(&responder(), BacktestRequest::default()).await.unwrap_err();
    assert_eq!(none.code(), "backtest.rules");
    let wrong = BacktestRequest { rule: Some("no_such".into()), ..BacktestRequest::default() };
    assert_eq!(lab.control.backtest(&responder(), wrong).await.unwrap_err().code(), "not_found");
    let viewer = person("eve", AccessRole::Viewer);
    let request = BacktestRequest { files: vec![heron()], ..BacktestRequest::default() };
    assert_eq!(lab.control.backtest(&viewer, request).await.unwrap_err().code(), "forbidden");
}

#[tokio::test]
async fn records_without_text_and_other_applications_say_nothing() {
    let lab = Lab::new().await;
    let mut bare = lab.exchange("a");
    (bare.request, bare.response) = (Vec::new(), Vec::new());
    lab.log(&bare).await;
    let mut other = lab.exchange("a");
    other.application = "elsewhere".into();
    lab.log(&other).await;
    lab.advance(1);
    let request = BacktestRequest {
        files: vec![heron()],
        application: Some("shop".into()),
        ..BacktestRequest::default()
    };
    let report = lab.control.backtest(&responder(), request).await.unwrap().report;
    assert_eq!((report.judged, report.without_text, report.matched), (0, 1, 0));
}

#[tokio::test]
async fn promotion_rests_on_a_backtest_and_is_remembered() {
    let lab = Lab::new().await;
    let admin = person("root", AccessRole::Admin);
    lab.control.put_content(&admin, heron()).await.unwrap();
    let wish = Promotion { reason: "quiet for a week".into(), force: false };
    let refused = lab.control.promote_rule(&admin, "heron", &wish).await.unwrap_err();
    assert_eq!(refused.code(), "no_backtest");
    let via_mode = lab.control.set_rule_mode(&admin, "heron", RuleMode::Enforce, "now").await;
    assert_eq!(via_mode.unwrap_err().code(), "no_backtest");

    traffic(&lab, 1_000, 1).await;
    let test = || BacktestRequest { rule: Some("heron".into()), ..BacktestRequest::default() };
    lab.control.backtest(&responder(), test()).await.unwrap();
    let promoted = lab.control.promote_rule(&admin, "heron", &wish).await.unwrap();
    assert_eq!((promoted.from, promoted.to), (Some(RuleMode::Shadow), Some(RuleMode::Enforce)));
    let detail = lab.control.rule(&admin, "heron").await.unwrap();
    assert_eq!(detail.view.info.mode, RuleMode::Enforce);
    let kinds: Vec<_> = detail.history.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [RuleChangeKind::Promoted, RuleChangeKind::Backtested]);
    let rests_on = detail.history[0].backtest.as_ref().unwrap();
    assert_eq!((rests_on.judged, rests_on.matched), (1_001, 1));
    assert_eq!(rests_on.id, detail.history[1].id);

    lab.control.demote_rule(&admin, "heron", "a customer complained").await.unwrap();
    traffic(&lab, 0, 5).await;
    lab.control.backtest(&responder(), test()).await.unwrap();
    let refused = lab.control.promote_rule(&admin, "heron", &wish).await.unwrap_err();
    assert_eq!(refused.code(), "too_many_matches");
    let force = Promotion { reason: "an attack is running".into(), force: true };
    let forced = lab.control.promote_rule(&admin, "heron", &force).await.unwrap();
    assert!(forced.forced);
    lab.control.reset_rule_mode(&admin, "heron").await.unwrap();
    let detail = lab.control.rule(&admin, "heron").await.unwrap();
    assert_eq!(detail.view.info.mode, RuleMode::Shadow);
    assert_eq!(detail.history[0].kind, RuleChangeKind::Reset);
}

#[tokio::test]
async fn only_an_admin_promotes_and_only_with_a_reason() {
    let lab = Lab::new().await;
    let wish = Promotion { reason: "because".into(), force: true };
    let refused = lab.control.promote_rule(&responder(), "delimiter_break", &wish).await;
    assert_eq!(refused.unwrap_err().code(), "forbidden");
    let admin = person("root", AccessRole::Admin);
    let blank = Promotion { reason: "  ".into(), force: true };
    let refused = lab.control.promote_rule(&admin, "delimiter_break", &blank).await;
    assert_eq!(refused.unwrap_err().code(), "reason_missing");
    let unknown = lab.control.promote_rule(&admin, "none", &wish).await.unwrap_err();
    assert_eq!(unknown.code(), "not_found");
}

#[tokio::test]
async fn what_a_backtest_matched_can_be_found_again() {
    let lab = Lab::new().await;
    let record = lab.exchange("ada");
    lab.log(&record).await;
    lab.advance(1);
    let request = BacktestRequest { files: vec![heron()], ..BacktestRequest::default() };
    let report = lab.control.backtest(&responder(), request).await.unwrap().report;
    let found: Vec<InteractionId> = report.examples.iter().map(|e| e.interaction).collect();
    assert_eq!(found, [record.id]);
    let text = lab.control.read_interaction(&responder(), found[0], "check").await.unwrap();
    assert_eq!(text.interaction.id, record.id);
}
