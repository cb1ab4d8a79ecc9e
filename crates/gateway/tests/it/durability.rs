//! What was delivered is in the log, whatever happens to the gateway; what control said holds,
//! whatever happens to control.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use quell_domain::application::{Application, KeyBinding, RecordPolicy};
use quell_domain::canonical::sha256_hex;
use quell_domain::clock::SharedClock;
use quell_domain::id::SharedIds;
use quell_domain::interaction::Outcome;
use quell_domain::measure::{Effect, Target};
use quell_domain::snapshot::SnapshotContent;
use quell_domain::{SystemClock, SystemIds};
use quell_outbound::{UpstreamClient, UpstreamOptions, full_body};
use quell_testkit::{ControlStandIn, Reply, ScriptedUpstream};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{chat_stream, completion, content, measure, read_log, start_gateway};

const DATA: &str = "QUELL_TEST_GATEWAY_DATA";
const CONTROL: &str = "QUELL_TEST_GATEWAY_CONTROL";
const LISTENING: &str = "listening on ";

/// The gateway process of the tests below, which run this binary again. By itself it does nothing.
#[test]
fn a_gateway_process() {
    let (Some(data), Ok(control)) = (std::env::var_os(DATA), std::env::var(CONTROL)) else {
        return;
    };
    let clock: SharedClock = Arc::new(SystemClock::new());
    let ids: SharedIds = Arc::new(SystemIds::new(Arc::clone(&clock)));
    let runtime = Runtime::new().unwrap();
    let gateway = runtime.block_on(start_gateway(Path::new(&data), &control, &clock, &ids));
    println!("{LISTENING}{}", gateway.address());
    // Ends when whoever started it is gone.
    let _ended = std::io::stdin().read(&mut [0]);
}

/// A gateway in a process of its own, killed when dropped.
struct Process {
    child: Child,
    address: SocketAddr,
    _input: ChildStdin,
}

impl Process {
    async fn start(data: &Path, control: &str) -> Self {
        Self::run(Command::new(std::env::current_exe().unwrap()), data, control).await
    }

    /// As [`Process::start`], with files that cannot grow past `blocks` of 512 bytes: to the
    /// process the disk is full, also when it runs as root.
    async fn start_with_small_disk(data: &Path, control: &str, blocks: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""));
        shell.arg(std::env::current_exe().unwrap());
        Self::run(shell, data, control).await
    }

    async fn run(mut command: Command, data: &Path, control: &str) -> Self {
        let mut child = command
            .args(["--exact", "durability::a_gateway_process", "--nocapture"])
            .env(DATA, data)
            .env(CONTROL, control)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().expect("the gateway process starts");
            if let Some((_, address)) = line.split_once(LISTENING) {
                break address.parse().unwrap();
            }
        };
        Self { child, address, _input: input }
    }

    async fn kill(mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }
}

/// A stand-in for control that can go away.
struct Control {
    stand_in: ControlStandIn,
    runtime: Option<Runtime>,
}

