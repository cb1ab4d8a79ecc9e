"""Streams whose user is blocked while they run. After `started` the test blocks the user; after
`ended` it lifts the block and writes a line."""

import sys

import anthropic
import openai

import common
from common import HI

oa, an = common.openai_client("qk_ada"), common.anthropic_client("qk_ada")


def chat():
    return oa.chat.completions.create(model="m", messages=HI, stream=True)


def chat_helper():
    with oa.chat.completions.stream(model="m", messages=HI) as helper:
        yield from helper


def completions():
    return oa.completions.create(model="m", prompt="Hi!", stream=True)


def messages():
    return an.messages.create(model="m", max_tokens=9, messages=HI, stream=True)


def messages_helper():
    with an.messages.stream(model="m", max_tokens=9, messages=HI) as helper:
        yield from helper


def responses():
    return oa.responses.create(model="m", input="Hi!", stream=True)


def cut(surface):
    """What the client got, and the error that ended it."""
    before, got = common.sent, []
    try:
        for item in surface():
            if not got:
                print("started", surface.__name__, flush=True)
            got.append(item)
    except Exception as error:
        assert common.sent - before == 1, "a cut stream is not asked for again"
        return got, error
    return got, None


def next_one(surface):
    got, error = cut(surface)
    print("ended", surface.__name__, flush=True)
    assert sys.stdin.readline() == "go\n"
    return got, error


for surface in [chat, chat_helper, completions]:
    _, error = next_one(surface)
    assert type(error) is openai.APIError, f"{surface.__name__}: {error!r}"
    assert error.code == "blocked" and "help desk" in str(error), repr(error)
for surface in [messages, messages_helper]:
    _, error = next_one(surface)
    assert isinstance(error, anthropic.APIStatusError), f"{surface.__name__}: {error!r}"
    assert "permission_error" in str(error) and "help desk" in str(error), repr(error)
got, error = next_one(responses)
assert error is None, repr(error)
assert got[-1].type == "error" and got[-1].code == "blocked" and "help desk" in got[-1].message, got[-1]
assert [event.sequence_number for event in got] == list(range(len(got)))
