"""The chat endpoint with models that are plain functions, reached over real sockets."""

import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

import openai
import pytest

from labkit.errors import EndpointError, InputError, ModelError
from labkit.llm.endpoint import serving
from labkit.llm.http import HttpChat
from labkit.schema import ChatReply, RequestContext, Usage

ASK = [{"role": "user", "content": "hello"}]


class Echo:
    """Says its name and what it was asked, a word at a time; may fail or take its time."""

    def __init__(self, name, error=None, after=0, gate=None):
        self.name, self.error, self.after, self.gate = name, error, after, gate
        self.started = threading.Event()

    def chat(self, messages, *, max_tokens=64, ctx):
        words = "".join(self.stream(messages, max_tokens=max_tokens, ctx=ctx))
        usage = Usage(prompt_tokens=3, completion_tokens=len(words.split()))
        return ChatReply(text=words, usage=usage, finish_reason="stop")

    def stream(self, messages, *, max_tokens=64, ctx):
        words = [self.name, *messages[-1]["content"].split()][:max_tokens]
        for at, word in enumerate(words):
            if self.error and at >= self.after:
                raise self.error
            yield f"{word} "
            self.started.set()
            if self.gate:
                while not self.gate.wait(0.01):
                    ctx.check()
        ctx.budget.spend(Usage(prompt_tokens=3, completion_tokens=len(words)))


MODELS = {
    "base": Echo("base"),
    "base+answer": Echo("tuned"),
    "refuses": Echo("refuses", InputError("too long")),
    "broken": Echo("broken", ModelError("no weights")),
    "dies": Echo("dies", ModelError("lost"), after=1),
}


@pytest.fixture(scope="module")
def url():
    with serving(MODELS) as running:
        yield running


def ask(url, path="/v1/chat/completions", method="POST", body=None, headers=None):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, data, headers or {})
    reply = connection.getresponse()
    text = reply.read().decode()
    return reply.status, json.loads(text) if reply.headers.get_content_type() == "application/json" else text


def asked(**fields):
    return {"model": "base", "messages": ASK} | fields


def events(text):
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line.startswith("data: {")]


def test_models_are_listed(url):
    assert [model.id for model in openai.OpenAI(base_url=url, api_key="none").models.list()] == [*MODELS]


@pytest.mark.parametrize(("name", "said"), [("base", "base hello "), ("base+answer", "tuned hello ")])
def test_the_name_chooses_the_model(url, name, said):
    chat = HttpChat(url, model=name, retries=0)
    reply = chat.chat(ASK, ctx=RequestContext())
    assert (reply.text, reply.finish_reason) == (said, "stop")
    assert reply.usage == Usage(prompt_tokens=3, completion_tokens=2)
    assert list(chat.stream(ASK, ctx=RequestContext())) == said.replace(" ", " \0").rstrip("\0").split("\0")


@pytest.mark.parametrize(("limit", "reason"), [({"max_tokens": 1}, "length"), ({"max_completion_tokens": 5}, "stop")])
def test_a_stream_says_why_it_ended_and_what_it_used(url, limit, reason):
    status, text = ask(url, body=asked(stream=True, stream_options={"include_usage": True}, **limit))
    *chunks, last, usage = events(text)
    assert status == 200
    assert text.endswith("data: [DONE]\n\n")
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert last["choices"][0]["finish_reason"] == reason
    assert usage["usage"]["total_tokens"] == usage["usage"]["completion_tokens"] + 3


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b"\xff\xfe", 400, None),
        ({}, 400, "model"),
        (asked(model=3), 400, "model"),
        (asked(model="gpt-9"), 404, "model"),
        (asked(messages=[]), 400, "messages"),
        (asked(messages="hello"), 400, "messages"),
        (asked(messages=[{"role": "wizard", "content": "x"}]), 400, "messages.0.role"),
        (asked(messages=[{"role": "user", "content": [{"type": "text"}]}]), 400, "messages.0.content"),
        (asked(max_tokens=0), 400, "max_tokens"),
        (asked(max_tokens="5"), 400, "max_tokens"),
        (asked(max_tokens=True), 400, "max_tokens"),
        (asked(stream="yes"), 400, "stream"),
        (asked(temperature=0.7), 400, "temperature"),
        (asked(n=2), 400, "n"),
        (asked(tools=[]), 400, "tools"),
        (asked(model="refuses"), 400, None),
        (asked(model="refuses", stream=True), 400, None),
        (asked(model="broken"), 500, None),
        (asked(model="broken", stream=True), 500, None),
    ],
)
def test_what_it_cannot_do_is_refused_as_openai_does(url, body, status, param):
    found, reply = ask(url, body=body)
    assert (found, reply["error"]["param"]) == (status, param)
    assert reply["error"]["message"]
    assert reply["error"]["type"] == ("invalid_request_error" if status < 500 else "server_error")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/chat/completions", 405), ("POST", "/v1/models", 405), ("POST", "/v1/completions", 404)],
)
def test_other_paths_and_methods_are_refused(url, method, path, status):
    assert ask(url, path, method, asked())[0] == status


