"""The deterministic answers of level 3 read like any other answer."""

import openai

import common
from common import HI, raises, strict

oa, an = common.openai_client("qk_fallback"), common.anthropic_client("qk_fallback")
TEXT = "Refunds take five days."
ASK = [{"role": "user", "content": "Where is my refund?"}]

whole = strict(oa.chat.completions.create(model="m", messages=ASK))
assert whole.choices[0].message.content == TEXT and whole.choices[0].finish_reason == "stop"
stream = oa.chat.completions.create(model="m", messages=ASK, stream=True, stream_options={"include_usage": True})
chunks = [strict(chunk) for chunk in stream]
assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
assert chunks[-1].usage is not None
with oa.chat.completions.stream(model="m", messages=ASK) as helper:
    for _ in helper:
        pass
    assert helper.get_final_completion().choices[0].message.content == TEXT

assert strict(oa.completions.create(model="m", prompt="my refund")).choices[0].text == TEXT
pieces = oa.completions.create(model="m", prompt="my refund", stream=True)
assert "".join(strict(chunk).choices[0].text for chunk in pieces) == TEXT

# Not checked strictly: which token counts a response must have changes between versions of the SDK.
answer = oa.responses.create(model="m", input="my refund")
assert answer.output_text == TEXT and answer.status == "completed" and answer.usage.total_tokens == 0
events = list(oa.responses.create(model="m", input="my refund", stream=True))
assert events[0].type == "response.created" and events[-1].type == "response.completed"
assert [event.sequence_number for event in events] == list(range(len(events)))
with oa.responses.stream(model="m", input="my refund") as helper:
    for _ in helper:
        pass
    assert helper.get_final_response().output_text == TEXT

ask = {"model": "m", "max_tokens": 99, "messages": ASK}
message = strict(an.messages.create(**ask))
assert message.content[0].text == TEXT and message.stop_reason == "end_turn"
kinds = [strict(event).type for event in an.messages.create(**ask, stream=True)]
assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
with an.messages.stream(**ask) as helper:
    assert "".join(helper.text_stream) == TEXT

# There is no canned embedding, and no canned list of models.
raises(openai.InternalServerError, lambda: oa.embeddings.create(model="m", input="Hi!"), "Reference: int_")
print("sent", common.sent, flush=True)
