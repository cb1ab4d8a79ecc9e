//! The official Python SDKs `openai` and `anthropic` through the gateway. `QUELL_SDK_PYTHON` names
//! an interpreter that has both; without it these tests say so and pass.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use quell_domain::application::{Application, FallbackIntent, KeyBinding};
use quell_domain::canonical::sha256_hex;
use quell_domain::interaction::Outcome;
use quell_domain::measure::{Effect, Measure, Target, TextPattern};
use quell_domain::snapshot::SnapshotContent;
use quell_range::{RangeConfig, RangeServer};
use quell_testkit::Reply;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::{Rig, ask};
use crate::wires::text_stream;

/// Longest a script may take.
const SCRIPT_TIME: Duration = Duration::from_mins(1);

fn python() -> Option<OsString> {
    let python = std::env::var_os("QUELL_SDK_PYTHON");
    if python.is_none() {
        println!("skipped: QUELL_SDK_PYTHON is not set");
    }
    python
}

/// A running script, spoken to by lines.
struct Script {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Script {
    fn start(python: &OsString, name: &'static str, rig: &Rig) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sdk").join(name);
        let mut child = Command::new(python)
            .args(["-B", "-E", "-s"])
            .arg(path)
            .arg(format!("http://{}", rig.gateway.address()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("QUELL_SDK_PYTHON names an interpreter");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { name, child, input, output }
    }

    /// The script's next line; its traceback is on standard error.
    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(SCRIPT_TIME, self.output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{} says nothing any more", self.name));
        line.unwrap().unwrap_or_else(|| panic!("{} failed", self.name))
    }

    async fn go_on(&mut self) {
        self.input.write_all(b"go\n").await.unwrap();
    }

    /// How many requests the script says it sent, at its end.
    async fn sent(mut self) -> usize {
        let line = self.line().await;
        let sent = line.strip_prefix("sent ").and_then(|count| count.parse().ok());
        self.finish().await;
        sent.unwrap_or_else(|| panic!("unexpected line: {line}"))
    }

    async fn finish(mut self) {
        let status = tokio::time::timeout(SCRIPT_TIME, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{} failed", self.name);
    }
}

#[tokio::test]
async fn the_sdks_work_through_the_gateway() {
    let Some(python) = python() else { return };
    let config =
        RangeConfig { api_key: Some("the provider's key".into()), ..RangeConfig::certain() };
    let range = RangeServer::start(config, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "the provider's key").unwrap();
    let rig = Rig::with(|content| {
        content.upstreams[0].base_url = range.base_url();
        content.upstreams[0].secret = Some(format!("file:{}", secret.path().display()));
    })
    .await;
    let sent = Script::start(&python, "conversation.py", &rig).sent().await;
    assert_eq!(range.counts().total(), sent as u64);
    let records = rig.records(sent).await;
    assert_eq!(records.len(), sent);
    for record in records {
        assert_eq!((record.outcome, record.status), (Outcome::Allowed, 200), "{:?}", record.causes);
    }
}

/// `shop`, and three more applications with a key each.
fn several(content: &mut SnapshotContent) {
    let shop = content.applications[0].clone();
    for name in ["offline", "busy", "fallback"] {
        content.applications.push(Application { name: name.into(), ..shop.clone() });
        content.keys.push(KeyBinding {
            sha256: sha256_hex(format!("qk_{name}").as_bytes()),
            application: name.into(),
            ..content.keys[0].clone()
        });
    }
    content.applications[3].limits.concurrent = 1;
    content.applications[4].fallback.intents = vec![FallbackIntent {
        keywords: vec!["refund".into()],
        text: "Refunds take five days.".into(),
    }];
}

fn of(application: &str, measure: Measure) -> Measure {
    Measure { application: application.into(), ..measure }
}

fn ada() -> Target {
    Target::User { user: "ada".into() }
}

#[tokio::test]
async fn every_refusal_raises_its_own_exception_and_is_not_retried() {
    let Some(python) = python() else { return };
    let rig = Rig::with(several).await;
    let pattern =
        TextPattern { text: "blue falcon".into(), regex: false, directions: vec![], sample: None };
    rig.enforce(vec![
        rig.measure(ada(), Effect::Restrict),
        rig.measure(Target::Pattern { pattern }, Effect::Restrict),
        of("offline", rig.measure(Target::Application, Effect::Shutdown)),
    ])
    .await;
    rig.upstream.push(Reply::hang());
    let body = ask("Hi!").to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: qk_busy\r\n";
    let busy = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let mut waiting = TcpStream::connect(rig.gateway.address()).await.unwrap();
    waiting.write_all(busy.as_bytes()).await.unwrap();
    rig.upstream.wait_for(1).await;
    Script::start(&python, "refusals.py", &rig).sent().await;
    drop(waiting);
    assert_eq!(rig.upstream.received().len(), 1, "nothing refused reached the provider");
}

#[tokio::test]
async fn fallback_answers_read_like_any_other() {
    let Some(python) = python() else { return };
    let rig = Rig::with(several).await;
    rig.enforce(vec![of("fallback", rig.measure(Target::Application, Effect::Fallback))]).await;
    let sent = Script::start(&python, "fallback.py", &rig).sent().await;
    assert!(rig.upstream.received().is_empty());
    let records = rig.records(sent).await;
    assert_eq!(records.len(), sent);
    assert!(records.iter().all(|record| record.outcome == Outcome::Fallback));
}

#[tokio::test]
async fn a_user_blocked_in_mid_stream_sees_it_end_with_an_error() {
    let Some(python) = python() else { return };
    let rig = Rig::start().await;
    rig.upstream.otherwise(|request| {
        let frames = text_stream(request.uri.path(), &["one ", "two "]);
        let begun = frames.into_iter().take(4);
        Reply::sse(begun.filter(|frame| !ends(frame))).then_hang()
    });
    let mut script = Script::start(&python, "midstream.py", &rig);
    let surfaces =
        ["chat", "chat_helper", "completions", "messages", "messages_helper", "responses"];
    for surface in surfaces {
        assert_eq!(script.line().await, format!("started {surface}"));
        rig.enforce(vec![rig.measure(ada(), Effect::Restrict)]).await;
        assert_eq!(script.line().await, format!("ended {surface}"));
        rig.enforce(Vec::new()).await;
        script.go_on().await;
    }
    script.finish().await;
    assert_eq!(rig.upstream.received().len(), surfaces.len());
    for record in rig.records(surfaces.len()).await {
        assert_eq!(record.outcome, Outcome::Blocked);
        let cut = record.cut.unwrap();
        assert!(cut.by.starts_with("measure:") && cut.leaked_chars == 0, "{cut:?}");
    }
}

fn ends(frame: &str) -> bool {
    ["[DONE]", "\"stop\"", "message_stop", "response.completed"]
        .iter()
        .any(|end| frame.contains(end))
}
