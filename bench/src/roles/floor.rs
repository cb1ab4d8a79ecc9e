//! The floor: the least an HTTP proxy made with hyper can do. Every client connection has one
//! upstream connection; heads and bodies pass as they are. It parses, checks and keeps nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

type Upstream = Arc<Mutex<SendRequest<Incoming>>>;

pub(super) async fn serve(listener: TcpListener, upstream: SocketAddr) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(async move {
            // Whatever breaks a connection here shows as a failed request in the row.
            let _broken = connect(client, upstream).await;
        });
    }
}

async fn connect(client: TcpStream, upstream: SocketAddr) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let socket = TcpStream::connect(upstream).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let upstream: Upstream = Arc::new(Mutex::new(sender));
    let service = service_fn(move |request| forward(Arc::clone(&upstream), request));
    http1::Builder::new()
        .serve_connection(TokioIo::new(client), service)
        .await
        .context("serving a client")
}

async fn forward(
    upstream: Upstream,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, hyper::Error> {
    let mut upstream = upstream.lock().await;
    upstream.ready().await?;
    upstream.send_request(request).await
}
