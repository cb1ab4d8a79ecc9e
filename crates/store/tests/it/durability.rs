//! What outlives a process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use quell_store::{Backend, Store};
use sqlx::{AnyConnection, Connection, Row};

use crate::lab::Lab;

pub(crate) async fn what_was_committed_is_there_after_reopening(lab: &Lab) {
    let incident = lab.incident("Kept").await;
    let mut tx = lab.store.begin().await.unwrap();
    let event = tx.append_event(lab.event(Some(incident.id), "incident.opened")).await.unwrap();
    tx.commit().await.unwrap();

    // No orderly close: the first handle stays open, as a killed process would leave it.
    let again = lab.reopened().await;
    let mut read = again.read().await.unwrap();
    assert_eq!(read.incident(incident.id).await.unwrap(), Some(incident.clone()));
    assert_eq!(read.event(event.id).await.unwrap(), Some(event));
    again.ping().await.unwrap();
}

pub(crate) async fn migrations_run_once(lab: &Lab) {
    let first = lab.reopened().await;
    let second = lab.reopened().await;
    assert_eq!(first.backend(), second.backend());
    let mut connection = AnyConnection::connect(lab.url()).await.unwrap();
    let row = sqlx::query("SELECT COUNT(*) AS n FROM _sqlx_migrations WHERE success")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    assert_eq!(row.get::<i64, _>("n"), std::fs::read_dir(folder).unwrap().count() as i64);
    if lab.store.backend() == Backend::Sqlite {
        let mode = sqlx::query("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
        assert_eq!(mode.get::<String, _>(0), "wal");
    }
}

#[tokio::test]
async fn the_file_belongs_to_its_owner_alone() {
    let lab = Lab::sqlite().await;
    let path = lab.url().trim_start_matches("sqlite://").trim_end_matches("?mode=rwc").to_owned();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let lab = Lab::sqlite().await;
    for (url, expected) in [
        ("mysql://root@localhost/quell", "unknown scheme"),
        ("quell.db", "unknown scheme"),
        ("sqlite::memory:", "name a file"),
        ("sqlite:///no/such/folder/quell.db?mode=rwc", "did not answer"),
        ("postgres://quell:s3cret@127.0.0.1:1/quell", "did not answer"),
    ] {
        let clock = std::sync::Arc::new(quell_domain::SystemClock::new());
        let error = Store::open(url, clock, lab.ids.clone()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

const CHILD_DATABASE: &str = "QUELL_STORE_TEST_CHILD";

/// Not a test by itself: the process that [`commits_survive_sigkill`] kills.
#[tokio::test]
#[ignore = "run as a child by commits_survive_sigkill"]
async fn child_that_commits_until_killed() {
    let url = std::env::var(CHILD_DATABASE).unwrap();
    let lab = Lab::at(url).await;
    loop {
        let mut tx = lab.store.begin().await.unwrap();
        let event = tx.append_event(lab.event(None, "note.added")).await.unwrap();
        tx.commit().await.unwrap();
        println!("committed {}", event.global_sequence);
    }
}

#[tokio::test]
async fn commits_survive_sigkill() {
    let lab = Lab::sqlite().await;
    let child = "durability::child_that_commits_until_killed";
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--nocapture"])
        .env(CHILD_DATABASE, lab.url())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = 0;
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, number)) = line.split_once("committed ") {
            acknowledged = number.trim().parse().unwrap();
        }
        if acknowledged == 25 {
            process.kill().unwrap();
        }
    }
    process.wait().unwrap();
    assert!(acknowledged >= 25);
    let mut read = lab.reopened().await.read().await.unwrap();
    let events = read.events_after(0, 1_000).await.unwrap();
    assert!(i64::try_from(events.len()).unwrap() >= acknowledged);
    assert!(events.iter().all(quell_domain::event::TimelineEvent::is_intact));
    assert_eq!(events.last().map(|event| event.global_sequence), Some(events.len() as i64));
}
