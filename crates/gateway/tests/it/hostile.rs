//! Clients and circumstances that try to get past containment or out of the record.

use std::time::Duration;

use http::StatusCode;
use quell_domain::application::Upstream;
use quell_domain::interaction::Outcome;
use quell_domain::measure::{Effect, Target};
use quell_testkit::Reply;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Rig, ask, ask_stream, chat_stream, completion};

/// A request on a bare socket, for clients that do not behave.
async fn bare(rig: &Rig, body: &serde_json::Value) -> TcpStream {
    let mut socket = TcpStream::connect(rig.gateway.address()).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nx-api-key: qk_ada\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    socket
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded_all_the_same() {
    let rig = Rig::start().await;
    rig.upstream.push(Reply::json(&completion("late")).after(Duration::from_millis(300)));
    let socket = bare(&rig, &ask("Hi!")).await;
    rig.upstream.wait_for(1).await;
    drop(socket);
    let records = rig.records(1).await;
    assert_eq!(records[0].request[0].text, "Hi!");
    assert_eq!(records[0].response[0].text, "late");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_like_any_other() {
    let rig = Rig::start().await;
    let text = "word ".repeat(4_000);
    let mut reply = Reply::sse(Vec::<String>::new());
    for chunk in chat_stream(&vec![text.as_str(); 600]).into_iter().take(600) {
        reply = reply.chunk(chunk);
    }
    rig.upstream.push(reply.then_hang());
    let _silent = bare(&rig, &ask_stream("Talk!")).await;
    rig.upstream.wait_for(1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ada = Target::User { user: "ada".into() };
    rig.enforce(vec![rig.measure(ada, Effect::Restrict)]).await;
    let record = &rig.records(1).await[0];
    assert_eq!(record.outcome, Outcome::Blocked);
    assert!(
        record.cut.as_ref().is_some_and(|cut| cut.by.starts_with("measure:")),
        "{:?}",
        record.cut
    );
}

#[tokio::test]
async fn a_secret_that_is_missing_stops_only_what_needs_it() {
    let rig = Rig::with(|content| {
        let mut other = Upstream::new("other", "http://127.0.0.1:9");
        other.secret = Some("env:QUELL_TEST_NO_SUCH_VARIABLE".into());
        content.upstreams.push(other);
        let mut locked = content.applications[1].clone();
        locked.name = "locked".into();
        locked.pass_through = false;
        locked.upstreams = vec!["other".into()];
        content.keys[1].application = "locked".into();
        content.applications.push(locked);
    })
    .await;
    let locked =
        rig.post("/v1/chat/completions", &[("x-api-key", "qk_ada")], ask("Hi!").to_string());
    let locked = locked.await;
    assert_eq!(locked.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(locked.text().contains("credential"), "{}", locked.text());
    let session = Target::Session { session: "s-1".into() };
    rig.enforce(vec![rig.measure(session, Effect::Restrict)]).await;
    let contained = [("authorization", "Bearer qk_shop"), ("x-quell-session", "s-1")];
    let answer = rig.post("/v1/chat/completions", &contained, ask("Hi!").to_string()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn names_with_control_characters_are_no_names() {
    let rig = Rig::start().await;
    rig.upstream.push(Reply::json(&completion("ok")));
    let mut body = ask("Hi!");
    body["user"] = json!("a\u{0}b");
    assert_eq!(rig.chat(&body).await.status, StatusCode::OK);
    assert_eq!(rig.records(1).await[0].principal.user, None);
}

#[tokio::test]
async fn an_inspected_surface_is_never_forwarded_under_another_spelling() {
    let rig = Rig::with(|content| {
        content.applications[0].forward_paths = vec!["/v1/chat".into(), "/v1".into()];
    })
    .await;
    let shop = [("authorization", "Bearer qk_shop")];
    for path in ["/v1/chat/completions/", "/V1/Chat/Completions", "/v1/responses//"] {
        let answer = rig.post(path, &shop, ask("Hi!").to_string()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(rig.upstream.received().is_empty());
}

#[tokio::test]
async fn a_blocked_tool_is_stopped_by_its_name_alone() {
    let rig = Rig::start().await;
    let tool = Target::Tool { tool: "delete_all".into() };
    rig.enforce(vec![rig.measure(tool, Effect::Restrict)]).await;
    let start = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "tool_use", "id": "t1", "name": "delete_all", "input": {}}});
    let begin = json!({"type": "message_start", "message": {"id": "m", "type": "message",
        "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}});
    let frame = |event: &str, data: &serde_json::Value| format!("event: {event}\ndata: {data}\n\n");
    rig.upstream.push(Reply::sse([
        frame("message_start", &begin),
        frame("content_block_start", &start),
        frame("content_block_stop", &json!({"type": "content_block_stop", "index": 0})),
        frame("message_stop", &json!({"type": "message_stop"})),
    ]));
    let body = json!({"model": "m", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "Go!"}]});
    let answer = rig.post("/v1/messages", &[("x-api-key", "qk_shop")], body.to_string()).await;
    assert!(!answer.text().contains("delete_all"), "{}", answer.text());
    let named_twice = json!({"model": "m", "input": "Go!", "tools": [{"type": "function",
        "name": "delete_all", "function": {"name": "x"}}]});
    rig.upstream.push(Reply::json(&json!({"id": "r", "object": "response", "output": []})));
    rig.post("/v1/responses", &[("x-api-key", "qk_shop")], named_twice.to_string()).await;
    let sent = rig.upstream.received().last().unwrap().json();
    assert!(!sent.to_string().contains("delete_all"), "{sent}");
}
