"""Reads every wire shape of the range with the official SDKs. Usage: check.py <base url>."""

import sys

import anthropic
import openai

BASE = sys.argv[1]
oa = openai.OpenAI(base_url=BASE + "/v1", api_key="any", max_retries=0)
an = anthropic.Anthropic(base_url=BASE, api_key="any", max_retries=0)
ASK = [{"role": "system", "content": "You sell bicycles."}, {"role": "user", "content": "How do I true a wheel?"}]
ORDER = "Where is order 48213?"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_order",
        "description": "Look up an order.",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    },
}


def strict(model):
    """Fails where the answer misses a field that the SDK's own type requires."""
    type(model).model_validate(model.to_dict(mode="json") if hasattr(model, "to_dict") else model.model_dump())
    return model


def chat():
    whole = strict(oa.chat.completions.create(model="range-1", messages=ASK))
    assert whole.choices[0].message.content and whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    two = strict(oa.chat.completions.create(model="range-1", messages=ASK, n=2))
    assert [c.index for c in two.choices] == [0, 1]
    short = oa.chat.completions.create(model="range-1", messages=ASK, max_tokens=5)
    assert short.choices[0].finish_reason == "length"
    text, usage, chunks = {}, None, 0
    stream = oa.chat.completions.create(
        model="range-1", messages=ASK, n=2, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        strict(chunk)
        chunks += 1
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text[choice.index] = text.get(choice.index, "") + (choice.delta.content or "")
    assert chunks > 20 and usage and set(text) == {0, 1} and all(text.values())
    with oa.chat.completions.stream(model="range-1", messages=ASK) as helper:
        for _ in helper:
            pass
        assert helper.get_final_completion().choices[0].message.content


def chat_tools():
    messages = [{"role": "user", "content": ORDER}]
    whole = strict(oa.chat.completions.create(model="range-1", messages=messages, tools=[TOOL]))
    call = whole.choices[0].message.tool_calls[0]
    assert call.function.name == "get_order" and "48213" in call.function.arguments
    messages += [whole.choices[0].message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "Packed."}]
    after = oa.chat.completions.create(model="range-1", messages=messages, tools=[TOOL])
    assert "Packed" in after.choices[0].message.content
    with oa.chat.completions.stream(model="range-1", messages=messages[:1], tools=[TOOL]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == call.function.arguments
    forced = {"type": "function", "function": {"name": "get_order"}}
    whole = oa.chat.completions.create(model="range-1", messages=ASK, tools=[TOOL], tool_choice=forced)
    assert whole.choices[0].finish_reason == "tool_calls"


def completions():
    whole = strict(oa.completions.create(model="range-1", prompt="Tell me about tides"))
    assert whole.choices[0].text
    assert "".join(c.choices[0].text for c in oa.completions.create(model="range-1", prompt="Tides?", stream=True))


def responses():
    whole = strict(oa.responses.create(model="range-1", input="How do tides work?", instructions="Be brief."))
    assert whole.output_text and whole.status == "completed" and whole.usage.total_tokens
    kinds, numbers = [], []
    for event in oa.responses.create(model="range-1", input="How do tides work?", stream=True):
        strict(event)
        kinds.append(event.type)
        numbers.append(event.sequence_number)
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    assert numbers == list(range(len(numbers)))
    with oa.responses.stream(model="range-1", input="How do tides work?") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text
    tool = {"type": "function", "name": "get_order", "parameters": TOOL["function"]["parameters"], "strict": False}
    called = strict(oa.responses.create(model="range-1", input=ORDER, tools=[tool]))
    assert called.output[0].type == "function_call" and "48213" in called.output[0].arguments
    kinds = [e.type for e in oa.responses.create(model="range-1", input=ORDER, tools=[tool], stream=True)]
    assert "response.function_call_arguments.done" in kinds, kinds
    items = [{"role": "user", "content": ORDER}, called.output[0].to_dict(),
             {"type": "function_call_output", "call_id": called.output[0].call_id, "output": "Packed."}]
    assert "Packed" in oa.responses.create(model="range-1", input=items, tools=[tool]).output_text


def embeddings_and_models():
    made = oa.embeddings.create(model="range-embedding-1", input=["one", "two"])
    assert len(made.data) == 2 and len(made.data[0].embedding) == 256
    floats = oa.embeddings.create(model="range-embedding-1", input="one", encoding_format="float", dimensions=8)
    assert len(floats.data[0].embedding) == 8
    assert "range-1" in [m.id for m in oa.models.list()]
    assert oa.models.retrieve("range-1").id == "range-1"


def messages():
    ask = {"model": "range-1", "max_tokens": 400, "system": "You sell bicycles.", "messages": ASK[1:]}
    whole = strict(an.messages.create(**ask))
    assert whole.content[0].text and whole.stop_reason == "end_turn" and whole.usage.output_tokens
    kinds = []
    for event in an.messages.create(**ask, stream=True):
        strict(event)
        kinds.append(event.type)
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds
    with an.messages.stream(**ask) as stream:
        text = "".join(stream.text_stream)
        assert text and stream.get_final_message().stop_reason == "end_turn"
    tool = {"name": "get_order", "input_schema": TOOL["function"]["parameters"]}
    asked = [{"role": "user", "content": ORDER}]
    with an.messages.stream(model="range-1", max_tokens=400, messages=asked, tools=[tool]) as stream:
        final = stream.get_final_message()
    use = final.content[0]
    assert final.stop_reason == "tool_use" and use.input == {"order_id": "48213"}
    asked += [{"role": "assistant", "content": [use.to_dict()]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "Packed."}]}]
    after = an.messages.create(model="range-1", max_tokens=400, messages=asked, tools=[tool])
    assert "Packed" in after.content[0].text


def raises(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def errors():
    def broken(fault, stream=False):
        made = oa.chat.completions.create(model="range-fault-" + fault, messages=ASK, stream=stream)
        return list(made) if stream else made

    def broken_message(fault):
        an.messages.create(model="range-fault-" + fault, max_tokens=5, messages=ASK[1:])

    raises(openai.RateLimitError, lambda: broken("rate-limited"))
    raises(openai.InternalServerError, lambda: broken("server-error"))
    raises(anthropic.RateLimitError, lambda: broken_message("rate-limited"))
    raises(anthropic.InternalServerError, lambda: broken_message("server-error"))
    raises(Exception, lambda: broken("disconnect", stream=True))
    raises(Exception, lambda: broken("broken-sse"))
    raises(openai.BadRequestError, lambda: oa.chat.completions.create(model="range-1", messages=[]))
    raises(openai.NotFoundError, lambda: oa.models.retrieve("nothing"))
    raises(anthropic.BadRequestError, lambda: an.messages.create(model="range-1", max_tokens=5, messages=[]))


for check in (chat, chat_tools, completions, responses, embeddings_and_models, messages, errors):
    check()
    print("ok", check.__name__)
