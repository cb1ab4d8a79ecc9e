//! Writing, reading, scanning.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use quell_lake::{
    AppendError, LakeError, LogReader, LogWriter, MAX_PAYLOAD, Order, WriterOptions, gateways,
    log_dir, scan, verify,
};

pub(crate) fn small_segments() -> WriterOptions {
    WriterOptions { segment_bytes: 4_096, ..WriterOptions::default() }
}

pub(crate) fn payload(sequence: u64) -> Vec<u8> {
    format!("{{\"record\":{sequence},\"text\":\"{}\"}}", "x".repeat(sequence as usize * 37 % 700))
        .into_bytes()
}

/// Appends `count` records and closes the log.
pub(crate) fn fill(dir: &Path, count: u64) -> u64 {
    let (writer, repair) = LogWriter::open(dir, "gw", small_segments()).unwrap();
    let first = repair.last_sequence + 1;
    for sequence in first..first + count {
        let acknowledged = writer.append(payload(sequence)).unwrap().wait().unwrap();
        assert_eq!(acknowledged, sequence);
    }
    first + count - 1
}

pub(crate) fn read_all(dir: &Path) -> Result<Vec<(u64, Vec<u8>)>, LakeError> {
    let mut reader = LogReader::open(dir);
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let records = reader.read_after(cursor, 7, 2_000)?;
        let Some(last) = records.last() else { return Ok(all) };
        cursor = last.sequence;
        all.extend(records.into_iter().map(|record| (record.sequence, record.payload)));
    }
}

#[test]
fn records_are_read_back_over_many_segments_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let dir = log_dir(folder.path(), "gw");
    assert_eq!(fill(&dir, 40), 40);
    assert_eq!(fill(&dir, 40), 80);
    let all = read_all(&dir).unwrap();
    assert_eq!(all, (1..=80).map(|sequence| (sequence, payload(sequence))).collect::<Vec<_>>());
    let report = verify(&dir).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert!(report.segments > 3);
    assert_eq!((report.records, report.first_sequence, report.last_sequence), (80, 1, 80));
    assert_eq!(gateways(folder.path()).unwrap(), ["gw"]);
    assert_eq!(gateways(&folder.path().join("none")).unwrap(), Vec::<String>::new());
}

#[test]
fn a_reader_follows_a_writer_and_finds_single_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = LogReader::open(folder.path());
    assert!(reader.read_after(0, 10, 1_000).unwrap().is_empty());
    let (writer, _) = LogWriter::open(folder.path(), "gw", small_segments()).unwrap();
    let mut cursor = 0;
    for sequence in 1..=50 {
        writer.append(payload(sequence)).unwrap().wait().unwrap();
        let records = reader.read_after(cursor, 10, 1_000_000).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].sequence, &records[0].payload), (sequence, &payload(sequence)));
        cursor = sequence;
        assert!(reader.read_after(cursor, 10, 1_000).unwrap().is_empty());
    }
    for sequence in [50, 1, 25] {
        assert_eq!(reader.find(sequence).unwrap().unwrap().payload, payload(sequence));
    }
    assert!(reader.find(0).unwrap().is_none());
    assert!(reader.find(51).unwrap().is_none());
    assert_eq!(writer.status().last_sequence, 50);
}

#[test]
fn a_batch_stops_at_either_limit_but_gives_at_least_one_record() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 20);
    let mut reader = LogReader::open(folder.path());
    assert_eq!(reader.read_after(0, 3, 1_000_000).unwrap().len(), 3);
    assert_eq!(reader.read_after(10, 100, 1).unwrap().len(), 1);
    assert_eq!(reader.read_after(18, 100, 1_000_000).unwrap().len(), 2);
}

