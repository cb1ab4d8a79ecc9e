//! The demo keeps its promises.

use std::collections::BTreeSet;
use std::time::Duration;

use quell_domain::{Clock, SystemClock};

use crate::support::{command, quell};

/// From the first process to the last, campaign included.
const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn an_attack_becomes_contained_verified_and_evidenced_incidents() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SystemClock::new();
    let begun = clock.ticks();
    let output = command(folder.path())
        .args(["demo", "--exit", "--json"])
        .env_remove("QUELL_CORPORA")
        .output()
        .unwrap();
    let took = clock.ticks().saturating_sub(begun);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();

    let incidents = summary["incidents"].as_array().unwrap();
    let kinds: BTreeSet<_> = incidents.iter().filter_map(|one| one["kind"].as_str()).collect();
    assert!(kinds.len() >= 4, "{kinds:?}");
    let measures = summary["measures"].as_array().unwrap();
    assert!(!measures.is_empty());
    for measure in measures.iter().filter(|measure| measure["state"] != "proposed") {
        assert_eq!(measure["state"], "verified", "{measure}");
        let times = ["requested_at", "acknowledged_at", "verified_at"];
        assert!(times.iter().all(|time| measure[time].is_string()), "{measure}");
    }
    let by = |actor: &str| {
        measures.iter().any(|measure| measure["actor"].as_str().unwrap().starts_with(actor))
    };
    assert!(by("policy:"), "automatic response acts or proposes");
    assert_eq!(summary["evidence_verified"], true);
    for count in ["interactions", "signals", "blocked", "cut_streams"] {
        assert!(summary[count].as_u64().unwrap() > 0, "{count}: {summary}");
    }
    assert!(took < LIMIT, "{took:?}");
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    quell(folder.path(), &["demo", "--exit", "--scale", "0"]).expect(2, &["--scale"]);
    quell(folder.path(), &["demo", "--exit", "--seed", "x"]).expect(2, &["--seed"]);
}
