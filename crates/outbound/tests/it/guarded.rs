//! URLs nobody vouches for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use quell_outbound::{
    GuardOptions, GuardedClient, GuardedResponse, OutboundError, Refused, Resolve, Resolving,
    SIGNATURE_HEADER, verify,
};
use quell_testkit::{Reply, ScriptedUpstream};
use serde_json::json;

/// Gives one list of addresses after the other, as a name server that rebinds does.
#[derive(Debug)]
struct Rebinding {
    answers: Vec<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Rebinding {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Resolve for Rebinding {
    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolving<'a> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers[turn.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

fn options(allow: &[&str]) -> GuardOptions {
    GuardOptions {
        allow: allow.iter().map(ToString::to_string).collect(),
        connect_timeout: Duration::from_millis(300),
        total_timeout: Duration::from_millis(600),
        response_bytes: 1_000,
    }
}

async fn get(client: &GuardedClient, url: &str) -> Result<GuardedResponse, OutboundError> {
    client.send(Method::GET, url, HeaderMap::new(), "").await
}

#[tokio::test]
async fn addresses_inside_are_refused_however_they_are_written() {
    let upstream = ScriptedUpstream::start().await;
    let port = upstream.address().port();
    let client = GuardedClient::new(options(&[]));
    for host in ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "[::1]"] {
        let error = get(&client, &format!("http://{host}:{port}/")).await.unwrap_err();
        let refused = matches!(error, OutboundError::Refused(Refused::Address { .. }));
        assert!(refused, "{host}: {error:?}");
        assert!(error.nothing_was_sent());
    }
    let error = get(&client, "http://169.254.169.254/latest/meta-data").await.unwrap_err();
    assert!(error.to_string().contains("allow list"), "{error}");
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn one_bad_address_among_good_ones_is_enough() {
    let resolver = Rebinding::new(&[&["8.8.8.8:80", "10.0.0.1:80"]]);
    let client = GuardedClient::with_resolver(options(&[]), resolver);
    let error = get(&client, "http://rebind.example/").await.unwrap_err();
    let ip: IpAddr = "10.0.0.1".parse().unwrap();
    assert!(
        matches!(&error, OutboundError::Refused(Refused::Address { address, .. }) if *address == ip),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_that_answer_is_used() {
    let (checked, other) = (ScriptedUpstream::start().await, ScriptedUpstream::start().await);
    checked.push(Reply::status(204));
    let answers = [checked.address().to_string(), other.address().to_string()];
    let resolver = Rebinding::new(&[&[&answers[0]], &[&answers[1]]]);
    let asked = Arc::clone(&resolver);
    let client = GuardedClient::with_resolver(options(&["rebind.example"]), resolver);
    assert_eq!(get(&client, "http://rebind.example/").await.unwrap().status, 204);
    assert_eq!(asked.asked.load(Ordering::Relaxed), 1);
    assert_eq!((checked.received().len(), other.received().len()), (1, 0));
}

#[tokio::test]
async fn the_operator_may_allow_a_host_or_one_port_of_it() {
    let upstream = ScriptedUpstream::start().await;
    upstream.otherwise(|_| Reply::json(&json!({"ok": true})));
    let local = upstream.address().to_string();
    let port = upstream.address().port();
    for (allow, passes) in [
        ("hook.internal".to_owned(), true),
        (format!("HOOK.internal.:{port}"), false),
        (format!("Hook.Internal:{port}"), true),
        ("hook.internal:1".to_owned(), false),
        ("internal".to_owned(), false),
    ] {
        let client = GuardedClient::with_resolver(options(&[&allow]), Rebinding::new(&[&[&local]]));
        let result = get(&client, &format!("http://hook.internal:{port}/x?y")).await;
        assert_eq!(result.is_ok(), passes, "{allow}");
    }
    let received = upstream.received();
    assert_eq!(received[0].headers["host"], format!("hook.internal:{port}"));
    assert_eq!(received[0].uri, "/x?y");
}

#[tokio::test]
async fn signed_posts_can_be_verified_by_the_receiver() {
    let upstream = ScriptedUpstream::start().await;
    upstream.push(Reply::json(&json!({})));
    let client = GuardedClient::new(options(&["127.0.0.1"]));
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let url = format!("{}/hook", upstream.base_url());
    client.post_signed(&url, b"secret", "{\"ticket\":1}", at).await.unwrap();
    let received = &upstream.received()[0];
    let header = received.headers[SIGNATURE_HEADER].to_str().unwrap();
    assert_eq!(verify(b"secret", header, &received.body, at, Duration::from_secs(1)), Ok(()));
    assert_eq!(received.headers["content-type"], "application/json");
}

#[tokio::test]
async fn redirects_are_answers_and_large_or_slow_ones_are_errors() {
    let upstream = ScriptedUpstream::start().await;
    let client = GuardedClient::new(options(&["127.0.0.1"]));
    upstream.push(Reply::status(302).header("location", "http://169.254.169.254/"));
    assert_eq!(get(&client, &upstream.base_url()).await.unwrap().status, 302);

    upstream.push(Reply::status(200).chunk(vec![b'x'; 1_001]));
    let error = get(&client, &upstream.base_url()).await.unwrap_err();
    assert!(matches!(error, OutboundError::BodyTooLarge { limit: 1_000 }), "{error:?}");

    for reply in [Reply::hang(), Reply::status(200).chunk("x").then_hang()] {
        upstream.push(reply);
        let error = get(&client, &upstream.base_url()).await.unwrap_err();
        assert!(matches!(error, OutboundError::TotalTimeout { .. }), "{error:?}");
    }
    let tls = upstream.base_url().replace("http:", "https:");
    let error = get(&client, &tls).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");
    assert_eq!(upstream.received().len(), 4);
}
