"""Ordinary work with both SDKs. Prints how many requests were made."""

import common
from common import strict

oa = common.openai_client("qk_shop")
an = common.anthropic_client("qk_shop")
ASK = [{"role": "system", "content": "You sell bicycles."}, {"role": "user", "content": "How do I true a wheel?"}]
ORDER = "Where is order 48213?"
SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}}}
CHAT_TOOL = {"type": "function", "function": {"name": "get_order", "description": "Look up an order.", "parameters": SCHEMA}}
RESPONSES_TOOL = {"type": "function", "name": "get_order", "parameters": SCHEMA, "strict": False}
MESSAGES_TOOL = {"name": "get_order", "input_schema": SCHEMA}


def chat():
    whole = strict(oa.chat.completions.create(model="range-1", messages=ASK))
    assert whole.choices[0].message.content and whole.choices[0].finish_reason == "stop"
    two = strict(oa.chat.completions.create(model="range-1", messages=ASK, n=2))
    assert [choice.index for choice in two.choices] == [0, 1]
    text, usage = {}, None
    options = {"include_usage": True}
    for chunk in oa.chat.completions.create(model="range-1", messages=ASK, n=2, stream=True, stream_options=options):
        strict(chunk)
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text[choice.index] = text.get(choice.index, "") + (choice.delta.content or "")
    assert set(text) == {0, 1} and all(text.values()) and usage.total_tokens
    with oa.chat.completions.stream(model="range-1", messages=ASK) as helper:
        for _ in helper:
            pass
        assert helper.get_final_completion().choices[0].message.content


def chat_tools():
    turns = [{"role": "user", "content": ORDER}]
    whole = strict(oa.chat.completions.create(model="range-1", messages=turns, tools=[CHAT_TOOL]))
    call = whole.choices[0].message.tool_calls[0]
    assert call.function.name == "get_order" and "48213" in call.function.arguments
    with oa.chat.completions.stream(model="range-1", messages=turns, tools=[CHAT_TOOL]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == call.function.arguments
    turns += [whole.choices[0].message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "Packed."}]
    after = oa.chat.completions.create(model="range-1", messages=turns, tools=[CHAT_TOOL])
    assert "Packed" in after.choices[0].message.content


def completions():
    assert strict(oa.completions.create(model="range-1", prompt="Tell me about tides")).choices[0].text
    assert "".join(chunk.choices[0].text for chunk in oa.completions.create(model="range-1", prompt="Tides?", stream=True))


def responses():
    whole = strict(oa.responses.create(model="range-1", input="How do tides work?", instructions="Be brief."))
    assert whole.output_text and whole.status == "completed"
    events = [strict(event) for event in oa.responses.create(model="range-1", input="How do tides work?", stream=True)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed" and events[-1].response.output_text
    called = strict(oa.responses.create(model="range-1", input=ORDER, tools=[RESPONSES_TOOL]))
    call = called.output[0]
    assert call.type == "function_call" and "48213" in call.arguments
    items = [{"role": "user", "content": ORDER}, call.to_dict(),
             {"type": "function_call_output", "call_id": call.call_id, "output": "Packed."}]
    assert "Packed" in oa.responses.create(model="range-1", input=items, tools=[RESPONSES_TOOL]).output_text
    kinds = [event.type for event in oa.responses.create(model="range-1", input=ORDER, tools=[RESPONSES_TOOL], stream=True)]
    assert "response.function_call_arguments.done" in kinds, kinds
    # A response the gateway has seen may be continued.
    assert oa.responses.create(model="range-1", input="And then?", previous_response_id=whole.id).output_text


def embeddings_and_models():
    assert len(oa.embeddings.create(model="range-embedding-1", input=["one", "two"]).data) == 2
    assert "range-1" in [model.id for model in oa.models.list()]
    assert oa.models.retrieve("range-1").id == "range-1"


def messages():
    ask = {"model": "range-1", "max_tokens": 400, "system": "You sell bicycles.", "messages": ASK[1:]}
    whole = strict(an.messages.create(**ask))
    assert whole.content[0].text and whole.stop_reason == "end_turn"
    kinds = [strict(event).type for event in an.messages.create(**ask, stream=True)]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds
    with an.messages.stream(**ask) as stream:
        assert "".join(stream.text_stream) and stream.get_final_message().stop_reason == "end_turn"


def messages_tools():
    turns = [{"role": "user", "content": ORDER}]
    whole = strict(an.messages.create(model="range-1", max_tokens=400, messages=turns, tools=[MESSAGES_TOOL]))
    assert whole.stop_reason == "tool_use" and whole.content[0].input == {"order_id": "48213"}
    with an.messages.stream(model="range-1", max_tokens=400, messages=turns, tools=[MESSAGES_TOOL]) as stream:
        use = stream.get_final_message().content[0]
    assert use.input == {"order_id": "48213"}
    turns += [{"role": "assistant", "content": [use.to_dict()]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "Packed."}]}]
    after = an.messages.create(model="range-1", max_tokens=400, messages=turns, tools=[MESSAGES_TOOL])
    assert "Packed" in after.content[0].text


for work in [chat, chat_tools, completions, responses, embeddings_and_models, messages, messages_tools]:
    work()
print("sent", common.sent, flush=True)
