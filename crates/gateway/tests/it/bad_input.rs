//! What clients and providers get wrong, each with its own error.

use std::time::Duration;

use http::{Method, StatusCode};
use quell_testkit::Reply;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Rig, ask, ask_stream, completion};

/// Path, headers, the status that comes and words of its message.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], StatusCode, &'a str);

const SHOP: (&str, &str) = ("authorization", "Bearer qk_shop");

#[tokio::test]
async fn bad_requests_name_what_is_wrong() {
    let rig = Rig::start().await;
    let chat = "/v1/chat/completions";
    let message = |text: &str| json!({"model": "m", "messages": text}).to_string();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("malformed JSON", b"{\"model\": ".to_vec(), "line 1"),
        ("wrong type", message("hi").into_bytes(), "/messages"),
        ("invalid UTF-8", b"{\"model\":\"\xff\"}".to_vec(), "UTF-8"),
        ("not an object", b"[]".to_vec(), "object"),
        (
            "duplicate keys",
            b"{\"model\":\"a\",\"model\":\"b\",\"messages\":[]}".to_vec(),
            "repeated",
        ),
    ];
    for (what, body, names) in cases {
        let answer = rig.post(chat, &[SHOP], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(names), "{what}: {message}");
    }
    let large = rig.post(chat, &[SHOP], vec![b' '; 11 * 1024 * 1024]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let zipped = rig.post(chat, &[SHOP, ("content-encoding", "gzip")], "x").await;
    assert_eq!(zipped.status, StatusCode::BAD_REQUEST);
    assert!(rig.upstream.received().is_empty());
}

#[tokio::test]
async fn strangers_are_told_what_is_missing() {
    let rig = Rig::with(|content| {
        content.keys[1].expires_at = Some(jiff::Timestamp::UNIX_EPOCH);
    })
    .await;
    let body = ask("Hi!").to_string();
    let chat = "/v1/chat/completions";
    let cases: [Case<'_>; 6] = [
        (chat, &[], StatusCode::UNAUTHORIZED, "no Quell key"),
        (chat, &[("authorization", "Bearer qk_nobody")], StatusCode::UNAUTHORIZED, "not known"),
        (chat, &[("x-api-key", "qk_ada")], StatusCode::UNAUTHORIZED, "expired"),
        ("/a/nowhere/v1/chat/completions", &[], StatusCode::NOT_FOUND, "no such application"),
        ("/a/open/v1/chat/completions", &[SHOP], StatusCode::UNAUTHORIZED, "another application"),
        ("/a/shop/v1/chat/completions", &[], StatusCode::UNAUTHORIZED, "pass-through"),
    ];
    for (path, headers, status, says) in cases {
        let answer = rig.post(path, headers, body.clone()).await;
        assert_eq!(answer.status, status, "{says}");
        assert!(answer.text().contains(says), "{}", answer.text());
    }
    let anthropic = rig.post("/v1/messages", &[], "{}").await;
    assert_eq!(anthropic.json()["error"]["type"], "authentication_error");
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_usable() {
    let rig = Rig::start().await;
    let mut socket = TcpStream::connect(rig.gateway.address()).await.unwrap();
    for _ in 0..3 {
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: qk_nobody\r\n\
                    content-length: 2\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        // Many clients send the body in a segment of its own.
        tokio::time::sleep(Duration::from_millis(50)).await;
        socket.write_all(b"{}").await.unwrap();
        let mut reply = vec![0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut reply)).await;
        let reply = String::from_utf8_lossy(&reply[..read.unwrap().unwrap()]).into_owned();
        assert!(reply.starts_with("HTTP/1.1 401"), "{reply}");
    }
}

#[tokio::test]
async fn a_header_flood_is_refused() {
    let rig = Rig::start().await;
    let names: Vec<String> = (0..150).map(|n| format!("x-flood-{n}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let answer = rig.send(Method::POST, "/v1/chat/completions", &headers, "{}".into()).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn a_hanging_provider_times_out_and_a_failing_one_is_passed_on() {
    let rig = Rig::with(|content| content.upstreams[0].header_ms = 200).await;
    rig.upstream.push(Reply::hang());
    assert_eq!(rig.chat(&ask("Hi!")).await.status, StatusCode::GATEWAY_TIMEOUT);
    rig.upstream.push(Reply::json(&json!({"error": {"message": "busy"}})).with_status(429));
    assert_eq!(rig.chat(&ask("Hi!")).await.status, StatusCode::TOO_MANY_REQUESTS);
    rig.upstream.push(Reply::close());
    assert_eq!(rig.chat(&ask("Hi!")).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(rig.records(3).await.len(), 3);
}

#[tokio::test]
async fn limits_have_their_own_errors() {
    let rig = Rig::with(|content| {
        content.applications[0].limits.response_bytes = 600;
        content.applications[0].limits.concurrent = 1;
    })
    .await;
    rig.upstream.push(Reply::json(&completion(&"x".repeat(2_000))));
    let whole = rig.chat(&ask("Hi!")).await;
    assert_eq!(whole.status, StatusCode::BAD_GATEWAY);
    assert!(whole.text().contains("larger than"), "{}", whole.text());
    rig.upstream.push(Reply::sse(crate::support::chat_stream(&["word "; 200])));
    let stream = rig.chat(&ask_stream("Hi!")).await.text();
    assert!(stream.contains("longer than") && !stream.contains("[DONE]"), "{stream}");
    rig.upstream.push(Reply::hang());
    let body = ask("Hi!");
    tokio::select! {
        _ = rig.chat(&body) => panic!("the provider hangs"),
        () = async {
            while rig.upstream.received().len() < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let busy = rig.chat(&body).await;
            assert_eq!(busy.status, StatusCode::TOO_MANY_REQUESTS);
            assert!(busy.text().contains("in flight"), "{}", busy.text());
        } => {}
    }
}

#[tokio::test]
async fn provider_state_is_refused_until_it_is_known_here() {
    let rig = Rig::start().await;
    let body =
        |id: &str| json!({"model": "m", "input": "go on", "previous_response_id": id}).to_string();
    let unknown = rig.post("/v1/responses", &[SHOP], body("resp_1")).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(unknown.text().contains("previous_response_id"), "{}", unknown.text());
    let response = json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}]}],
    });
    rig.upstream.push(Reply::json(&response));
    rig.upstream.push(Reply::json(&response));
    let first = json!({"model": "m", "input": "hello"}).to_string();
    assert_eq!(rig.post("/v1/responses", &[SHOP], first).await.status, StatusCode::OK);
    assert_eq!(rig.post("/v1/responses", &[SHOP], body("resp_1")).await.status, StatusCode::OK);
}
