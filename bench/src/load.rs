//! Closed loop: every connection asks again as soon as it was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use http::StatusCode;
use quell_domain::clock::SharedClock;
use tokio::task::JoinSet;

use crate::client::{Connection, Question};
use crate::process::Process;
use crate::prompts::{self, Numbers};
use crate::row::percentile;

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const STOPPED: u8 = 2;

/// Connections and upstream connections are made, caches filled.
const WARM_UP: Duration = Duration::from_millis(300);
/// A request that takes longer than this when the load stops counts as failed.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// What came back while measuring.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub latencies_us: Vec<f64>,
    pub failures: u64,
}

/// What a cell of load gave.
#[derive(Debug)]
pub(crate) struct Measured {
    pub answers: Answers,
    pub seconds: f64,
    pub cpu_us: f64,
}

impl Measured {
    pub(crate) fn percentiles(&mut self) -> (f64, f64) {
        let values = &mut self.answers.latencies_us;
        (percentile(values, 0.5), percentile(values, 0.99))
    }
}

/// Load that runs until it is stopped.
#[derive(Debug)]
pub(crate) struct Load {
    phase: Arc<AtomicU8>,
    connections: JoinSet<Answers>,
}

impl Load {
    pub(crate) fn start(
        address: SocketAddr,
        question: &Question,
        connections: u32,
        clock: &SharedClock,
    ) -> Self {
        let phase = Arc::new(AtomicU8::new(WARMING));
        let mut running = JoinSet::new();
        // Taken from the clock, so that no later load asks what an earlier one has asked.
        let begun = clock.now().as_nanosecond() as u64;
        for connection in 0..u64::from(connections) {
            let (phase, question) = (Arc::clone(&phase), question.clone());
            let numbers = Numbers::new(begun.wrapping_add(connection << 48));
            running.spawn(keep_asking(address, question, numbers, phase, Arc::clone(clock)));
        }
        Self { phase, connections: running }
    }

    pub(crate) async fn stop(mut self) -> Answers {
        self.phase.store(STOPPED, Ordering::Relaxed);
        let mut all = Answers::default();
        while !self.connections.is_empty() {
            match tokio::time::timeout(LAST_ANSWER, self.connections.join_next()).await {
                Ok(Some(Ok(answers))) => {
                    all.latencies_us.extend(answers.latencies_us);
                    all.failures += answers.failures;
                }
                Ok(_) => all.failures += 1,
                Err(_) => {
                    all.failures += self.connections.len() as u64;
                    self.connections.shutdown().await;
                }
            }
        }
        all
    }
}

/// Loads `target` for `time` after a warm-up and reads its processor time.
pub(crate) async fn measure(
    process: &Process,
    address: SocketAddr,
    question: &Question,
    connections: u32,
    time: Duration,
    clock: &SharedClock,
) -> anyhow::Result<Measured> {
    let load = Load::start(address, question, connections, clock);
    tokio::time::sleep(WARM_UP).await;
    let (cpu_before, began) = (process.cpu_us()?, clock.ticks());
    load.phase.store(MEASURING, Ordering::Relaxed);
    tokio::time::sleep(time).await;
    let (cpu_after, ended) = (process.cpu_us()?, clock.ticks());
    let answers = load.stop().await;
    let count = answers.latencies_us.len().max(1) as f64;
    Ok(Measured {
        cpu_us: (cpu_after - cpu_before) / count,
        seconds: ended.saturating_sub(began).as_secs_f64(),
        answers,
    })
}

async fn keep_asking(
    address: SocketAddr,
    mut question: Question,
    mut numbers: Numbers,
    phase: Arc<AtomicU8>,
    clock: SharedClock,
) -> Answers {
    let mut answers = Answers::default();
    let mut connection = None;
    loop {
        if let Some(bytes) = question.fresh {
            question.body = prompts::fresh(&mut numbers, bytes);
        }
        let began = clock.ticks();
        let status = ask(&mut connection, address, &question).await;
        let elapsed = clock.ticks().saturating_sub(began);
        match phase.load(Ordering::Relaxed) {
            WARMING => {}
            MEASURING => answers.latencies_us.push(elapsed.as_nanos() as f64 / 1e3),
            _ => return answers,
        }
        if !matches!(status, Ok(StatusCode::OK)) {
            answers.failures += 1;
            connection = None;
            // A target that refuses at once must not be hammered.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn ask(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    question: &Question,
) -> anyhow::Result<StatusCode> {
    let open = match connection.take() {
        Some(open) => open,
        None => Connection::open(address).await?,
    };
    connection.insert(open).status(question).await
}
