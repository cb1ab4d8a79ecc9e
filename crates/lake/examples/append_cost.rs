//! What appending costs: `cargo run --release -p quell-lake --example append_cost`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a measurement prints, takes the time and may stop"
)]

use std::time::Instant;

use quell_lake::{LogWriter, WriterOptions};

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (writer, _) =
        LogWriter::open(folder.path(), "cost", WriterOptions::default()).expect("the log opens");
    for bytes in [200, 2_000, 20_000] {
        let payload = vec![b'x'; bytes];
        let rounds = 2_000;
        let started = Instant::now();
        let waiting: Vec<_> =
            (0..rounds).map(|_| writer.append(payload.clone()).expect("room")).collect();
        let handed_over = started.elapsed();
        for appending in waiting {
            appending.wait().expect("written");
        }
        let written = started.elapsed();
        let started = Instant::now();
        for _ in 0..rounds {
            writer.append(payload.clone()).expect("room").wait().expect("written");
        }
        let alone = started.elapsed();
        println!(
            "{bytes:>6} bytes: append {:.1} us, with crc and write {:.1} us, one at a time {:.1} us",
            handed_over.as_secs_f64() * 1e6 / f64::from(rounds),
            written.as_secs_f64() * 1e6 / f64::from(rounds),
            alone.as_secs_f64() * 1e6 / f64::from(rounds),
        );
    }
}
