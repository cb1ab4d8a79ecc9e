//! Model endpoints that answer, stall, break and are not there.

use std::net::TcpListener;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use quell_outbound::{
    OutboundError, RequestBody, UpstreamClient, UpstreamOptions, full_body, read_body,
    with_idle_timeout,
};
use quell_testkit::{Reply, ScriptedUpstream};
use serde_json::json;

const SOON: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(20);

fn client() -> UpstreamClient {
    UpstreamClient::new(&UpstreamOptions::default()).unwrap()
}

fn post(base: &str) -> Request<RequestBody> {
    Request::post(format!("{base}/v1/chat/completions?a=b")).body(full_body("{}")).unwrap()
}

#[tokio::test]
async fn requests_arrive_as_they_were_sent_and_connections_are_kept() {
    let upstream = ScriptedUpstream::start().await;
    upstream.otherwise(|_| Reply::json(&json!({"ok": true})));
    let client = client();
    for _ in 0..3 {
        let response = client.send(post(&upstream.base_url()), LONG).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(read_body(response.into_body(), 100).await.unwrap(), "{\"ok\":true}");
    }
    let received = upstream.received();
    assert_eq!(received[0].uri, "/v1/chat/completions?a=b");
    assert_eq!(received[0].headers["host"], upstream.address().to_string());
    assert_eq!(received[0].body, "{}");
    assert!(received.iter().all(|request| request.connection == 1));
}

#[tokio::test]
async fn redirects_are_handed_on_not_followed() {
    let upstream = ScriptedUpstream::start().await;
    upstream.push(Reply::status(307).header("location", "http://127.0.0.1:1/"));
    let response = client().send(post(&upstream.base_url()), LONG).await.unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_safe_to_try_again() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client().send(post(&format!("http://{free}")), LONG).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect { .. }), "{error:?}");
    assert!(error.nothing_was_sent());
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_named_so() {
    let upstream = ScriptedUpstream::start().await;
    let base = upstream.base_url().replace("http:", "https:");
    let error = client().send(post(&base), LONG).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");
    assert!(error.nothing_was_sent());
}

#[tokio::test]
async fn a_tls_session_that_never_comes_counts_as_connecting() {
    // Accepts by the kernel's backlog, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = UpstreamOptions { connect_timeout: SOON, ..UpstreamOptions::default() };
    let client = UpstreamClient::new(&options).unwrap();
    let base = format!("https://{}", silent.local_addr().unwrap());
    let error = client.send(post(&base), LONG).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn an_upstream_that_hangs_runs_into_the_header_timeout() {
    let upstream = ScriptedUpstream::start().await;
    upstream.push(Reply::hang());
    let error = client().send(post(&upstream.base_url()), SOON).await.unwrap_err();
    assert!(matches!(error, OutboundError::HeaderTimeout { .. }), "{error:?}");
    assert!(!error.nothing_was_sent());
}

#[tokio::test]
async fn an_upstream_that_hangs_up_is_a_protocol_error() {
    let upstream = ScriptedUpstream::start().await;
    upstream.push(Reply::close());
    let error = client().send(post(&upstream.base_url()), LONG).await.unwrap_err();
    assert!(matches!(error, OutboundError::Protocol(_)), "{error:?}");
    assert!(!error.nothing_was_sent());
}

#[tokio::test]
async fn streams_pass_chunk_by_chunk_and_end_when_silent() {
    let upstream = ScriptedUpstream::start().await;
    upstream.push(Reply::sse(["data: one\n\n", "data: two\n\n"]).paced(SOON / 10).then_hang());
    let response = client().send(post(&upstream.base_url()), LONG).await.unwrap();
    let mut body = with_idle_timeout(response.into_body(), SOON);
    let mut chunks = Vec::new();
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => chunks.push(frame.into_data().unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(chunks, ["data: one\n\n", "data: two\n\n"]);
    assert!(matches!(error, OutboundError::IdleTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_not_an_end() {
    let upstream = ScriptedUpstream::start().await;
    upstream.push(Reply::sse(["data: one\n\n"]).then_close());
    let response = client().send(post(&upstream.base_url()), LONG).await.unwrap();
    let error = read_body(with_idle_timeout(response.into_body(), LONG), 100).await.unwrap_err();
    assert!(matches!(error, OutboundError::Protocol(_)), "{error:?}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let upstream = ScriptedUpstream::start().await;
    upstream.push(Reply::status(200).chunk(vec![b'x'; 101]));
    let response = client().send(post(&upstream.base_url()), LONG).await.unwrap();
    let error = read_body(response.into_body(), 100).await.unwrap_err();
    assert!(matches!(error, OutboundError::BodyTooLarge { limit: 100 }), "{error:?}");
}
