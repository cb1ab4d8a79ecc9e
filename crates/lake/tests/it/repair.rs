//! Whatever happens to the bytes of a log, it is noticed, and nothing else is lost.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use quell_lake::{LakeError, LogReader, LogWriter, WriterOptions, segments, verify};

use crate::log::read_all;

/// One segment with these payloads, closed.
fn write(dir: &Path, payloads: &[Vec<u8>]) -> PathBuf {
    let (writer, _) = LogWriter::open(dir, "gw", WriterOptions::default()).unwrap();
    for payload in payloads {
        writer.append(payload.clone()).unwrap().wait().unwrap();
    }
    drop(writer);
    segments(dir).unwrap().remove(0).path
}

/// Everything readable, passing over reported damage; the number of reports.
fn read_over_damage(dir: &Path) -> (Vec<(u64, Vec<u8>)>, usize) {
    let mut reader = LogReader::open(dir);
    let (mut all, mut cursor, mut reports) = (Vec::new(), 0, 0);
    loop {
        match reader.read_after(cursor, 3, 10_000) {
            Ok(records) if records.is_empty() => return (all, reports),
            Ok(records) => {
                cursor = records[records.len() - 1].sequence;
                all.extend(records.into_iter().map(|record| (record.sequence, record.payload)));
            }
            Err(LakeError::Damaged(damage)) => {
                assert_eq!(damage.last_good, cursor);
                assert!(damage.resumes_at > cursor + 1);
                (cursor, reports) = (damage.resumes_at - 1, reports + 1);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_torn_tail_is_cut_to_exactly_the_whole_records(
        payloads in payloads(), cut in any::<prop::sample::Index>()
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), &payloads);
        let whole = fs::metadata(&path).unwrap().len();
        let left = cut.index(whole as usize) as u64;
        OpenOptions::new().write(true).open(&path).unwrap().set_len(left).unwrap();
        let mut end = whole - payloads.iter().map(|payload| 16 + payload.len() as u64).sum::<u64>();
        let header = end;
        let mut intact = 0;
        for payload in &payloads {
            end += 16 + payload.len() as u64;
            if end > left { break; }
            intact += 1;
        }
        let (writer, repair) =
            LogWriter::open(folder.path(), "gw", WriterOptions::default()).unwrap();
        prop_assert_eq!(repair.last_sequence, intact as u64);
        prop_assert!(repair.damage.is_empty());
        let kept = header + payloads[..intact].iter().map(|p| 16 + p.len() as u64).sum::<u64>();
        let torn = if left < header { left } else { left - kept };
        prop_assert_eq!(repair.lost_bytes, torn);
        if torn > 0 {
            let saved = fs::metadata(repair.saved_to.unwrap()).unwrap().len();
            prop_assert_eq!(saved, torn);
        }
        prop_assert_eq!(writer.append(vec![7]).unwrap().wait(), Ok(intact as u64 + 1));
        drop(writer);
        let mut expected = payloads[..intact].to_vec();
        expected.push(vec![7]);
        let read = read_all(folder.path()).unwrap();
        prop_assert_eq!(read.into_iter().map(|(_, payload)| payload).collect::<Vec<_>>(), expected);
        prop_assert!(verify(folder.path()).unwrap().is_intact());
    }

    #[test]
    fn a_changed_byte_is_reported_and_harms_only_its_neighbours(
        payloads in payloads(), at in any::<prop::sample::Index>(), flip in 1..=255_u8
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), &payloads);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&path, &bytes).unwrap();

        let opened = LogWriter::open(folder.path(), "gw", WriterOptions::default());
        let (writer, repair) = match opened {
            // A version that is not ours.
            Err(LakeError::Version { .. }) => return Ok(()),
            other => other.unwrap(),
        };
        prop_assert!(!repair.is_clean());
        let next = writer.append(vec![7]).unwrap().wait().unwrap();
        prop_assert_eq!(next, repair.last_sequence + 1);
        drop(writer);

        let (read, reports) = read_over_damage(folder.path());
        prop_assert_eq!(reports, repair.damage.len());
        for (sequence, payload) in &read {
            let original = payloads.get(*sequence as usize - 1);
            prop_assert!(*sequence == next || original == Some(payload));
        }
        prop_assert_eq!(&read.last().unwrap().1, &vec![7]);
        // At most the record itself, and the next one when the chain value between them changed;
        // after a changed header, the first record. What was cut off is in the torn file.
        if repair.damage.is_empty() {
            prop_assert!(repair.lost_bytes > 0);
        } else {
            prop_assert!(read.len() + 2 > payloads.len());
            prop_assert!(!verify(folder.path()).unwrap().is_intact());
        }
    }
}

#[test]
fn damage_in_a_sealed_segment_is_reported_and_the_next_segment_is_read() {
    let folder = tempfile::tempdir().unwrap();
    crate::log::fill(folder.path(), 60);
    let listed = segments(folder.path()).unwrap();
    let mut bytes = fs::read(&listed[0].path).unwrap();
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    fs::write(&listed[0].path, bytes).unwrap();
    let (read, reports) = read_over_damage(folder.path());
    assert_eq!((read.len(), reports), (59, 1));
    assert!(!verify(folder.path()).unwrap().is_intact());
}
