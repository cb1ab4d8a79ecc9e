//! The processes that are measured against each other.

mod floor;
mod mock;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use quell_domain::clock::SharedClock;
use quell_domain::{SystemClock, SystemIds};
use quell_gateway::{Gateway, GatewayOptions};
use quell_testkit::NODE_TOKEN;
use secrecy::SecretString;
use tokio::net::TcpListener;

pub(crate) use mock::{DELTAS, MODE_HEADER};

/// The model endpoint.
pub(crate) fn mock() -> anyhow::Result<()> {
    one_thread()?.block_on(async {
        let listener = listen().await?;
        tokio::spawn(mock::serve(listener, Arc::new(SystemClock::new())));
        until_input_closes().await
    })
}

/// The bare proxy.
pub(crate) fn floor(upstream: SocketAddr) -> anyhow::Result<()> {
    one_thread()?.block_on(async {
        let listener = listen().await?;
        tokio::spawn(floor::serve(listener, upstream));
        until_input_closes().await
    })
}

/// The gateway, on the runtime the product gives it.
pub(crate) fn gateway(control: &str, data: PathBuf) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let clock: SharedClock = Arc::new(SystemClock::new());
        let ids = Arc::new(SystemIds::new(Arc::clone(&clock)));
        let token = SecretString::from(NODE_TOKEN.to_owned());
        let options = GatewayOptions::new("bench", data, control, token);
        let _gateway = Gateway::start(options, listen().await?, clock, ids)?;
        until_input_closes().await
    })
}

fn one_thread() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// A free port, told on standard output.
async fn listen() -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    Ok(listener)
}

/// Returns when whoever started this process is gone.
async fn until_input_closes() -> anyhow::Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .context("waiting for the end of standard input")??;
    Ok(())
}
