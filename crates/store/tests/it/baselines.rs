//! Saved baselines.

use quell_store::{BaselineScope, BaselineState};

use crate::lab::Lab;

pub(crate) async fn baselines_are_saved_whole_by_one_holder(lab: &Lab) {
    let state = BaselineState {
        holder: "one".into(),
        meta: "{}".into(),
        cursors: [("gateway-1".to_owned(), 7)].into(),
    };
    let scope = BaselineScope {
        application: "shop".into(),
        dimension: "model".into(),
        part: "large".into(),
        seconds: 300,
        next: 12,
        head: "{}".into(),
        days: vec![(20_000, vec![1, 2]), (20_001, vec![0, 255])],
    };
    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.baseline_state().await.unwrap().is_none());
    assert_eq!(tx.put_baseline_state(&state, None).await.unwrap(), 1);
    tx.put_baseline_scope(&scope).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = lab.store.begin().await.unwrap();
    assert_eq!(tx.put_baseline_state(&state, Some(1)).await.unwrap(), 2);
    let later = BaselineScope { next: 13, days: vec![(20_001, vec![9])], ..scope.clone() };
    tx.put_baseline_scope(&later).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = lab.store.begin().await.unwrap();
    assert!(tx.put_baseline_state(&state, Some(1)).await.unwrap_err().is_conflict());
    drop(tx);

    let mut read = lab.store.read().await.unwrap();
    let stored = read.baseline_state().await.unwrap().unwrap();
    assert_eq!((stored.version, &stored.state), (2, &state));
    let days = vec![(20_000, vec![1, 2]), (20_001, vec![9])];
    assert_eq!(read.baseline_scopes().await.unwrap(), [BaselineScope { days, ..later }]);
    drop(read);

    let mut tx = lab.store.begin().await.unwrap();
    tx.delete_baseline_days(20_001).await.unwrap();
    assert_eq!(tx.baseline_scopes().await.unwrap()[0].days, [(20_001, vec![9])]);
    tx.delete_baseline_scope("shop", "model", "large").await.unwrap();
    assert!(tx.baseline_scopes().await.unwrap().is_empty());
}
