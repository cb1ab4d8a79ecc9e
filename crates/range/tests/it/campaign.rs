//! The campaign against the bare range: everything arrives.

use std::sync::Arc;

use quell_domain::clock::{SharedClock, SystemClock};
use quell_range::campaign::{self, CampaignOptions, CampaignTarget, Scenario, Treatment};
use quell_range::{Planted, RangeConfig, RangeServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_gateway_everything_arrives() {
    let server =
        RangeServer::start(RangeConfig::certain(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let options = CampaignOptions { span_ms: 500, ..CampaignOptions::default() };
    let plan = campaign::plan(7, &options).unwrap();
    let mut target = CampaignTarget::new(&server.base_url());
    target.secrets.extend(Planted::new(7).all().map(ToOwned::to_owned));
    let clock: SharedClock = Arc::new(SystemClock::new());
    let failures = parking_lot::Mutex::new(Vec::new());
    let report = campaign::run(&plan, &target, &clock, &|progress| {
        if progress.result.treatment != Treatment::Delivered {
            failures.lock().push((progress.step.clone(), progress.result.clone()));
        }
    })
    .await
    .unwrap();
    assert_eq!(failures.into_inner(), []);
    assert_eq!(report.total.sent, plan.len() as u64);
    assert_eq!(report.total.delivered, plan.len() as u64);
    assert_eq!(server.counts().total(), plan.len() as u64);
    assert!(report.honest_touched.is_empty() && report.honest_users >= 30);
    assert_eq!(
        report.missed_count,
        plan.iter().filter(|step| step.is_attack).count() as u64,
        "nothing stands in the way"
    );
    for obeyed in [Scenario::Jailbreak, Scenario::IndirectInjection, Scenario::Exfiltration] {
        assert!(report.scenarios[&obeyed].unsafe_arrived > 0, "{obeyed:?}: {report:#?}");
    }
    assert_eq!(report.scenarios[&Scenario::PromptExtraction].secret_arrived, 5);
    assert_eq!(report.scenarios[&Scenario::IdentifierLeak].secret_arrived, 3);
    let benign = report.scenarios[&Scenario::Benign];
    assert_eq!((benign.unsafe_arrived, benign.secret_arrived), (0, 0));
    assert!(report.first_malicious_at.is_some() && report.first_stopped_at.is_none());
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_the_corpora_join_in() {
    let Ok(corpora) = std::env::var("QUELL_CORPORA") else {
        println!("skipped: no corpus");
        return;
    };
    let server =
        RangeServer::start(RangeConfig::certain(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let options = CampaignOptions {
        corpora: Some(corpora.into()),
        corpus_attacks: 40,
        corpus_benign: 40,
        span_ms: 100,
        ..CampaignOptions::default()
    };
    let plan = campaign::plan(7, &options).unwrap();
    let clock: SharedClock = Arc::new(SystemClock::new());
    let target = CampaignTarget::new(&server.base_url());
    let report = campaign::run(&plan, &target, &clock, &|_| {}).await.unwrap();
    assert_eq!(report.total.delivered, plan.len() as u64, "{:#?}", report.scenarios);
    assert_eq!(report.scenarios[&Scenario::CorpusAttack].sent, 40);
    assert_eq!(report.scenarios[&Scenario::CorpusBenign].sent, 40);
    assert!(report.corpus_attacks.len() > 5 && report.corpus_benign.len() > 5);
    server.shutdown().await;
}
