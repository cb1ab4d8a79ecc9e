//! Processes: where they run, what they use.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Clock ticks per second in `/proc`, the same on every Linux this builds for.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

/// Which core the load runs on, and which one is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores(Option<(usize, usize)>);

impl Cores {
    /// Two cores, if there are two and they are wanted.
    pub(crate) fn choose(no_pin: bool) -> Self {
        let enough = available_parallelism().is_ok_and(|cores| cores.get() >= 2);
        Self((enough && !no_pin).then_some((0, 1)))
    }

    /// How the result says it.
    pub(crate) const fn describe(self) -> &'static str {
        match self.0 {
            Some(_) => "load, mock and control on core 0, the measured process on core 1",
            None => "not pinned",
        }
    }

    /// Starts `command` on the core for load.
    pub(crate) fn spawn_aside(self, command: &mut Command) -> anyhow::Result<Process> {
        self.spawn(command, self.0.map(|(load, _)| load))
    }

    /// Starts `command` on the core that is measured.
    pub(crate) fn spawn_measured(self, command: &mut Command) -> anyhow::Result<Process> {
        self.spawn(command, self.0.map(|(_, measured)| measured))
    }

    /// A child runs where the thread that started it was allowed to run.
    fn spawn(self, command: &mut Command, core: Option<usize>) -> anyhow::Result<Process> {
        pin(core)?;
        let started = command.spawn();
        pin(self.0.map(|(load, _)| load))?;
        let child =
            started.with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Process(child))
    }
}

fn pin(core: Option<usize>) -> anyhow::Result<()> {
    let Some(core) = core else { return Ok(()) };
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("pinning to core {core}"))
}

/// This program again, in another role.
pub(crate) fn role(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("finding this program")?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

impl Process {
    /// Where a role says it listens.
    pub(crate) fn address(&mut self) -> anyhow::Result<SocketAddr> {
        let out = self.0.stdout.take().context("a role's output is piped")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        line.trim().parse().context("a process of the benchmark ended before it listened")
    }

    /// Processor time used so far, user and system, microseconds.
    pub(crate) fn cpu_us(&self) -> anyhow::Result<f64> {
        let stat = read(self.0.id(), "stat")?;
        // The second field is the program's name, in parentheses, and may hold anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
        match (ticks.next(), ticks.next()) {
            (Some(Ok(user)), Some(Ok(system))) => Ok((user + system) / TICKS_PER_SECOND * 1e6),
            _ => anyhow::bail!("/proc/{}/stat is not as documented", self.0.id()),
        }
    }

    /// Resident memory, KiB.
    pub(crate) fn rss_kib(&self) -> anyhow::Result<u64> {
        let status = read(self.0.id(), "status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|kib| kib.parse().ok()).context("no VmRSS in /proc")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn read(id: u32, file: &str) -> anyhow::Result<String> {
    let path = Path::new("/proc").join(id.to_string()).join(file);
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// Runnable processes over the last minute.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}
