//! `quell serve` when parts of it go away, and what nobody can do through it.

use std::collections::{BTreeSet, HashMap};
use std::process::{Command, Stdio};
use std::sync::Arc;

use http::Method;
use quell_testkit::postgres::TemporaryPostgres;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::world::{
    APPLICATION, JAILBREAK, Load, Question, SLOW, Worker, World, bounded, restrict, signal, text,
    until,
};

const RULE: &str = "jailbreak_persona";

/// Honest clients, a blocked one, and one whose every request raises a signal; the last is last.
async fn crowd(world: &World) -> Vec<Worker> {
    let (alice, mallory) = (world.key(Some("alice")).await, world.key(Some("mallory")).await);
    world.block("mallory").await;
    let worker = |question, status| Worker { client: world.client(), question, status };
    vec![
        worker(Question::new(&alice, "Hi!"), 200),
        worker(Question::new(&alice, "Hi!").stream(), 200),
        worker(Question::new(&mallory, "Hi!"), 403),
        worker(Question::new(&world.key(Some("eve")).await, JAILBREAK), 403),
    ]
}

/// The honest and the blocked once more, over connections they keep.
fn crowd_that_keeps_connections(world: &World, crowd: &[Worker]) -> Vec<Worker> {
    let again = |worker: &Worker| Worker {
        client: world.client_like_sdks(),
        question: worker.question.clone(),
        status: worker.status,
    };
    crowd.iter().filter(|worker| worker.question.text != JAILBREAK).map(again).collect()
}

