"""Chat models behind an OpenAI-compatible endpoint: one base and its adapters as so many model names.

It shows that an adapter is chosen per request by a name, and lets tests and notebooks reach a model over HTTP. It is
not a production server: a request waits for the one before it, and there is no key, no TLS, no batching and no
sampling. That is vLLM (chapter 09), where the same names are given with ``--lora-modules``. It knows nothing about
what its models are.

Protocol: OpenAI API reference, "Chat completions" and "Models".
"""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import InputError, LabkitError, RequestError
from labkit.schema import ChatModel, ChatReply, Message, RequestContext, TokenBudget, Usage

_BODY_BYTES = 1 << 20
_SILENCE_S = 10.0  # how long a client may keep a connection without saying anything
_MAX_TOKENS = 64  # what a reply may have when the request does not say, as everywhere in this house
_POLL_S = 0.05  # how often the server looks whether it shall stop


@contextmanager
def serving(models: Mapping[str, ChatModel], *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve ``models`` by name while the context lasts; gives the base URL, which ends in ``/v1``.

    When it is left, replies that are being written are cut short, and all its threads have ended.

    Args:
        models: name in requests → model.
        host: address to listen on; anything but the loopback offers the models to everybody who can reach it.
        port: 0 takes a free one.
    """
    with _Server((host, port), models) as server:
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="chat endpoint")
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}/v1"
        finally:
            server.leaving.set()
            server.shutdown()
            thread.join()


class _Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


class _Asked(BaseModel):
    """The request's body. What would change a greedy reply and is not done here is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    messages: list[_Message] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    temperature: float | None = Field(None, ge=0, le=0)
    n: int | None = Field(None, ge=1, le=1)
    top_p: float | None = None  # this and the next two make no difference to the most likely token
    seed: int | None = None
    user: str | None = None

    def conversation(self) -> list[Message]:
        return [{"role": message.role, "content": message.content} for message in self.messages]


class _Refused(Exception):
    """Ends a request with an error in OpenAI's form."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _Meter(TokenBudget):
    """A budget without end that remembers what was used: a stream reports its usage in no other way."""

    def __init__(self) -> None:
        super().__init__(sys.maxsize)
        self.used = Usage()

    def spend(self, usage: Usage) -> None:
        self.used += usage


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the requests

    def __init__(self, address: tuple[str, int], models: Mapping[str, ChatModel]) -> None:
        self.models, self.leaving, self.started = dict(models), threading.Event(), int(time.time())
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):  # a client may leave when it likes
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One request per connection (HTTP/1.0), so that the end of a stream is the end of the connection."""

    server: _Server
    timeout = _SILENCE_S

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: whoever wants a log traces the model."""

    def _answer(self, method: str) -> None:
        try:
            match self.path.partition("?")[0].rstrip("/"), method:
                case "/v1/models", "GET":
                    self._send(HTTPStatus.OK, self._models())
                case "/v1/chat/completions", "POST":
                    self._complete(self._asked())
                case (("/v1/models" | "/v1/chat/completions"), _):
                    raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not allowed for {self.path}")
                case _:
                    raise _Refused(HTTPStatus.NOT_FOUND, f"There is no {self.path}; try /v1/chat/completions")
        except _Refused as refused:
            self._send(refused.status, refused.body)

    def _models(self) -> dict[str, Any]:
        common = {"object": "model", "created": self.server.started, "owned_by": "labkit"}
        return {"object": "list", "data": [{"id": name} | common for name in self.server.models]}

    def _asked(self) -> _Asked:
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "The request has no content-length")
        if int(length) > _BODY_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {_BODY_BYTES} bytes")
        try:
            return _Asked.model_validate_json(self.rfile.read(int(length)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or None
            what = "Not supported" if first["type"] == "extra_forbidden" else first["msg"]
            raise _Refused(HTTPStatus.BAD_REQUEST, f"{place or 'body'}: {what}", param=place) from error

    def _complete(self, asked: _Asked) -> None:
        model = self.server.models.get(asked.model)
        if model is None:
            what = f"There is no model {asked.model!r}; there are {', '.join(self.server.models)}"
            raise _Refused(HTTPStatus.NOT_FOUND, what, param="model", code="model_not_found")
        limit = asked.max_completion_tokens or asked.max_tokens or _MAX_TOKENS
        meter = _Meter()
        ctx = RequestContext(cancel=self.server.leaving, budget=meter)
        try:
            if not asked.stream:
                self._send(
                    HTTPStatus.OK, _completion(asked, model.chat(asked.conversation(), max_tokens=limit, ctx=ctx))
                )
                return
            pieces = model.stream(asked.conversation(), max_tokens=limit, ctx=ctx)
            first = next(pieces, "")  # what is wrong with the request shows here, while its status can still say so
        except InputError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        except RequestError as error:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        except LabkitError as error:
            raise _Refused(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error
        self._stream(asked, first, pieces, meter, limit)

    def _stream(self, asked: _Asked, first: str, pieces: Iterator[str], meter: _Meter, limit: int) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.end_headers()
        frame = {"id": _new_id(), "object": "chat.completion.chunk", "created": int(time.time()), "model": asked.model}

        def choice(delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
            return frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

        try:
            self._event(choice({"role": "assistant", "content": first}))
            for piece in pieces:
                self._event(choice({"content": piece}))
        except LabkitError as error:
            self._event(_Refused(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)).body)
            return
        reached = meter.used.completion_tokens >= limit
        self._event(choice({}, "length" if reached else "stop"))
        if (asked.stream_options or {}).get("include_usage"):
            self._event(frame | {"choices": [], "usage": _usage(meter.used)})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, body: Mapping[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _completion(asked: _Asked, reply: ChatReply) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.text}
    return {
        "id": _new_id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": _usage(reply.usage),
    }


def _usage(usage: Usage) -> dict[str, int]:
    total = usage.prompt_tokens + usage.completion_tokens
    return usage.model_dump() | {"total_tokens": total}


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"
