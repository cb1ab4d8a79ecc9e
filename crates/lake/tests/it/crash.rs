//! What was acknowledged survives SIGKILL, and a disk that fills up.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use quell_lake::{LogWriter, verify};

use crate::log::{payload, read_all, small_segments};

const CHILD: &str = "QUELL_LAKE_TEST_CHILD";

/// Not a test by itself: what the other tests run in a child process and kill.
#[test]
fn child_appends_until_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let (writer, repair) = LogWriter::open(Path::new(&dir), "gw", small_segments()).unwrap();
    let mut out = std::io::stdout();
    let mut sequence = repair.last_sequence;
    loop {
        // Several at a time, so that the kill finds batches under way.
        let batch: Vec<_> = (sequence + 1..=sequence + 20)
            .map(|sequence| writer.append(payload(sequence)).unwrap())
            .collect();
        // After a refusal a shorter record of the same batch may still find room.
        let mut refused = false;
        for appending in batch {
            match appending.wait() {
                Ok(acknowledged) => {
                    sequence = acknowledged;
                    write!(out, "\nacknowledged {sequence}\n").unwrap();
                }
                Err(error) => {
                    refused = true;
                    writeln!(out, "\nrefused {error}").unwrap();
                }
            }
        }
        out.flush().unwrap();
        if refused {
            return;
        }
    }
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ").and_then(|number| number.parse().ok())
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child_appends_until_killed", "--exact", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = 0;
        while last < round * 300 {
            let line = lines.next().unwrap().unwrap();
            last = acknowledged(&line).unwrap_or(last);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            last = acknowledged(&line).unwrap_or(last).max(last);
        }
        let (writer, repair) = LogWriter::open(folder.path(), "gw", small_segments()).unwrap();
        assert!(repair.last_sequence >= last, "{repair:?} lost some of {last}");
        assert!(repair.damage.is_empty());
        drop(writer);
        let records = read_all(folder.path()).unwrap();
        assert_eq!(records.len() as u64, repair.last_sequence);
        assert!(records.iter().all(|(sequence, bytes)| *bytes == payload(*sequence)));
        assert!(verify(folder.path()).unwrap().is_intact());
    }
}

/// A file size limit stands for a full disk: writing fails in the middle of a frame.
#[cfg(unix)]
#[test]
fn a_full_disk_refuses_and_what_was_acknowledged_stays() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 3; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["crash::child_appends_until_killed", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("refused the interaction log cannot be written"), "{text}");
    let last = text.lines().filter_map(acknowledged).next_back().unwrap();
    assert_eq!(read_all(folder.path()).unwrap().len() as u64, last);
    let (_, repair) = LogWriter::open(folder.path(), "gw", small_segments()).unwrap();
    assert_eq!(repair.last_sequence, last);
    assert!(repair.damage.is_empty());
}