impl Control {
    async fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let stand_in = runtime.spawn(ControlStandIn::start()).await.unwrap();
        Self { stand_in, runtime: Some(runtime) }
    }

    async fn stop(&mut self) {
        self.shut_down();
        let address = self.stand_in.url().replace("http://", "");
        while TcpStream::connect(&address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn shut_down(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Everything around a gateway. The user `ada` is blocked.
struct World {
    control: Control,
    data: tempfile::TempDir,
    clock: SharedClock,
    ids: SharedIds,
    _upstream: ScriptedUpstream,
}

impl World {
    async fn new(change: impl FnOnce(&mut SnapshotContent)) -> Self {
        let clock: SharedClock = Arc::new(SystemClock::new());
        let ids: SharedIds = Arc::new(SystemIds::new(Arc::clone(&clock)));
        let upstream = ScriptedUpstream::start().await;
        upstream.otherwise(|request| {
            if request.json()["stream"] == true {
                Reply::sse(chat_stream(&["one ", "two "])).paced(Duration::from_millis(1))
            } else {
                Reply::json(&completion("ok"))
            }
        });
        let control = Control::start().await;
        let mut content = content(&ids, &upstream.base_url());
        let ada = Target::User { user: "ada".into() };
        content.measures.push(measure(&clock, &ids, ada, Effect::Restrict));
        change(&mut content);
        control.stand_in.publish(content);
        let data = tempfile::tempdir().unwrap();
        Self { control, data, clock, ids, _upstream: upstream }
    }

    fn recorded(&self) -> Vec<String> {
        let records = read_log(self.data.path(), "gw-test");
        records.iter().map(|record| record.id.to_string()).collect()
    }
}

/// What a client saw of one exchange whose last byte arrived.
struct Seen {
    status: StatusCode,
    interaction: String,
    text: String,
}

#[derive(Clone)]
struct Client {
    http: UpstreamClient,
    address: SocketAddr,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        Self { http: UpstreamClient::new(&UpstreamOptions::default()).unwrap(), address }
    }

    /// None: the exchange was broken off.
    async fn ask(&self, key: &str, stream: bool, text: &str) -> Option<Seen> {
        let body = json!({
            "model": "m", "stream": stream, "messages": [{"role": "user", "content": text}],
        });
        let request = Request::post(format!("http://{}/v1/chat/completions", self.address))
            .header("x-api-key", key)
            .body(full_body(body.to_string()))
            .unwrap();
        let response = self.http.send(request, Duration::from_secs(15)).await.ok()?;
        let (head, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            bytes.extend_from_slice(frame.ok()?.data_ref().map_or(&[][..], Bytes::as_ref));
        }
        let interaction = head.headers["x-quell-interaction"].to_str().unwrap().to_owned();
        let text = String::from_utf8(bytes).unwrap();
        Some(Seen { status: head.status, interaction, text })
    }
}

/// Clients that ask without a pause: every fifth request by the blocked user, every second one for
/// a stream.
struct Load {
    workers: JoinSet<()>,
    seen: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
    /// Set when requests may be broken off; those who meet it then stop.
    ending: Arc<AtomicBool>,
}

impl Load {
    fn start(workers: usize, address: SocketAddr) -> Self {
        let (counter, count) = watch::channel(0);
        let counter = Arc::new(counter);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let ending = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            let client = Client::new(address);
            let (counter, seen, ending) =
                (Arc::clone(&counter), Arc::clone(&seen), Arc::clone(&ending));
            tasks.spawn(async move {
                for turn in worker.. {
                    let blocked = turn % 5 == 0;
                    let key = if blocked { "qk_ada" } else { "qk_shop" };
                    let Some(answer) = client.ask(key, turn % 2 == 0, "Hi!").await else {
                        assert!(ending.load(Ordering::SeqCst), "a request failed under load");
                        return;
                    };
                    check(&answer, blocked, turn % 2 == 0);
                    seen.lock().push(answer.interaction);
                    counter.send_modify(|count| *count += 1);
                    if ending.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
        }
        Self { workers: tasks, seen, count, ending }
    }

    async fn reach(&mut self, more: usize) {
        let goal = *self.count.borrow() + more;
        let reached = self.count.wait_for(|count| *count >= goal);
        tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap().unwrap();
    }

    /// Every exchange whose last byte arrived.
    async fn end(self) -> Vec<String> {
        self.workers.join_all().await;
        self.seen.lock().clone()
    }
}

fn check(answer: &Seen, blocked: bool, stream: bool) {
    if blocked {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        return;
    }
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let whole = if stream { "data: [DONE]\n\n" } else { "}" };
    assert!(answer.text.ends_with(whole), "{}", answer.text);
}

fn assert_recorded(world: &World, seen: &[String]) {
    let recorded: std::collections::HashSet<_> = world.recorded().into_iter().collect();
    let missing: Vec<_> = seen.iter().filter(|id| !recorded.contains(*id)).collect();
    assert!(missing.is_empty(), "{} of {} are not in the log", missing.len(), seen.len());
}

#[tokio::test]
async fn kill_9_under_load_loses_no_delivered_exchange_and_no_block() {
    let mut world = World::new(|_| {}).await;
    let url = world.control.stand_in.url();
    let process = Process::start(world.data.path(), &url).await;
    world.control.stand_in.wait_for_epoch(1).await;
    let mut load = Load::start(12, process.address);
    load.reach(300).await;
    load.ending.store(true, Ordering::SeqCst);
    process.kill().await;
    let seen = load.end().await;
    assert!(seen.len() >= 300);
    assert_recorded(&world, &seen);

    world.control.stop().await;
    let process = Process::start(world.data.path(), &url).await;
    let client = Client::new(process.address);
    let first = client.ask("qk_ada", false, "Hi!").await.unwrap();
    check(&first, true, false);
    let second = client.ask("qk_shop", true, "Hi!").await.unwrap();
    check(&second, false, true);
    assert_recorded(&world, &[&seen[..], &[first.interaction, second.interaction]].concat());
}

#[tokio::test]
async fn control_gone_under_load_fails_no_request_and_stops_no_record() {
    let mut world = World::new(|_| {}).await;
    let url = world.control.stand_in.url();
    let gateway = start_gateway(world.data.path(), &url, &world.clock, &world.ids).await;
    world.control.stand_in.wait_for_epoch(1).await;
    let mut load = Load::start(8, gateway.address());
    load.reach(100).await;
    world.control.stop().await;
    load.reach(200).await;
    load.ending.store(true, Ordering::SeqCst);
    let seen = load.end().await;
    assert_recorded(&world, &seen);
    assert_eq!(world.recorded().len(), seen.len());
}

#[tokio::test]
async fn a_full_disk_stops_those_who_require_the_record_and_nobody_else() {
    let world = World::new(|content| {
        content.applications.push(Application {
            name: "careless".into(),
            record: RecordPolicy::BestEffort,
            ..content.applications[0].clone()
        });
        content.keys.push(KeyBinding {
            sha256: sha256_hex(b"qk_careless"),
            application: "careless".into(),
            ..content.keys[0].clone()
        });
    })
    .await;
    let url = world.control.stand_in.url();
    let process = Process::start_with_small_disk(world.data.path(), &url, 512).await;
    world.control.stand_in.wait_for_epoch(1).await;
    let client = Client::new(process.address);
    let text = "The weather is fine today. ".repeat(600);
    let mut recorded = Vec::new();
    let full = loop {
        let answer = client.ask("qk_shop", false, &text).await.unwrap();
        if answer.status != StatusCode::OK {
            break answer;
        }
        recorded.push(answer.interaction);
        assert!(recorded.len() < 100, "the disk never fills");
    };
    assert!(recorded.len() > 3, "some fit");
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(full.text.contains("could not be recorded"), "{}", full.text);
    let stream = client.ask("qk_shop", true, &text).await.unwrap();
    assert!(stream.text.contains("could not be recorded"), "{}", stream.text);
    assert!(!stream.text.contains("[DONE]"), "{}", stream.text);
    for stream in [false, true] {
        let served = client.ask("qk_careless", stream, &text).await.unwrap();
        check(&served, false, stream);
    }
    process.kill().await;
    assert_eq!(world.recorded(), recorded, "what was acknowledged, and nothing else");
    let records = read_log(world.data.path(), "gw-test");
    assert!(records.iter().all(|record| record.outcome == Outcome::Allowed));
}
