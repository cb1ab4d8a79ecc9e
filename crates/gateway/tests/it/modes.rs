//! What each stream mode guarantees, on every surface and in every place where text can stand, for
//! a match that only shows itself at its end: nothing of it is held back as a live prefix.

use std::time::Duration;

use http_body_util::BodyExt;
use quell_domain::application::Application;
use quell_domain::interaction::Outcome;
use quell_domain::rule::FailMode;
use quell_domain::snapshot::{ContentFile, SnapshotContent};
use quell_domain::streaming::{StreamMode, WindowUnit};
use quell_outbound::full_body;
use quell_testkit::Reply;

use crate::mediation::{PLANTED, Row, SURFACES, Sort, plain, shows};
use crate::planted_responses::streams;
use crate::support::{Rig, ask_stream, chat_stream, streamed};
use crate::wires::text_stream;

const PATTERN: &str = "pack: late
patterns:
  - id: late.heron
    fact: late.heron
    keywords: [heron]
    regex: 'violet heron 77'
    max_len: 40
    directions: [output]
";

const RULE: &str = "title: Late
id: 6dd5a4a8-6d39-4ee5-9f6e-0a5f9a1f5a11
name: late_heron
status: test
description: Seen only when it is complete.
author: Quell
date: 2026-11-20
logsource:
  category: gen_ai
detection:
  selection:
    quell.fact: late.heron
  condition: selection
level: high
quell:
  kind: data_exfiltration
  mode: enforce
  effect: EFFECT
  direction: output
  examples:
    positive:
      - 'a violet heron 77'
    negative:
      - 'a heron'
";

fn late(content: &mut SnapshotContent, effect: &str) {
    let file = |path: &str, text: String| ContentFile { path: path.into(), text };
    content.content = vec![
        file("patterns/late.yaml", PATTERN.into()),
        file("rules/late.yaml", RULE.replace("EFFECT", effect)),
    ];
}

fn set(content: &mut SnapshotContent, mode: StreamMode, window: WindowUnit, chars: u32) {
    let stream = &mut shop(content).stream;
    stream.mode = mode;
    stream.window = window;
    stream.window_chars = chars;
}

fn shop(content: &mut SnapshotContent) -> &mut Application {
    &mut content.applications[0]
}

async fn rig(mode: StreamMode, window: WindowUnit, chars: u32) -> Rig {
    Rig::with(|content| {
        late(content, "block");
        set(content, mode, window, chars);
    })
    .await
}

/// Every split of the planted text into pieces of one size, with text around it.
fn splits(path: &str) -> Vec<Row<Vec<String>>> {
    let text = format!("Well. Listen, it is {PLANTED} and nothing else. More to come here.");
    let sizes = [1, 2, 3, 5, 7, 11, 200];
    let split = |size| {
        let chars: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        crate::mediation::text("text, split", text_stream(path, &pieces))
    };
    sizes.into_iter().map(split).collect()
}

#[tokio::test]
async fn what_fits_a_window_or_a_buffer_never_leaks() {
    for (mode, window, chars) in [
        (StreamMode::Window, WindowUnit::Sentence, 64),
        (StreamMode::Window, WindowUnit::Characters, 16),
        (StreamMode::Buffered, WindowUnit::Sentence, 64),
    ] {
        let rig = rig(mode, window, chars).await;
        let mut count = 0;
        for path in SURFACES.into_iter().filter(|path| *path != "/v1/embeddings") {
            for row in streams(path).into_iter().chain(splits(path)) {
                if row.sort != Sort::Text {
                    continue;
                }
                rig.upstream.push(Reply::sse(row.planted));
                let body = plain(path, true).to_string();
                let answer = rig.post(path, &[("x-api-key", "qk_shop")], body).await;
                let place = format!("{mode} by {window}, {path}, {}", row.place);
                assert!(!shows(&answer.body), "{place}: {}", answer.text());
                count += 1;
                let record = rig.records(count).await.pop().unwrap();
                let cut = record.cut.unwrap_or_else(|| panic!("{place}: not cut"));
                assert_eq!(record.outcome, Outcome::Blocked, "{place}");
                assert_eq!((cut.leaked_chars, cut.by.as_str()), (0, "rule:late_heron"), "{place}");
                if mode == StreamMode::Buffered {
                    assert_eq!(cut.delivered_chars, 0, "{place}");
                }
            }
        }
        assert!(count > 60, "{count} cells");
    }
}

#[tokio::test]
async fn live_mode_promises_prefixes_only() {
    let rig = rig(StreamMode::Live, WindowUnit::Sentence, 64).await;
    rig.upstream.push(Reply::sse(chat_stream(&["It is ", "violet ", "heron", " 77", "."])));
    rig.chat(&ask_stream("?")).await;
    let cut = rig.records(1).await.pop().unwrap().cut.unwrap();
    assert!(cut.leaked_chars > 0, "and the record says so: {cut:?}");
}

