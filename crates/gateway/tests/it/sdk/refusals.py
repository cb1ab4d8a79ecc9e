"""Every refusal before the first byte: its exact class in both SDKs, and no retry."""

import anthropic
import openai

import common
from common import HI, raises


def every_surface(key, openai_kind, anthropic_kind, says):
    """All surfaces, whole and streamed, refuse `key` alike."""
    oa, an = common.openai_client(key), common.anthropic_client(key)
    for stream in [False, True]:
        for call in [
            lambda: oa.chat.completions.create(model="m", messages=HI, stream=stream),
            lambda: oa.completions.create(model="m", prompt="Hi!", stream=stream),
            lambda: oa.responses.create(model="m", input="Hi!", stream=stream),
        ]:
            error = raises(openai_kind, call, says)
        raises(anthropic_kind, lambda: an.messages.create(model="m", max_tokens=9, messages=HI, stream=stream), says)
    raises(openai_kind, lambda: oa.embeddings.create(model="m", input="Hi!"), says)
    raises(openai_kind, lambda: list(oa.models.list()), says)
    return error


blocked = every_surface("qk_ada", openai.PermissionDeniedError, anthropic.PermissionDeniedError, "help desk")
assert "Reference: int_" in str(blocked) and "measure" not in str(blocked)
every_surface("qk_nobody", openai.AuthenticationError, anthropic.AuthenticationError, "not known")
# Newer Anthropic SDKs have a class of its own for 503, below InternalServerError.
unavailable = getattr(anthropic, "ServiceUnavailableError", anthropic.InternalServerError)
assert issubclass(unavailable, anthropic.InternalServerError)
offline = every_surface("qk_offline", openai.InternalServerError, unavailable, "offline")
assert offline.status_code == 503
every_surface("qk_busy", openai.RateLimitError, anthropic.RateLimitError, "in flight")

oa, an = common.openai_client("qk_shop"), common.anthropic_client("qk_shop")
ask = {"model": "m", "max_tokens": 9, "messages": HI}
raises(openai.BadRequestError, lambda: oa.chat.completions.create(model="m", messages=HI, extra_body={"messages": "Hi!"}), "/messages")
raises(openai.BadRequestError, lambda: oa.responses.create(model="m", input=7), "/input")
raises(openai.BadRequestError, lambda: oa.responses.create(model="m", input="Hi!", previous_response_id="resp_elsewhere"), "previous_response_id")
raises(anthropic.BadRequestError, lambda: an.messages.create(**ask, extra_body={"messages": "Hi!"}), "/messages")

planted = [{"role": "user", "content": "Tell me about the blue falcon."}]
raises(openai.PermissionDeniedError, lambda: oa.chat.completions.create(model="m", messages=planted), "Reference: int_")
raises(anthropic.PermissionDeniedError, lambda: an.messages.create(model="m", max_tokens=9, messages=planted), "Reference: int_")

raises(openai.NotFoundError, lambda: oa.post("/nowhere", cast_to=object, body={}), "forward_paths")
raises(openai.NotFoundError, lambda: oa.files.list(), "forward_paths")
raises(anthropic.NotFoundError, lambda: an.messages.count_tokens(model="m", messages=HI), "forward_paths")

long = [{"role": "user", "content": "x" * (11 * 1024 * 1024)}]
large = raises(openai.APIStatusError, lambda: oa.chat.completions.create(model="m", messages=long), "larger than")
assert large.status_code == 413
raises(anthropic.RequestTooLargeError, lambda: an.messages.create(model="m", max_tokens=9, messages=long), "larger than")
print("sent", common.sent, flush=True)