/// Control's state after the load: everything recorded, every signal there, and there once.
async fn assert_signals_once(world: &World, seen: Vec<Vec<String>>) {
    world.assert_recorded(&seen.concat());
    world.assert_logs_intact();
    world.wait_until_read().await;
    let attacks = seen.last().unwrap();
    let mut times: HashMap<String, u32> = HashMap::new();
    let mut incidents = BTreeSet::new();
    for signal in world.all(&format!("/signals?rule={RULE}")).await {
        *times.entry(text(&signal, "/interaction")).or_default() += 1;
        incidents.insert(text(&signal, "/incident"));
    }
    assert_eq!(times.len(), attacks.len());
    assert!(attacks.iter().all(|id| times.get(id) == Some(&1)), "{times:?}");
    let mut under_incidents = Vec::new();
    for id in incidents {
        let signals = world.all(&format!("/signals?incident={id}")).await;
        let incident = world.get(&format!("/incidents/{id}")).await;
        assert_eq!(incident["incident"]["signal_count"], signals.len(), "{incident}");
        let of_rule = signals.iter().filter(|signal| signal["signal"]["rule"] == RULE);
        under_incidents.extend(of_rule.map(|signal| text(signal, "/interaction")));
    }
    under_incidents.sort_unstable();
    let mut attacks = attacks.clone();
    attacks.sort_unstable();
    assert_eq!(under_incidents, attacks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_killed_under_load_fails_no_request_and_doubles_no_signal() {
    bounded(async {
        let (world, serve) = World::running("", &json!({})).await;
        let mut load = Load::start(crowd(&world).await);
        load.reach(40).await;
        for _ in 0..3 {
            let control = serve.child("control");
            // First it answers nobody, then it is gone.
            signal(control, Signal::STOP);
            load.reach(40).await;
            signal(control, Signal::KILL);
            load.reach(40).await;
            let again = async || {
                let now = serve.children("control");
                !now.is_empty() && !now.contains(&control)
            };
            until("the supervisor starts control again", again).await;
        }
        world.wait_for_control().await;
        load.reach(40).await;
        assert_signals_once(&world, load.end().await).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_gone_under_load_fails_no_request_and_doubles_no_signal() {
    let Some(database) = TemporaryPostgres::start() else { return };
    bounded(async {
        let url = database.url();
        let (world, _serve) = World::running(&url, &json!({})).await;
        let mut load = Load::start(crowd(&world).await);
        load.reach(40).await;
        let (server, name) = url.rsplit_once('/').unwrap();
        let allow = |allowed: bool| {
            let alter = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
            sql(&format!("{server}/postgres"), &alter);
        };
        allow(false);
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
        sql(&format!("{server}/postgres"), &format!("{end}'{name}'"));
        let refused = async || {
            let answer = world.call(Method::GET, "/applications", None).await;
            answer.is_none_or(|(status, _)| status == 503)
        };
        until("control misses its database", refused).await;
        load.reach(80).await;
        allow(true);
        world.wait_for_control().await;
        load.reach(40).await;
        assert_signals_once(&world, load.end().await).await;
    })
    .await;
}

fn sql(url: &str, statement: &str) {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-w", "-d", url, "-c", statement]).stdout(Stdio::null());
    assert!(psql.status().unwrap().success(), "{statement}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_replaced_under_load_finishes_its_streams_and_refuses_nobody() {
    bounded(async {
        let (world, serve) = World::running("", &json!({})).await;
        let mut workers = crowd(&world).await;
        let slow = Question { text: SLOW, ..workers[1].question.clone() };
        let keeping = crowd_that_keeps_connections(&world, &workers);
        for worker in &mut workers {
            worker.client = world.client_without_pool();
        }
        workers.splice(0..0, keeping);
        let mut load = Load::start(workers);
        load.reach(40).await;
        let old = serve.child("gateway");
        let client = world.client();
        let running = tokio::spawn(async move { client.ask(&slow).await });
        load.reach(20).await;
        signal(serve.pid(), Signal::HUP);
        until("a successor starts", async || serve.children("gateway").len() == 2).await;
        load.reach(40).await;
        let stream = running.await.unwrap().expect("the running stream is not broken off");
        assert!(stream.text.ends_with("data: [DONE]\n\n"), "{}", stream.text);
        let gone = async || !serve.children("gateway").contains(&old);
        until("the predecessor ends", gone).await;
        let before = world.logs();
        load.reach(40).await;
        let mut seen = load.end().await;
        seen[0].push(stream.interaction);

        let after: HashMap<_, _> = world.logs().into_iter().collect();
        assert_eq!(after.len(), 2, "each gateway wrote a log of its own");
        for (name, log) in before {
            let grown = after[&name].len() - log.len();
            assert_eq!(grown > 0, name == "gw-1.2", "{name} has {grown} more");
        }
        assert_signals_once(&world, seen).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn level_four_without_approval_is_refused() {
    bounded(async {
        let (world, _serve) = World::running("", &json!({})).await;
        let key = world.key(None).await;
        let mut wanted = restrict("anybody", None);
        wanted["target"] = json!({"type": "application"});
        wanted["effect"] = json!({"type": "shutdown"});
        let (status, problem) = world.call(Method::POST, "/measures", Some(&wanted)).await.unwrap();
        assert_eq!((status, &problem["code"]), (409, &json!("measure.approval_required")));

        wanted["propose"] = json!(true);
        let proposed = world.post("/measures", &wanted).await;
        let apply = format!("/measures/{}/apply", text(&proposed, "/measure/id"));
        let (status, problem) = world.call(Method::POST, &apply, None).await.unwrap();
        assert_eq!((status, &problem["code"]), (409, &json!("measure.approval_required")));
        let served = world.client().ask(&Question::new(&key, "Hi!")).await.unwrap();
        assert_eq!(served.status, 200, "{}", served.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_user_header_blocks_the_forger_and_not_the_user() {
    bounded(async {
        let rule = json!({
            "kinds": ["jailbreak"], "min_severity": "medium", "action": "apply", "level": 1,
            "target": "principal", "minutes": 60,
        });
        let (world, _serve) = World::running("", &json!({"rules": [rule]})).await;
        let (shared, bound) = (world.key(None).await, world.key(Some("victim")).await);
        let client = world.client();
        let forged = Question {
            user: Some("victim"),
            session: Some("forgers-session"),
            ..Question::new(&shared, JAILBREAK)
        };
        assert_eq!(client.ask(&forged).await.unwrap().status, 403);
        let measure = the_measure(&world).await;
        assert!(text(&measure, "/actor").starts_with("policy:"), "{measure}");
        let target = text(&measure, "/target/type");
        assert!(["api_key", "session"].contains(&target.as_str()), "{measure}");

        let harmless = Question { text: "Hi!", ..forged };
        assert_eq!(client.ask(&harmless).await.unwrap().status, 403, "the forger stays out");
        let own = Question { session: Some("own-session"), ..Question::new(&bound, "Hi!") };
        let served = client.ask(&own).await.unwrap();
        assert_eq!(served.status, 200, "the real user passes: {}", served.text);
    })
    .await;
}

/// The only measure there is, once it is verified.
async fn the_measure(world: &Arc<World>) -> Value {
    let path = format!("/measures?application={APPLICATION}");
    let mut measures = Vec::new();
    until("the policy's measure is verified", async || {
        measures = world.all(&path).await;
        measures.iter().any(|measure| measure["state"] == "verified")
    })
    .await;
    assert_eq!(measures.len(), 1, "{measures:?}");
    measures.remove(0)
}