#[tokio::test]
async fn what_is_redacted_is_redacted_in_every_mode() {
    for (mode, expected) in [
        (StreamMode::Window, "It is [redacted]. Bye."),
        (StreamMode::Buffered, "It is [redacted]. Bye."),
    ] {
        let rig = Rig::with(|content| {
            late(content, "redact");
            set(content, mode, WindowUnit::Sentence, 64);
        })
        .await;
        rig.upstream.push(Reply::sse(chat_stream(&["It is vio", "let heron 77", ". Bye."])));
        let answer = rig.chat(&ask_stream("?")).await;
        assert_eq!(streamed(&answer.text()), expected, "{mode}");
        assert!(answer.text().contains("[DONE]"), "{mode}");
        assert_eq!(rig.records(1).await[0].outcome, Outcome::Redacted, "{mode}");
    }
}

#[tokio::test]
async fn harmless_streams_pass_byte_for_byte_in_every_mode() {
    for mode in StreamMode::ALL {
        for window in WindowUnit::ALL {
            let rig = rig(mode, window, 20).await;
            for path in SURFACES.into_iter().filter(|path| *path != "/v1/embeddings") {
                let text = ["One is. ", "Two, and so on for a while", "! And\n", "四。", "done"];
                let sent = text_stream(path, &text);
                rig.upstream.push(Reply::sse(sent.clone()));
                let body = plain(path, true).to_string();
                let answer = rig.post(path, &[("x-api-key", "qk_shop")], body).await;
                assert_eq!(answer.text(), sent.concat(), "{mode} by {window} {path}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_over_the_buffer_is_cut_or_goes_on_live_as_the_application_fails() {
    let long: Vec<String> =
        (0..200).map(|n| format!("line {n} of a long harmless answer\n")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    for fail in [FailMode::Closed, FailMode::Open] {
        let rig = Rig::with(|content| {
            set(content, StreamMode::Buffered, WindowUnit::Sentence, 64);
            shop(content).stream.buffer_bytes = 4_096;
            shop(content).fail = fail;
        })
        .await;
        rig.upstream.push(Reply::sse(chat_stream(&long)));
        let text = rig.chat(&ask_stream("?")).await.text();
        let record = rig.records(1).await.pop().unwrap();
        let missing = &record.not_evaluated[0];
        assert_eq!(missing.reason, "buffer_bytes");
        match fail {
            FailMode::Closed => {
                assert_eq!((streamed(&text).as_str(), record.outcome), ("", Outcome::Blocked));
                assert_eq!(record.cut.unwrap().by, "fail_closed:buffer_bytes");
            }
            FailMode::Open => {
                assert_eq!((streamed(&text), record.outcome), (long.concat(), Outcome::Allowed));
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_is_kept_waiting_gets_comments() {
    for path in SURFACES.into_iter().filter(|path| *path != "/v1/embeddings") {
        let rig = Rig::with_options(
            |content| set(content, StreamMode::Buffered, WindowUnit::Sentence, 64),
            |options| options.keep_alive = Duration::from_millis(5),
        )
        .await;
        let begun = text_stream(path, &["so far, so good"]);
        let count = begun.iter().position(|chunk| chunk.contains("so far")).unwrap() + 1;
        rig.upstream.push(Reply::sse(begun[..count].to_vec()).then_hang());
        let request = http::Request::post(format!("http://{}{path}", rig.gateway.address()))
            .header("x-api-key", "qk_shop")
            .body(full_body(plain(path, true).to_string()))
            .unwrap();
        let response = rig.client.send(request, Duration::from_secs(20)).await.unwrap();
        let (mut body, mut comments) = (response.into_body(), 0);
        while comments < 2 {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            comments += usize::from(&frame[..] == b": the answer is being judged\n\n");
            let shown = String::from_utf8_lossy(&frame).into_owned();
            assert!(!shown.contains("so far"), "{path}: {shown}");
        }
    }
}

#[tokio::test]
async fn a_user_token_can_be_required() {
    let rig = Rig::with(|content| {
        shop(content).user_token = quell_domain::application::UserToken::Required;
    })
    .await;
    let body = crate::support::ask("hi").to_string();
    let path = "/v1/chat/completions";
    for claim in [("x-other", "-"), ("x-quell-user", "ada")] {
        let answer = rig.post(path, &[("x-api-key", "qk_shop"), claim], body.clone()).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    rig.upstream.push(Reply::json(&crate::support::completion("hello")));
    let answer = rig.post(path, &[("x-api-key", "qk_ada")], body).await;
    assert_eq!(answer.status, 200, "a key bound to a user says who it is");
    assert_eq!(rig.upstream.received().len(), 1);
}
