"""HttpChat and HttpEmbedder against a real HTTP server on the loopback that misbehaves on request."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from labkit.errors import BudgetExceeded, Cancelled, DeadlineExceeded, EndpointError, InputError
from labkit.llm.embed import HttpEmbedder
from labkit.llm.http import HttpChat
from labkit.schema import RequestContext, TokenBudget

ASK = [{"role": "user", "content": "hello"}]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.failures, self.status, self.delay, self.vector = [], 0, 503, 0.0, [3.0, 4.0]
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.seen.append((self.path, body, self.headers.get("authorization")))
        time.sleep(server.delay)
        if server.failures:
            server.failures -= 1
            return self.reply({"error": {"message": "out of sorts"}}, server.status)
        if self.path.endswith("/embeddings"):
            rows = [{"object": "embedding", "index": i, "embedding": server.vector} for i in range(len(body["input"]))]
            return self.reply({"object": "list", "data": rows[::-1], "model": "m", "usage": {}})
        if body.get("stream"):
            chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("Hel", "lo")]
            text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            return self.send(text.encode(), 200, "text/event-stream")
        message = {"role": "assistant", "content": "Hello"}
        return self.reply(
            {
                "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
            }
        )

    def reply(self, body, status=200):
        self.send(json.dumps(body).encode(), status, "application/json")

    def send(self, data, status, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # the client gave up: that is what one test is about
            self.wfile.write(data)


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


def test_text_usage_and_finish_reason_come_back(server):
    reply = HttpChat(server.url, model="m", api_key="secret").chat(ASK, max_tokens=5, ctx=RequestContext())
    assert (reply.text, reply.finish_reason) == ("Hello", "length")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 2)
    path, body, key = server.seen[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert (body["model"], body["max_tokens"], body["temperature"], body["messages"]) == ("m", 5, 0, ASK)


def test_stream_yields_pieces_and_charges_the_budget(server):
    budget = TokenBudget(100)
    pieces = list(HttpChat(server.url, model="m").stream(ASK, ctx=RequestContext(budget=budget)))
    assert pieces == ["Hel", "lo"]
    assert budget.remaining == 100 - len("hello") // 4 - 2


def test_a_passing_failure_is_retried(server):
    server.failures = 1
    assert HttpChat(server.url, model="m").chat(ASK, ctx=RequestContext()).text == "Hello"
    assert len(server.seen) == 2


def test_a_lasting_failure_is_explained(server):
    server.failures = 9
    with pytest.raises(EndpointError, match=r"HTTP 503.*out of sorts.*127\.0\.0\.1.*server's log"):
        HttpChat(server.url, model="m", retries=1).chat(ASK, ctx=RequestContext())
    assert len(server.seen) == 2


@pytest.mark.parametrize(("status", "todo"), [(401, "API key"), (404, "model name"), (400, "log")])
def test_a_refusal_is_not_retried(server, status, todo):
    server.failures, server.status = 9, status
    with pytest.raises(EndpointError, match=todo):
        HttpChat(server.url, model="m").chat(ASK, ctx=RequestContext())
    assert len(server.seen) == 1


def test_nobody_there():
    with pytest.raises(EndpointError, match="cannot be reached"):
        HttpChat("http://127.0.0.1:9/v1", model="m", retries=0).chat(ASK, ctx=RequestContext())


def test_a_slow_server_does_not_outlast_the_deadline(server):
    server.delay = 3.0
    started = time.monotonic()
    with pytest.raises((DeadlineExceeded, EndpointError)):
        HttpChat(server.url, model="m").chat(ASK, ctx=RequestContext(deadline=time.monotonic() + 0.3))
    assert time.monotonic() - started < 60


def test_limits_of_the_request(server):
    chat, left = HttpChat(server.url, model="m"), RequestContext()
    left.cancel.set()
    with pytest.raises(Cancelled):
        chat.chat(ASK, ctx=left)
    assert server.seen == []
    with pytest.raises(BudgetExceeded):
        chat.chat(ASK, ctx=RequestContext(budget=TokenBudget(5)))
    with pytest.raises(InputError):
        chat.chat([], ctx=RequestContext())


def test_embeddings_come_back_as_unit_vectors_in_order(server):
    encoder = HttpEmbedder(server.url, model="e", batch=2)
    vectors = encoder.encode(["a", "b", "c"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [[0.6, 0.8]] * 3, rtol=1e-6)
    assert [len(body["input"]) for _, body, _ in server.seen] == [2, 1]
    assert encoder.dimensions == 2


def test_a_zero_or_ragged_vector_is_refused(server):
    server.vector = [0.0, 0.0]
    with pytest.raises(EndpointError, match="zero or not finite"):
        HttpEmbedder(server.url, model="e").encode(["a"])
