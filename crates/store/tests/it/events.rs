//! Timeline events.

use quell_domain::Actor;
use quell_domain::event::NewEvent;
use quell_store::OutboxKind;
use serde_json::json;

use crate::lab::Lab;

pub(crate) async fn sequences_have_no_gaps_under_concurrency(lab: &Lab) {
    let (one, two) = (lab.incident("One").await, lab.incident("Two").await);
    let writers = (0..12).map(|index| {
        let store = lab.store.clone();
        let incident = if index % 3 == 0 { one.id } else { two.id };
        let event = lab.event(Some(incident), "note.added");
        tokio::spawn(async move {
            for _ in 0..5 {
                let mut tx = store.begin().await.unwrap();
                tx.append_event(event.clone()).await.unwrap();
                tx.commit().await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut read = lab.store.read().await.unwrap();
    let all = read.events_after(0, 1_000).await.unwrap();
    assert_eq!(positions(&all, |event| event.global_sequence), (1..=60).collect::<Vec<_>>());
    let of_one = read.events_of(one.id, 0, 100).await.unwrap();
    assert_eq!(positions(&of_one, |event| event.sequence), (1..=20).collect::<Vec<_>>());
    let of_two = read.events_of(two.id, 38, 100).await.unwrap();
    assert_eq!(positions(&of_two, |event| event.sequence), [39, 40]);
    assert!(all.iter().all(quell_domain::event::TimelineEvent::is_intact));
    let due = read.outbox_due(OutboxKind::Ledger, lab.now(), 1_000).await.unwrap();
    assert_eq!(due.len(), 60);
}

fn positions(
    events: &[quell_domain::event::TimelineEvent],
    position: impl Fn(&quell_domain::event::TimelineEvent) -> i64,
) -> Vec<i64> {
    events.iter().map(position).collect()
}

pub(crate) async fn an_event_is_read_back_as_sealed(lab: &Lab) {
    let incident = lab.incident("Sealed").await;
    let mut tx = lab.store.begin().await.unwrap();
    let first = tx.append_event(lab.event(Some(incident.id), "note.added")).await.unwrap();
    let correction = NewEvent {
        supersedes: Some(first.id),
        actor: Actor::System,
        ..lab.event(Some(incident.id), "note.corrected")
    };
    let second = tx.append_event(correction).await.unwrap();
    let system = tx.append_event(lab.event(None, "account.created")).await.unwrap();
    tx.commit().await.unwrap();

    let mut read = lab.store.read().await.unwrap();
    assert_eq!(read.events_of(incident.id, 0, 10).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(read.latest_events(2).await.unwrap(), [system.clone(), second]);
    assert_eq!(read.event(system.id).await.unwrap(), Some(system.clone()));
    assert_eq!((system.sequence, system.global_sequence), (0, 3));
    assert_eq!(read.last_event().await.unwrap(), 3);
    assert!(first.is_intact());
}

pub(crate) async fn a_float_has_no_sealed_form(lab: &Lab) {
    let mut tx = lab.store.begin().await.unwrap();
    let data = json!({"score": 0.5}).as_object().unwrap().clone();
    let event = NewEvent { data, ..lab.event(None, "note.added") };
    let error = tx.append_event(event).await.unwrap_err().to_string();
    assert!(error.contains("floats have no canonical form"), "{error}");
}
