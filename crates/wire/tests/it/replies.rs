//! What Quell answers by itself reads as what a provider would have answered.

use quell_domain::interaction::Endpoint;
use quell_wire::{
    Refusal, RefusalReason, SseParser, StreamReader, WireReply, error_frame, fallback_reply,
    parse_response, refuse,
};
use serde_json::{Value, json};

const CONVERSATIONS: [Endpoint; 4] =
    [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Responses, Endpoint::Messages];

fn reply(endpoint: Endpoint, stream: bool) -> WireReply {
    fallback_reply(endpoint, stream, "Not \"now\".\nSorry.", "gpt", "q1", 1_700_000_000, true)
}

fn header<'a>(reply: &'a WireReply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_fallback_says_the_same_whole_and_streamed() {
    for endpoint in CONVERSATIONS {
        let whole = reply(endpoint, false);
        assert_eq!((whole.status, header(&whole, "content-type")), (200, Some("application/json")));
        let (_, parsed) = parse_response(endpoint, &whole.body).unwrap();
        assert_eq!(parsed.fields.len(), 1, "{endpoint:?}");
        assert_eq!(parsed.fields[0].text, "Not \"now\".\nSorry.");
        assert_eq!(parsed.finish_reasons.len(), 1);
        assert_eq!(parsed.usage.output_tokens, Some(0));

        let streamed = reply(endpoint, true);
        assert!(header(&streamed, "content-type").unwrap().starts_with("text/event-stream"));
        let mut parser = SseParser::default();
        parser.push(&streamed.body);
        let mut reader = StreamReader::new(endpoint);
        while let Some(frame) = parser.next_frame().unwrap() {
            assert!(!reader.is_done(), "nothing follows the end");
            reader.read(&frame).unwrap();
        }
        assert_eq!(parser.finish(), Ok(None));
        assert!(reader.is_done(), "{endpoint:?}");
        assert_eq!(reader.summary(), parsed, "{endpoint:?}");
    }
}

#[test]
fn surfaces_without_a_conversation_refuse_in_fallback() {
    for endpoint in [Endpoint::Embeddings, Endpoint::Models, Endpoint::Forwarded] {
        assert_eq!(reply(endpoint, false).status, 503);
    }
}

#[test]
fn refusals_have_the_shape_of_their_endpoint() {
    let refusal = Refusal::new(RefusalReason::Blocked, "Refused (int_1). Contact ops.");
    let body = |endpoint| {
        let reply = refuse(endpoint, &refusal);
        assert_eq!((reply.status, header(&reply, "x-should-retry")), (403, Some("false")));
        serde_json::from_slice::<Value>(&reply.body).unwrap()
    };
    assert_eq!(
        body(Endpoint::ChatCompletions),
        json!({"error": {"message": "Refused (int_1). Contact ops.", "type": "permission_error",
            "param": null, "code": "blocked"}})
    );
    assert_eq!(
        body(Endpoint::Messages),
        json!({"type": "error", "request_id": null,
            "error": {"type": "permission_error", "message": "Refused (int_1). Contact ops."}})
    );
    assert_eq!(RefusalReason::Overloaded.status(Endpoint::Messages), 529);
    assert_eq!(RefusalReason::Overloaded.status(Endpoint::Responses), 503);
    for reason in RefusalReason::ALL {
        assert!((400..600).contains(&reason.status(Endpoint::ChatCompletions)), "{reason:?}");
    }
}

#[test]
fn error_frames_end_a_stream() {
    let refusal = Refusal::new(RefusalReason::Blocked, "Cut.");
    let text = |endpoint| String::from_utf8(error_frame(endpoint, &refusal).to_vec()).unwrap();
    assert_eq!(
        text(Endpoint::ChatCompletions),
        "data: {\"error\":{\"message\":\"Cut.\",\"type\":\"permission_error\",\"param\":null,\"code\":\"blocked\"}}\n\n"
    );
    assert_eq!(
        text(Endpoint::Messages),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"permission_error\",\"message\":\"Cut.\"},\"request_id\":null}\n\n"
    );
    assert_eq!(
        text(Endpoint::Responses),
        "event: error\ndata: {\"type\":\"error\",\"code\":\"blocked\",\"message\":\"Cut.\",\"param\":null,\"sequence_number\":0}\n\n"
    );
    for endpoint in CONVERSATIONS {
        let mut parser = SseParser::default();
        parser.push(&error_frame(endpoint, &refusal));
        let mut reader = StreamReader::new(endpoint);
        reader.read(&parser.next_frame().unwrap().unwrap()).unwrap();
        assert!(reader.is_done());
    }
}
