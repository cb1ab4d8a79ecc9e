//! `quell detect`: judges texts from a file exactly as the gateway would, without a server.

mod judge;
mod row;
mod source;
mod summary;

use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use quell_detection::RuleSet;

use self::judge::{Bench, Verdict};
use self::row::Task;
use self::source::{LINE_BYTES_MAX, Line, Source};
use self::summary::Summary;
use super::Context;
use super::rules::files;
use crate::exit::Failure;
use crate::serve::World;

/// Rows and bytes that are in memory at a time, whichever is reached first; one row may go beyond.
const BATCH_ROWS: usize = 1024;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Bad rows that are reported one by one; the rest is counted.
const BAD_ROWS_SHOWN: u64 = 100;

/// `quell detect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A row is a JSON object: `text`, or `turns` (strings, or {\"role\", \"text\"}); `id`, else the line's \
number; `role` user (default), system, document, tool or output; `system_prompt`. Other fields are \
ignored. Exit codes: 0 every row was judged, 1 some were not.")]
pub(crate) struct DetectArgs {
    /// JSON lines, also packed with gzip; - is standard input.
    file: PathBuf,
    /// A folder with rules/ and patterns/, laid over what is shipped.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Threads; default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Count what was found, on standard error.
    #[arg(long)]
    summary: bool,
}

/// A line that was read: a row to judge, or why it is none.
type Entry = Result<Task, String>;

/// Judges every row, prints one JSON object a line in the order of the input.
pub(crate) fn run(cx: &Context, args: &DetectArgs) -> Result<(), Failure> {
    let own = args.rules.as_deref().map(files::read).transpose()?.unwrap_or_default();
    let rules =
        RuleSet::with_overrides(&own).map_err(|errors| Failure::negative(errors.to_string()))?;
    let world = World::new();
    let bench = Bench::new(rules, &*world.ids);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = args.threads.map_or(cores, usize::from);
    let quiet = cx.globals.json || !std::io::stderr().is_terminal();
    let mut source = Source::open(&args.file, quiet)?;
    let mut out = BufWriter::with_capacity(256 * 1024, std::io::stdout().lock());
    let mut summary = Summary::default();
    let broken = loop {
        let (batch, end) = read(&mut source, &mut summary);
        if !batch.is_empty() {
            let verdicts = judge_all(&bench, &batch, threads);
            for verdict in &verdicts {
                summary.add(verdict);
            }
            if !print(&mut out, &verdicts)? {
                return Ok(());
            }
            source.say(summary.short());
        }
        match end {
            End::More => {}
            End::Done => break None,
            End::Broken(error) => break Some(error),
        }
    };
    source.finish();
    if args.summary {
        summary.show(cx.globals.json);
    }
    if let Some(error) = broken {
        let path = args.file.display();
        return Err(Failure::error(format!(
            "{path}: broke off after line {}: {error}",
            summary.lines
        )));
    }
    match summary.bad {
        0 => Ok(()),
        bad => Err(Failure::error(format!(
            "{bad} of {} rows could not be read; the others were judged",
            summary.rows + bad
        ))),
    }
}

enum End {
    More,
    Done,
    Broken(std::io::Error),
}

/// The next rows. Bad ones are reported and left out.
fn read(source: &mut Source, summary: &mut Summary) -> (Vec<Task>, End) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_ROWS && bytes < BATCH_BYTES {
        let (number, line) = match source.next() {
            Ok(Some(next)) => next,
            Ok(None) => return (batch, End::Done),
            Err(error) => return (batch, End::Broken(error)),
        };
        summary.lines = number;
        let entry: Entry = match line {
            Line::Read(line) => Task::read(&line, number),
            Line::TooLong => Err(format!("longer than {LINE_BYTES_MAX} bytes; split it")),
        };
        match entry {
            Ok(task) => {
                bytes += task.bytes();
                batch.push(task);
            }
            Err(why) => {
                summary.bad += 1;
                if summary.bad <= BAD_ROWS_SHOWN {
                    source.note(&format!("line {number}: {}", crate::output::plain(&why)));
                } else if summary.bad == BAD_ROWS_SHOWN + 1 {
                    source.note("further bad lines are only counted");
                }
            }
        }
    }
    (batch, End::More)
}

/// Judges `batch` on `threads` threads; the verdicts in its order.
fn judge_all(bench: &Bench, batch: &[Task], threads: usize) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Verdict)>> = Mutex::new(Vec::with_capacity(batch.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(batch.len()) {
            scope.spawn(|| {
                let mut own = Vec::new();
                while let Some((index, task)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    batch.get(index).map(|task| (index, task))
                } {
                    own.push((index, bench.judge(task)));
                }
                done.lock().append(&mut own);
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, verdict)| verdict).collect()
}

/// Whether anybody still listens.
fn print(out: &mut impl Write, verdicts: &[Verdict]) -> Result<bool, Failure> {
    let written = verdicts.iter().try_for_each(|verdict| {
        serde_json::to_writer(&mut *out, verdict)?;
        out.write_all(b"\n")
    });
    match written.and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // `quell detect … | head` is no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
