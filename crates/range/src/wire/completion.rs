//! `POST /v1/completions`.

use serde_json::{Value, json};

use super::{Answer, CREATED, Frame, chat, interleaved};

/// The answer in one piece.
pub(crate) fn whole(answer: &Answer<'_>) -> Value {
    let choices: Vec<_> = answer
        .replies
        .iter()
        .enumerate()
        .map(|(index, reply)| {
            json!({"text": reply.text(), "index": index, "logprobs": null,
                   "finish_reason": chat::finish(reply)})
        })
        .collect();
    let mut whole = envelope(answer);
    whole["choices"] = json!(choices);
    whole["usage"] = answer.openai_usage();
    whole
}

/// The answer as events.
pub(crate) fn events(answer: &Answer<'_>) -> Vec<Frame> {
    let chunk = |index: usize, text: &str, finish: Option<&str>| {
        let mut chunk = envelope(answer);
        chunk["choices"] =
            json!([{"text": text, "index": index, "logprobs": null, "finish_reason": finish}]);
        Frame::data(&chunk, finish.is_none())
    };
    let mut frames: Vec<_> =
        interleaved(&answer.replies).map(|(index, token)| chunk(index, token, None)).collect();
    for (index, reply) in answer.replies.iter().enumerate() {
        frames.push(chunk(index, "", Some(chat::finish(reply))));
    }
    frames.push(Frame::done());
    frames
}

fn envelope(answer: &Answer<'_>) -> Value {
    json!({
        "id": format!("cmpl-{}", answer.id), "object": "text_completion", "created": CREATED,
        "model": answer.ask.model, "system_fingerprint": "fp_range",
    })
}
