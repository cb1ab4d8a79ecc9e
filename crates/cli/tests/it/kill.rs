//! SIGKILL under load: what was delivered or acknowledged is there, and who was blocked is blocked.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::world::{
    APPLICATION, Load, Question, Worker, World, bounded, is_running, restrict, signal, text, until,
};

/// What the API has said yes to.
#[derive(Default)]
struct Acknowledged {
    incidents: Vec<Value>,
    measures: Vec<Value>,
    notes: Vec<Value>,
}

/// Declares, contains and notes until control is gone.
async fn operate(world: Arc<World>, rounds: Arc<AtomicUsize>) -> Acknowledged {
    let mut done = Acknowledged::default();
    for round in 0.. {
        let declaration = json!({
            "application": APPLICATION, "kind": "jailbreak", "severity": "medium",
            "title": format!("Odd answers {round}"),
        });
        let Some(incident) = world.try_post("/incidents", &declaration).await else { break };
        let id = text(&incident, "/incident/id");
        done.incidents.push(incident);
        let measure = restrict(&format!("intruder-{round}"), Some(&id));
        let Some(measure) = world.try_post("/measures", &measure).await else { break };
        done.measures.push(measure);
        let note = json!({"text": format!("Called the owner, try {round}")});
        let path = format!("/incidents/{id}/notes");
        let Some(note) = world.try_post(&path, &note).await else { break };
        done.notes.push(note);
        rounds.fetch_add(1, Ordering::SeqCst);
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_all_processes_under_load_loses_nothing_that_was_promised() {
    bounded(async {
        let (world, serve) = World::running("", &json!({})).await;
        let [shared, alice, mallory] = [
            world.key(None).await,
            world.key(Some("alice")).await,
            world.key(Some("mallory")).await,
        ];
        world.block("mallory").await;

        let worker = |question, status| Worker { client: world.client(), question, status };
        let carol = Question { user: Some("carol"), ..Question::new(&shared, "Hi!") };
        let mut load = Load::start(vec![
            worker(Question::new(&alice, "Hi!"), 200),
            worker(Question::new(&alice, "Hi!").stream(), 200),
            worker(carol.clone(), 200),
            worker(carol.stream(), 200),
            worker(Question::new(&mallory, "Hi!"), 403),
            worker(Question::new(&mallory, "Hi!").stream(), 403),
        ]);
        let rounds = Arc::new(AtomicUsize::new(0));
        let operating = tokio::spawn(operate(Arc::clone(&world), Arc::clone(&rounds)));
        load.reach(300).await;
        until("people work", async || rounds.load(Ordering::SeqCst) >= 5).await;
        assert_eq!((serve.children("gateway").len(), serve.children("control").len()), (1, 1));
        load.may_break();
        serve.kill();
        let mut seen = load.end().await.concat();
        let promised = operating.await.unwrap();
        world.assert_recorded(&seen);

        // The gateway alone: nobody can tell it whom to refuse.
        let _gateway = world.serve("gateway");
        let client = world.client_without_pool();
        let refused = Question::new(&mallory, "Hi!");
        let mut first = None;
        until("the gateway answers", async || {
            first = client.ask(&refused).await;
            first.is_some()
        })
        .await;
        let first = first.unwrap();
        assert_eq!(first.status, 403, "{}", first.text);
        let served = client.ask(&Question::new(&alice, "Hi!").stream()).await.unwrap();
        assert_eq!(served.status, 200, "{}", served.text);
        seen.extend([first.interaction, served.interaction]);
        world.assert_recorded(&seen);
        world.assert_logs_intact();

        let _control = world.serve("control");
        world.wait_for_control().await;
        assert_kept(&world, &promised).await;
        world.wait_until_read().await;
        let last = seen.last().unwrap();
        assert_eq!(text(&world.get(&format!("/interactions/{last}")).await, "/id"), *last);
        // A measure acknowledged a moment before the end is still carried out.
        let intruder = text(promised.measures.last().unwrap(), "/measure/target/user");
        let intruder = Question { user: Some(intruder.leak()), ..Question::new(&shared, "Hi!") };
        let refused = async || client.ask(&intruder).await.is_some_and(|seen| seen.status == 403);
        until("the last measure is enforced", refused).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_the_supervisor_alone_leaves_no_process_behind() {
    bounded(async {
        let (world, serve) = World::running("", &json!({})).await;
        let (key, mallory) = (world.key(None).await, world.key(Some("mallory")).await);
        world.block("mallory").await;
        let orphans = [serve.child("gateway"), serve.child("control")];
        signal(serve.pid(), Signal::KILL);
        until("the others follow", async || !orphans.iter().any(|pid| is_running(*pid))).await;

        let _serve = world.serve("all");
        let client = world.client_without_pool();
        let answer = async |key: &str| {
            let mut answer = None;
            until("the gateway answers", async || {
                answer = client.ask(&Question::new(key, "Hi!")).await;
                answer.is_some()
            })
            .await;
            answer.unwrap()
        };
        assert_eq!(answer(&mallory).await.status, 403);
        assert_eq!(answer(&key).await.status, 200);
        world.wait_for_control().await;
        world.wait_until_read().await;
        world.assert_logs_intact();
    })
    .await;
}

async fn assert_kept(world: &World, promised: &Acknowledged) {
    let mut events = HashSet::new();
    for incident in &promised.incidents {
        let id = text(incident, "/incident/id");
        let kept = world.get(&format!("/incidents/{id}")).await;
        assert_eq!(kept["incident"]["title"], incident["incident"]["title"]);
        let timeline = world.get(&format!("/incidents/{id}/timeline")).await;
        let timeline = timeline.as_array().unwrap();
        events.extend(timeline.iter().map(|event| event["global_sequence"].as_i64().unwrap()));
    }
    for measure in &promised.measures {
        let id = text(measure, "/measure/id");
        let kept = world.get(&format!("/measures/{id}")).await;
        assert_eq!(kept["measure"]["target"], measure["measure"]["target"]);
    }
    let Acknowledged { incidents, measures, notes } = promised;
    for receipt in incidents.iter().chain(measures).chain(notes) {
        let sequence = receipt["sequence"].as_i64().expect("a receipt names its event");
        assert!(events.contains(&sequence), "event {sequence} is gone: {receipt}");
    }
}