#[test]
fn scans_run_both_ways_and_stop_when_told() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 60);
    let collect = |order, most: usize| {
        let mut seen = Vec::new();
        let damage = scan(folder.path(), order, |record| {
            assert_eq!(record.payload, payload(record.sequence));
            seen.push(record.sequence);
            if seen.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert!(damage.is_empty());
        seen
    };
    assert_eq!(collect(Order::OldestFirst, 100), (1..=60).collect::<Vec<_>>());
    assert_eq!(collect(Order::NewestFirst, 100), (1..=60).rev().collect::<Vec<_>>());
    assert_eq!(collect(Order::NewestFirst, 2), [60, 59]);
}

#[test]
fn missing_and_swapped_segments_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 60);
    let listed = LogReader::open(folder.path()).segments().unwrap();
    let second = &listed[1];
    fs::remove_file(&second.path).unwrap();
    let error =
        LogReader::open(folder.path()).read_after(second.first_sequence - 1, 1, 1).unwrap_err();
    assert!(
        error.to_string().contains("starts at") || matches!(error, LakeError::Damaged(_)),
        "{error}"
    );
    let error = read_all(folder.path()).unwrap_err();
    assert!(
        matches!(error, LakeError::Gap { expected, .. } if expected == second.first_sequence),
        "{error}"
    );
    assert!(!verify(folder.path()).unwrap().is_intact());

    // Another log's segment of the same name does not continue this one.
    let other = tempfile::tempdir().unwrap();
    let (writer, _) = LogWriter::open(other.path(), "gw", small_segments()).unwrap();
    for sequence in 1..=60 {
        let mut bytes = payload(sequence);
        bytes[0] = b'[';
        writer.append(bytes).unwrap().wait().unwrap();
    }
    drop(writer);
    fs::copy(other.path().join(second.path.file_name().unwrap()), &second.path).unwrap();
    let error = read_all(folder.path()).unwrap_err();
    assert!(matches!(error, LakeError::ChainBroken { .. }), "{error}");
    assert!(!verify(folder.path()).unwrap().is_intact());
}

#[test]
fn retention_may_take_the_oldest_segments_but_not_what_a_cursor_still_needs() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 60);
    let listed = LogReader::open(folder.path()).segments().unwrap();
    fs::remove_file(&listed[0].path).unwrap();
    let first = listed[1].first_sequence;
    let mut reader = LogReader::open(folder.path());
    assert_eq!(reader.read_after(0, 1, 1).unwrap()[0].sequence, first);
    assert!(reader.find(1).unwrap().is_none());
    let error = LogReader::open(folder.path()).read_after(1, 1, 1).unwrap_err();
    assert!(matches!(error, LakeError::Gap { .. }), "{error}");
    assert!(verify(folder.path()).unwrap().is_intact());
}

#[test]
fn one_writer_per_folder_and_one_gateway_per_log() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, _) = LogWriter::open(folder.path(), "gw", small_segments()).unwrap();
    let second = LogWriter::open(folder.path(), "gw", small_segments()).unwrap_err();
    assert!(matches!(second, LakeError::Locked { .. }), "{second}");
    drop(writer);
    let other = LogWriter::open(folder.path(), "other", small_segments()).unwrap_err();
    assert!(matches!(other, LakeError::OtherGateway { .. }), "{other}");
    let name = LogWriter::open(folder.path(), "../gw", small_segments()).unwrap_err();
    assert!(matches!(name, LakeError::GatewayName { .. }), "{name}");
}

#[test]
fn a_cursor_past_the_end_is_an_error_not_silence() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 5);
    let error = LogReader::open(folder.path()).read_after(9, 1, 1).unwrap_err();
    assert!(matches!(error, LakeError::BeyondEnd { asked: 9, last: 5 }), "{error}");
}

#[test]
fn a_full_queue_refuses_and_a_disk_error_clears_when_the_disk_does() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, _) = LogWriter::open(folder.path(), "gw", small_segments()).unwrap();
    assert!(matches!(writer.append(vec![0; MAX_PAYLOAD + 1]), Err(AppendError::TooLarge { .. })));
    assert_eq!(writer.append(vec![b'x'; 5_000]).unwrap().wait(), Ok(1));
    // A folder where the next segment has to be.
    let blocker = folder.path().join(format!("{:020}.qlog", 2));
    fs::create_dir(&blocker).unwrap();
    for _ in 0..3 {
        let refused = writer.append(vec![1]).unwrap().wait().unwrap_err();
        assert!(matches!(refused, AppendError::Disk(_)), "{refused}");
        assert!(writer.status().failing.is_some());
    }
    fs::remove_dir(&blocker).unwrap();
    assert_eq!(writer.append(vec![2]).unwrap().wait(), Ok(2));
    assert_eq!(writer.status().failing, None);
    drop(writer);
    assert_eq!(read_all(folder.path()).unwrap().len(), 2);
    assert!(verify(folder.path()).unwrap().is_intact());
}

#[tokio::test]
async fn appending_is_a_future_and_dropping_it_keeps_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, _) = LogWriter::open(folder.path(), "gw", WriterOptions::default()).unwrap();
    drop(writer.append(payload(1)).unwrap());
    assert_eq!(writer.append(payload(2)).unwrap().await, Ok(2));
    tokio::task::spawn_blocking(move || drop(writer)).await.unwrap();
    assert_eq!(read_all(folder.path()).unwrap().len(), 2);
}
