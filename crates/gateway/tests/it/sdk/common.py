"""What the scripts share: clients that count what they send, and the exact class of an error."""

import sys

import anthropic
import openai

BASE = sys.argv[1]
HI = [{"role": "user", "content": "Hi!"}]
sent = 0


def _count(_request):
    global sent
    sent += 1


def openai_client(key):
    """A client with the SDK's own retry settings."""
    http = openai.DefaultHttpxClient(event_hooks={"request": [_count]}, timeout=15)
    return openai.OpenAI(base_url=BASE + "/v1", api_key=key, http_client=http)


def anthropic_client(key):
    """A client with the SDK's own retry settings."""
    http = anthropic.DefaultHttpxClient(event_hooks={"request": [_count]}, timeout=15)
    return anthropic.Anthropic(base_url=BASE, api_key=key, http_client=http)


def raises(kind, call, says=""):
    """`call` must raise exactly `kind`, after exactly one request."""
    before = sent
    try:
        call()
    except Exception as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        assert says in str(error), f"{says!r} is not in: {error}"
        assert sent - before == 1, f"{sent - before} requests for one refusal"
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def strict(model):
    """Fails where an answer misses a field that the SDK's own type requires."""
    type(model).model_validate(model.model_dump())
    return model
