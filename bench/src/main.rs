//! Benchmarks of the data plane, interleaved with its peers in one run on one machine.
//!
//! This process generates the load and plays control; every target is a process of its own, so
//! that its processor time and memory can be read from the kernel. See `docs/benchmark.md`.

mod bypass;
mod client;
mod containment;
mod detection;
mod leakage;
mod load;
mod nginx;
mod process;
mod product;
mod prompts;
mod roles;
mod row;
mod run;
mod streaming;
mod summary;
mod targets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use quell_domain::SystemClock;
use quell_domain::clock::SharedClock;

/// What to run.
#[derive(Debug, Parser)]
#[command(about = "Compares the gateway with a bare proxy and with nginx, on this machine")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    role: Option<Role>,
}

/// How long and how often.
#[derive(Debug, clap::Args)]
struct Options {
    /// Rounds; every round measures every target once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of load per target and scenario.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Containment trials, idle and under load each.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    trials: u32,
    /// Go on with the guarded gateway until it has answered so many requests, for its memory.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    memory_after: u64,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Where to write everything as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Leave the choice of cores to the kernel.
    #[arg(long)]
    no_pin: bool,
}

/// The other processes of a run. Each says where it listens and stops when its input closes.
#[derive(Debug, Subcommand)]
enum Role {
    /// Measure containment through a real `quell serve`: call to refusal, attack to proof.
    Product {
        /// The `quell` binary.
        quell: PathBuf,
        /// Trials of each kind.
        #[arg(long, default_value_t = 30)]
        trials: u32,
    },
    /// Try ways past the guards of Quell and of its peers.
    Bypass(Box<bypass::Options>),
    /// Measure what inspecting a text costs, ordinary and hostile texts beside each other.
    Detection {
        /// The corpora, for the harmless development texts.
        #[arg(long, env = "QUELL_CORPORA")]
        corpus: Option<PathBuf>,
        /// Only texts whose name contains this.
        #[arg(long = "text", default_value = "")]
        named: String,
        /// Print JSON.
        #[arg(long = "as-json")]
        as_json: bool,
    },
    /// Count what streams let out before they are cut, by what finds it.
    Leakage {
        /// Print JSON.
        #[arg(long = "as-json")]
        as_json: bool,
    },
    /// The model endpoint.
    #[command(hide = true)]
    Mock,
    /// A proxy that does nothing but forward.
    #[command(hide = true)]
    Floor {
        /// Where to.
        upstream: SocketAddr,
    },
    /// The gateway.
    #[command(hide = true)]
    Gateway {
        /// Control's base URL.
        control: String,
        /// Its data directory.
        data: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        None => run::run(&arguments.options),
        Some(Role::Product { quell, trials }) => {
            let clock: SharedClock = Arc::new(SystemClock::new());
            runtime()?.block_on(product::measure(&quell, trials, &clock))
        }
        Some(Role::Bypass(options)) => {
            let clock: SharedClock = Arc::new(SystemClock::new());
            runtime()?.block_on(bypass::run(&options, &clock))
        }
        Some(Role::Detection { corpus, named, as_json }) => {
            detection::measure(corpus.as_deref(), &named, as_json)
        }
        Some(Role::Leakage { as_json }) => leakage::measure(as_json),
        Some(Role::Mock) => roles::mock(),
        Some(Role::Floor { upstream }) => roles::floor(upstream),
        Some(Role::Gateway { control, data }) => roles::gateway(&control, data),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
