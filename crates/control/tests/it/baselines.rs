//! From recorded exchanges to a baseline, and from its alarm to an incident.

use std::collections::BTreeMap;

use quell_baselines::{Answer, Book, Dimension, Metric, Observation, Phase, ScopeKey};
use quell_control::Access;
use quell_control::baselines::{DetailRequest, ScopeDetail};
use quell_domain::rule::RuleMode;
use quell_domain::{Clock as _, IncidentKind, IncidentState, Severity};
use quell_store::{BaselineScope, BaselineState, PageRequest, SignalFilter};

use crate::lab::{GATEWAY, Lab};

/// Cells of the past that is laid into the store.
const PAST: i64 = 15 * 288;

/// Two weeks of about twenty exchanges every five minutes, saved as another process would have.
async fn with_a_past(lab: &Lab) {
    let now = lab.clock.now().as_second();
    let first = now.div_euclid(300) - PAST;
    let mut book = Book::default();
    for cell in first..first + PAST {
        for number in 0..18 + cell % 5 {
            let answer = Answer { latency_us: Some(500_000), ..Answer::default() };
            let seen = Observation {
                at: cell * 300 + number,
                application: "shop".into(),
                model: "large-2026".into(),
                endpoint: "chat_completions",
                class: "authenticated_user",
                principal: number.unsigned_abs(),
                answer: Some(answer),
                ..Observation::default()
            };
            book.observe(seen, now);
        }
        book.close((cell + 1) * 300, Some(0));
    }
    let (scopes, _) = book.changes();
    let state =
        BaselineState { holder: "before".into(), meta: book.meta(), cursors: BTreeMap::new() };
    let store = lab.store().await;
    let mut tx = store.begin().await.unwrap();
    tx.put_baseline_state(&state, None).await.unwrap();
    for scope in scopes {
        let stored = BaselineScope {
            application: scope.key.application,
            dimension: scope.key.dimension.as_str().into(),
            part: scope.key.value,
            seconds: scope.seconds,
            next: scope.next,
            head: scope.head,
            days: scope.days,
        };
        tx.put_baseline_scope(&stored).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn detail(lab: &Lab, metric: Metric) -> ScopeDetail {
    let request = DetailRequest { key: ScopeKey::application("shop"), metric, hours: 24 };
    lab.control.baseline(&Access::system(), &request).await.unwrap()
}

#[tokio::test]
async fn a_flood_raises_a_signal_and_one_incident() {
    let mut lab = Lab::new().await;
    with_a_past(&lab).await;
    // Whoever kept the baselines has been silent for long enough.
    lab.advance(130);
    lab.control.report(lab.report(GATEWAY, Vec::new())).await.unwrap();
    for number in 0..200 {
        let mut exchange = lab.exchange(&format!("user-{number}"));
        exchange.request[1].text = format!("Where is parcel {number}?");
        lab.log(&exchange).await;
    }
    lab.advance(400);
    lab.control.reconcile_baselines().await.unwrap();

    let filter = SignalFilter { rule: Some("baseline_traffic".into()), ..SignalFilter::default() };
    let access = Access::system();
    let signals = lab.control.signals(&access, &filter, &PageRequest::first(50)).await.unwrap();
    let whole = |facts: &[String]| facts.contains(&"scope:application".to_owned());
    let signal = signals.items.iter().find(|record| whole(&record.signal.facts)).unwrap();
    assert_eq!(signal.signal.mode, RuleMode::Enforce);
    assert!(
        signal.signal.facts.contains(&"baseline:requests=up".to_owned())
            || signal.signal.facts.contains(&"baseline:principals=up".to_owned())
    );
    let incidents = lab.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert_eq!(incidents[0].kind, IncidentKind::DenialOfService);
    assert_eq!((incidents[0].state, incidents[0].severity), (IncidentState::Triage, Severity::Low));
    assert_eq!(incidents[0].signal_count, i64::try_from(signals.items.len()).unwrap());
    let found = detail(&lab, Metric::Requests).await;
    assert_eq!(found.summary.phase, Phase::Settled);
    assert!(found.summary.alarming.iter().any(|alarm| alarm.metric == Metric::Requests));
    assert!(found.points.iter().any(|point| point.value == Some(200.0)));

    // Read again, after a restart, it is the same alarm. The silence that follows is another.
    for _ in 0..2 {
        lab.restart().await;
        lab.advance(130);
        lab.control.reconcile_baselines().await.unwrap();
    }
    let again = lab.control.signals(&access, &filter, &PageRequest::first(50)).await.unwrap();
    assert_eq!(again.items, signals.items);
    let flood = |incident: &&_| {
        let incident: &quell_domain::IncidentRecord = incident;
        incident.kind == IncidentKind::DenialOfService
    };
    assert_eq!(lab.incidents().await.iter().filter(flood).count(), 1);
}

#[tokio::test]
async fn nothing_is_counted_twice_when_the_process_dies() {
    let mut lab = Lab::new().await;
    for number in 0..10 {
        lab.log(&lab.exchange(&format!("user-{number}"))).await;
    }
    lab.control.reconcile_baselines().await.unwrap();
    for number in 0..5 {
        lab.log(&lab.exchange(&format!("user-{number}"))).await;
    }
    // Counted in memory, not saved yet.
    lab.control.reconcile_baselines().await.unwrap();
    lab.restart().await;
    lab.advance(130);
    lab.control.reconcile_baselines().await.unwrap();
    lab.advance(400);
    lab.control.reconcile_baselines().await.unwrap();
    let found = detail(&lab, Metric::Requests).await;
    let total: f32 = found.points.iter().filter_map(|point| point.value).sum();
    assert!((total - 15.0).abs() < 0.01, "{:?}", found.points);
    assert_eq!(found.summary.phase, Phase::Learning);
    let all = lab.control.baselines(&Access::system()).await.unwrap();
    let parts: Vec<_> = all.iter().map(|s| (s.key.dimension, s.key.value.as_str())).collect();
    assert!(parts.contains(&(Dimension::Model, "large-2026")), "{parts:?}");
    assert!(parts.contains(&(Dimension::Endpoint, "chat_completions")), "{parts:?}");
    assert!(parts.contains(&(Dimension::Principal, "authenticated_user")), "{parts:?}");
}

#[tokio::test]
async fn of_two_processes_one_keeps_the_baselines() {
    let mut lab = Lab::new().await;
    lab.log(&lab.exchange("ada")).await;
    lab.control.reconcile_baselines().await.unwrap();
    let first = lab.control.clone();
    lab.restart().await;
    // The other is alive, so this one only looks.
    lab.control.reconcile_baselines().await.unwrap();
    let stored = lab.store().await.read().await.unwrap().baseline_state().await.unwrap().unwrap();
    assert_eq!(stored.version, 1);
    assert_eq!(lab.control.baselines(&Access::system()).await.unwrap().len(), 4);
    lab.advance(130);
    lab.control.reconcile_baselines().await.unwrap();
    let stored = lab.store().await.read().await.unwrap().baseline_state().await.unwrap().unwrap();
    assert_eq!(stored.version, 2, "taken over");
    // The first notices, and stands back.
    first.reconcile_baselines().await.unwrap();
    let stored = lab.store().await.read().await.unwrap().baseline_state().await.unwrap().unwrap();
    assert_eq!(stored.version, 2);
}

#[tokio::test]
async fn budgets_are_checked_and_prices_count() {
    let lab = Lab::new().await;
    let access = Access::system();
    for (app, per_week, code) in
        [("shop", 0.0, "baseline.budget"), ("shop", f64::NAN, "baseline.budget")]
    {
        let refused = lab.control.set_baseline_budget(&access, app, per_week).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    assert!(lab.control.set_baseline_budget(&access, "nobody", 1.0).await.is_err());
    lab.control.set_baseline_budget(&access, "shop", 0.5).await.unwrap();
    let row = lab.control.application(&access, "shop").await.unwrap();
    let mut shop = row.value;
    shop.spending.prices = vec!["large*=2.50/10".parse().unwrap()];
    lab.control.put_application(&access, shop, Some(row.version)).await.unwrap();
    let mut exchange = lab.exchange("ada");
    exchange.usage.input_tokens = Some(1_000_000);
    exchange.usage.output_tokens = Some(100_000);
    lab.log(&exchange).await;
    lab.advance(700);
    lab.control.reconcile_baselines().await.unwrap();
    let found = detail(&lab, Metric::CostPerMinute).await;
    assert!((found.false_alarms_per_week - 0.5).abs() < 1e-9);
    let cost: f32 = found.points.iter().filter_map(|point| point.value).sum();
    assert!((cost - 3.5 / 5.0).abs() < 1e-3, "{:?}", found.points);
}
