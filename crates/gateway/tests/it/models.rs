//! Classifiers by digest: fetched, checked, taken up without holding up anything, tried in shadow.

use quell_detection::classifier::Classifier;
use quell_domain::canonical::sha256_hex;
use quell_domain::snapshot::SnapshotContent;

use quell_testkit::Reply;

use crate::support::{Rig, ask, completion};

/// The shipped model with `shift` on every logit, and its digest.
fn shifted(shift: f32) -> (String, Vec<u8>) {
    let mut model = Classifier::embedded().unwrap().model().clone();
    for judge in
        [&mut model.description.user, &mut model.description.document, &mut model.description.harm]
    {
        judge.bias += shift;
    }
    let bytes = model.to_bytes().unwrap();
    (sha256_hex(&bytes), bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_taken_up_only_with_the_right_bytes_and_holds_up_nothing() {
    let rig = Rig::start().await;
    rig.upstream.otherwise(|_| Reply::json(&completion("Good.")));
    let shipped = Classifier::embedded().unwrap().sha256().to_owned();
    let (sha256, bytes) = shifted(-1_000.0);
    rig.control.serve_model(&sha256, &b"QUELLCLS something else"[..]);
    let content = SnapshotContent { model: Some(sha256.clone()), ..rig.content.clone() };
    let epoch = rig.control.publish(content);
    rig.control.wait_for_epoch(epoch).await;
    let model = rig
        .control
        .wait_for(|reports| {
            let newest = reports.iter().rfind(|report| report.epoch == epoch)?;
            Some(newest.model.clone())
        })
        .await;
    assert_eq!(model, Some(shipped), "the epoch is in force with the model at hand");
    assert_eq!(rig.chat(&ask("hello")).await.status, 200);

    rig.control.serve_model(&sha256, bytes);
    rig.control
        .wait_for(|reports| {
            reports.iter().any(|report| report.model.as_ref() == Some(&sha256)).then_some(())
        })
        .await;
    assert_eq!(rig.chat(&ask("hello again")).await.status, 200);
    let kept = rig.data.path().join("gateway/models").join(format!("{sha256}.qcm"));
    assert_eq!(sha256_hex(&std::fs::read(kept).unwrap()), sha256);
    let last = rig.records(2).await.pop().unwrap();
    assert_eq!(last.digests.model, Some(sha256));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_in_shadow_counts_and_decides_nothing() {
    let rig = Rig::start().await;
    rig.upstream.otherwise(|_| Reply::json(&completion("Good.")));
    let (sha256, bytes) = shifted(1_000.0);
    rig.control.serve_model(&sha256, bytes);
    let content = SnapshotContent { shadow_model: Some(sha256.clone()), ..rig.content.clone() };
    rig.control.publish(content);
    let shadow = |judged: u64| {
        let sha256 = sha256.clone();
        move |reports: &[quell_domain::snapshot::GatewayReport]| {
            let counts = reports.iter().filter_map(|report| report.shadow.clone());
            counts.rev().find(|c| c.sha256 == sha256 && c.judged >= judged)
        }
    };
    rig.control.wait_for(shadow(0)).await;
    for text in ["what is the weather like", "and tomorrow"] {
        let answer = rig.chat(&ask(text)).await;
        assert_eq!(answer.status, 200, "it decides nothing: {}", answer.text());
    }
    let counts = rig.control.wait_for(shadow(1)).await;
    assert!(counts.flagged_then >= 1, "{counts:?}");
    assert_eq!(counts.flagged_now, 0, "{counts:?}");
    assert_eq!(counts.flagged_both, 0, "{counts:?}");
}
