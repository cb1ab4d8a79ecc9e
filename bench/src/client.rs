//! One keep-alive connection that asks one question after the other.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::roles::MODE_HEADER;

/// A question, asked again and again.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The Quell key.
    pub key: &'static str,
    /// The JSON.
    pub body: Bytes,
    /// Which stream the mock shall answer with.
    pub stream: Option<&'static str>,
    /// Bytes of a prompt that is made anew for every request, in place of the JSON.
    pub fresh: Option<usize>,
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await.with_context(|| format!("to {address}"))?;
        socket.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Sends the question and waits for the head of the answer.
    pub(crate) async fn ask(&mut self, question: &Question) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::post("/v1/chat/completions")
            .header(HOST, &self.host)
            .header(AUTHORIZATION, format!("Bearer {}", question.key))
            .header(CONTENT_TYPE, "application/json");
        if let Some(mode) = question.stream {
            request = request.header(MODE_HEADER, mode);
        }
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.body(Full::new(question.body.clone()))?).await?)
    }

    /// Sends the question and reads the answer to its end.
    pub(crate) async fn status(&mut self, question: &Question) -> anyhow::Result<StatusCode> {
        let mut response = self.ask(question).await?;
        while let Some(frame) = response.body_mut().frame().await {
            frame?;
        }
        Ok(response.status())
    }
}
