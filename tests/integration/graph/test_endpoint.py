"""graphrag with its own prompts and client against an OpenAI-compatible server that errs like models do.

The server is real HTTP on the loopback; what it says is fixed, since what is tested is what becomes of it: graphrag's
own extraction fills the graph, broken JSON is repaired and counted, what cannot be repaired costs a report with a name.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pandas as pd
import pytest

from labkit.errors import EndpointError
from labkit.graph.graph import Graph
from labkit.graph.graphrag.communities import build
from labkit.graph.graphrag.extracted import extracted
from labkit.graph.graphrag.project import Project
from labkit.graph.graphrag.search import GraphSearch
from labkit.graph.graphrag.worker import Worker
from labkit.graph.schema import Schema
from labkit.settings import Settings

from .conftest import SECRET, audience, reader

pytestmark = pytest.mark.slow


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.prompts, self.keys, self.reports, self.down = [], set(), 0, False

    def say(self, prompt):
        """What a model might: graphrag's extraction format, reports of which one is broken and one is chatter."""
        if "-Goal-" in prompt and "entity_type" in prompt:
            text = prompt.rpartition("Text:")[2]
            names = re.findall(r"INC-\d+|Otter shuttle|Heron picker|Pike tug|Hexham|Thornaby", text)
            names = list(dict.fromkeys(names))
            rows = [f'("entity"<|>{name.upper()}<|>EVENT<|>{name} is named)' for name in names]
            rows += [f'("relationship"<|>{a.upper()}<|>{b.upper()}<|>{a} concerns {b}<|>5)'
                     for a, b in pairwise(names)]  # fmt: skip
            return "##".join(rows) + "<|COMPLETE|>"
        if "DETAILED FINDINGS" in prompt:
            self.reports += 1
            good = json.dumps({"title": "Title", "summary": "Short.", "rating": 3, "rating_explanation": "So.",
                               "findings": [{"summary": "One", "explanation": "Because."}]})  # fmt: skip
            return {1: "Certainly! ```json\n" + good[:-1] + ",}\n```", 2: "I would rather not."}.get(self.reports, good)
        if "Importance Score" in prompt and "Data tables" in prompt:
            return json.dumps({"points": [{"description": "Belts come loose [Data: Reports (0)]", "score": 80}]})
        return "An answer from the endpoint."


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.keys.add(self.headers.get("authorization"))
        prompt = "\n".join(str(message["content"]) for message in body["messages"])
        server.prompts.append(prompt)
        if server.down:
            return self.send(b'{"error": {"message": "out of sorts"}}', 400, "application/json")
        text = server.say(prompt)
        if body.get("stream"):
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                     "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}  # fmt: skip
            return self.send(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode(), 200, "text/event-stream")
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                 "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip
        return self.send(json.dumps(reply).encode(), 200, "application/json")

    def send(self, data, status, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(scope="module")
def endpoint(settings, server):
    return Settings(home=settings.home, device="cpu", chat_url=server.url, chat_model="some-model", chat_api_key="k1")


@pytest.fixture(scope="module")
def worker(endpoint):
    with Worker(endpoint) as made:
        yield made


@pytest.fixture(scope="module")
def built(company, endpoint, worker):
    return build(
        company.chunks, audience("staff"), endpoint, corpus="co", writer="endpoint", progress=False, worker=worker
    )


def test_graphrag_extracts_with_its_own_prompts_and_only_what_the_group_reads(built, server, settings):
    assert (built.extractor, built.writer) == ("llm", "some-model")
    assert built.entities > 15
    assert built.relationships > 10
    assert any("-Goal-" in prompt for prompt in server.prompts)
    assert not [word for word in SECRET if any(word in prompt for prompt in server.prompts)]
    assert server.keys == {"Bearer k1"}
    place = Project(settings.home, "co", "llm", audience("staff")).folder
    assert "k1" not in (place / "settings.json").read_text()


def test_what_graphrag_extracted_fills_our_tables(built, company, settings):
    found = extracted(Project(settings.home, "co", "llm", audience("staff")), company.chunks)
    assert (found.extractor, len(found.entities)) == ("llm", built.entities)
    assert len(found.statements) >= built.relationships
    graph = Graph(found, company.chunks, Schema.load())
    named = {entity.name for entity in graph.linked("Did the Otter shuttle stop at Hexham?", reader("staff"))}
    assert named == {"Otter shuttle", "Hexham"}
    assert not [word for word in SECRET if any(word in s.relation or word in s.value for s in found.statements)]


def test_a_broken_report_is_repaired_and_a_lost_one_has_a_number_and_a_name(built, settings):
    assert built.problems["CommunityReportResponse with broken JSON, repaired"] == 1
    assert built.problems["CommunityReportResponse that is no JSON of that form, lost"] == 1
    assert built.reports == built.communities - 1
    (name,) = built.failed
    assert re.match(r"community \d+: [A-Z]", name)
    output = Project(settings.home, "co", "llm", audience("staff")).output
    assert len(pd.read_parquet(output / "community_reports.parquet")) == built.reports


def test_the_endpoint_answers_and_is_named(built, endpoint, worker):
    with GraphSearch(endpoint, corpus="co", extractor="llm", writer="endpoint", worker=worker) as search:
        for method in ("basic", "local", "global"):
            found = search.search("Which incidents stopped the Otter shuttle?", method, reader("staff"))
            assert (found.text, found.writer) == ("An answer from the endpoint.", "some-model")


def test_an_endpoint_that_refuses_is_an_error_with_its_reason(built, company, endpoint, worker, server):
    server.down = True
    try:
        with pytest.raises(EndpointError, match=r"step extract_graph .*out of sorts"):
            build(company.chunks, audience("staff"), endpoint, corpus="down", writer="endpoint", progress=False,
                  worker=worker)  # fmt: skip
        with GraphSearch(endpoint, corpus="co", extractor="llm", writer="endpoint", worker=worker) as search:
            for method in ("basic", "global"):
                with pytest.raises(EndpointError, match="out of sorts"):
                    search.search("Anything?", method, reader("staff"))
    finally:
        server.down = False


def test_reports_that_all_fail_are_an_error_with_its_reason(company, endpoint, worker, server):
    server.down = True
    try:
        with pytest.raises(EndpointError, match=r"step create_community_reports .*out of sorts"):
            build(
                company.chunks, audience("board"), endpoint, corpus="down", extraction=company.extraction,
                writer="endpoint", progress=False, worker=worker,
            )  # fmt: skip
    finally:
        server.down = False
