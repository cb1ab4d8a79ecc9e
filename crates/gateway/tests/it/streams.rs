//! Streams that are cut or mended while they pass.

use quell_domain::interaction::Outcome;
use quell_domain::measure::{Effect, Target, TextPattern};
use quell_testkit::Reply;

use crate::support::{Rig, ask_stream, chat_stream, streamed};

fn pattern(text: &str) -> Target {
    Target::Pattern {
        pattern: TextPattern {
            text: text.into(),
            regex: false,
            directions: Vec::new(),
            sample: None,
        },
    }
}

#[tokio::test]
async fn a_contained_text_is_cut_before_its_first_character_leaves() {
    let rig = Rig::start().await;
    rig.enforce(vec![rig.measure(pattern("project nightingale"), Effect::Restrict)]).await;
    let deltas = ["We call it ", "Project", " Nightin", "gale and", " more"];
    rig.upstream.push(Reply::sse(chat_stream(&deltas)));
    let answer = rig.chat(&ask_stream("What is it called?")).await;
    let text = answer.text();
    assert_eq!(streamed(&text), "We call it ");
    assert!(text.contains("\"error\"") && !text.contains("[DONE]"), "{text}");
    assert!(text.contains("help desk"), "the refusal says whom to contact");
    let record = &rig.records(1).await[0];
    let cut = record.cut.as_ref().unwrap();
    assert_eq!(record.outcome, Outcome::Blocked);
    assert!(cut.by.starts_with("measure:"));
    assert_eq!((cut.delivered_chars, cut.leaked_chars), (11, 0));
}

#[tokio::test]
async fn a_planted_key_is_stopped_however_it_is_split() {
    let key = format!("sk-proj-{}", "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z".repeat(2));
    for size in [1, 3, 7, 200] {
        let rig = Rig::start().await;
        let text = format!("Use this: {key} and be careful.");
        let deltas: Vec<String> = text
            .as_bytes()
            .chunks(size)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect();
        let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
        rig.upstream.push(Reply::sse(chat_stream(&deltas)));
        let answer = rig.chat(&ask_stream("Which key?")).await;
        let got = streamed(&answer.text());
        assert!(!got.contains("sk-proj"), "split by {size}: {got}");
        let record = &rig.records(1).await[0];
        assert!(!record.signals.is_empty(), "split by {size}");
        assert_eq!(record.cut.as_ref().map_or(0, |cut| cut.leaked_chars), 0);
    }
}

#[tokio::test]
async fn a_running_stream_is_cut_when_its_user_is_contained() {
    let rig = Rig::start().await;
    let mut reply = Reply::sse(Vec::<String>::new());
    for chunk in chat_stream(&["one ", "two "]).into_iter().take(3) {
        reply = reply.chunk(chunk);
    }
    rig.upstream.push(reply.then_hang());
    let body = ask_stream("Count!").to_string();
    let headers = [("x-api-key", "qk_ada")];
    let (answer, _) = tokio::join!(rig.post("/v1/chat/completions", &headers, body), async {
        while rig.upstream.received().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let user = Target::User { user: "ada".into() };
        rig.enforce(vec![rig.measure(user, Effect::Restrict)]).await
    });
    let text = answer.text();
    assert_eq!(streamed(&text), "one two ");
    assert!(text.contains("\"error\"") && !text.contains("[DONE]"), "{text}");
    let record = &rig.records(1).await[0];
    assert!(record.cut.as_ref().unwrap().by.starts_with("measure:"));
}

#[tokio::test]
async fn a_stream_the_provider_breaks_ends_with_an_error_and_is_recorded() {
    let rig = Rig::start().await;
    let whole = chat_stream(&["Hello"]);
    let broken = [
        Reply::sse(whole[..2].to_vec()),
        Reply::sse(vec![whole[0].clone(), "data: {not json\n\n".to_owned()]),
        Reply::sse(vec![whole[1].clone()]).then_close(),
    ];
    let count = broken.len();
    for reply in broken {
        rig.upstream.push(reply);
        let text = rig.chat(&ask_stream("Hi!")).await.text();
        assert!(text.contains("\"error\"") && !text.contains("[DONE]"), "{text}");
    }
    let records = rig.records(count).await;
    assert!(
        records.iter().all(|record| record.cut.as_ref().is_some_and(|cut| cut.by == "upstream"))
    );
}