def test_what_makes_no_difference_is_accepted(url):
    assert ask(url, body=asked(temperature=0, top_p=0.9, seed=1, n=1, user="me"))[0] == 200


def test_an_oversize_body_is_refused_unread(url):
    status, reply = ask(url, body=b"", headers={"content-length": str(10**12)})
    assert status == 413
    assert "longer than" in reply["error"]["message"]


@pytest.mark.parametrize("length", ["-1", "many", "²"])
def test_a_body_without_a_length_is_refused(url, length):
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5) as raw:
        raw.sendall(f"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {length}\r\n\r\n".encode("latin-1"))
        assert b" 411 " in raw.recv(100)


def test_our_client_explains_an_unknown_model(url):
    with pytest.raises(EndpointError, match="knows no such model"):
        HttpChat(url, model="gpt-9", retries=0).chat(ASK, ctx=RequestContext())


def test_an_error_in_the_middle_of_a_stream_is_told(url):
    status, text = ask(url, body=asked(model="dies", stream=True))
    assert status == 200
    assert events(text)[-1]["error"]["message"] == "lost"
    assert "[DONE]" not in text
    with pytest.raises(EndpointError, match="lost"):
        list(HttpChat(url, model="dies", retries=0).stream(ASK, ctx=RequestContext()))


def test_requests_run_side_by_side():
    gate = threading.Event()
    slow = Echo("slow", gate=gate)
    with serving({"slow": slow, "quick": Echo("quick")}) as url:
        replies = []
        waiting = threading.Thread(target=lambda: replies.append(ask(url, body=asked(model="slow"))))
        waiting.start()
        assert slow.started.wait(5)
        assert ask(url, body=asked(model="quick"))[0] == 200
        gate.set()
        waiting.join(5)
        assert replies[0][0] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_cuts_what_is_being_written_and_ends_every_thread(stream):
    before = set(threading.enumerate())
    slow, replies = Echo("slow", gate=threading.Event()), []
    with serving({"slow": slow}) as url:
        waiting = threading.Thread(target=lambda: replies.append(ask(url, body=asked(model="slow", stream=stream))))
        waiting.start()
        assert slow.started.wait(5)
    assert set(threading.enumerate()) - before <= {waiting}
    waiting.join(5)
    status, reply = replies[0]
    error = events(reply)[-1] if stream else reply
    assert (status, error["error"]["type"]) == (200 if stream else 503, "server_error")
    with pytest.raises(ConnectionRefusedError):
        ask(url, body=asked())


def test_a_client_that_leaves_stops_its_stream(capfd):
    long = Echo("long")
    words = " ".join(["word"] * 200_000)
    with serving({"long": long}) as url:
        place = urlsplit(url)
        body = json.dumps(
            asked(model="long", messages=[{"role": "user", "content": words}], max_tokens=10**6, stream=True)
        )
        with socket.create_connection((place.hostname, place.port), timeout=5) as raw:
            raw.sendall(f"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
            raw.recv(100)
        assert ask(url, body=asked(model="long"))[0] == 200
    assert capfd.readouterr().err == ""
